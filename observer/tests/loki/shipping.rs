//! Lines on their way from the embedded store to the Loki.

use futures_util::StreamExt as _;
use skypanel_core::logs::{LogDirection, LogFilter, LogItem, LogLevel, LogRecord, LogSource, LogStart, Logs as _};
use skypanel_core::model::AppId;
use skypanel_observer::logs::LogLimits;

use crate::world::{LIMIT, NODE, World, numbers, until};

#[tokio::test]
async fn lines_come_with_their_labels_whatever_is_in_them() {
    let world = World::new().await;
    let hostile: [&[u8]; 7] = [
        b"",
        b"\x1b[2J\x1b]0;title\x07 \0 \r",
        b"bytes \xff\xfe that are no text",
        "äöü 🦀 \u{2028} \u{202e}".as_bytes(),
        br#"{"streams":[{"stream":{"app_id":"other"},"values":[]}]}"#,
        br#"", {"level": "fatal"}], ["1", "forged"#,
        &[b'x'; 16 * 1024],
    ];
    let mut records: Vec<LogRecord> = hostile
        .iter()
        .enumerate()
        .map(|(number, text)| LogRecord {
            text: text.to_vec().into(),
            ..world.record(i64::try_from(number).expect("fits"), "")
        })
        .collect();
    records[6].continues = true;
    records[3].level = Some(LogLevel::Error);
    let of = |source: LogSource, process: &str, at| LogRecord {
        source,
        process: process.to_owned(),
        ..world.record(at, &format!("of {process}"))
    };
    records.extend([of(LogSource::App, "worker.12", 7), of(LogSource::Router, "router", 8)]);
    world.append(records.clone()).await;
    until("all are there", || world.loki.lines().len() == records.len()).await;

    let lines = world.loki.lines();
    let label = |line: usize, name: &str| lines[line].labels.get(name).map(String::as_str);
    let id = world.app.id.to_string();
    for (line, source, process, replica) in
        [(0, "app", "web", Some("1")), (7, "app", "worker", Some("12")), (8, "router", "router", None)]
    {
        let names = ["app", "app_id", "node", "source", "process", "replica"].map(|name| label(line, name));
        let expected = [Some("shop"), Some(&id), Some(NODE), Some(source), Some(process), replica];
        assert_eq!(names, expected, "{:?}", lines[line]);
    }
    assert_eq!(lines[0].at, world.at(0).timestamp_nanos_opt().expect("fits"));
    assert_eq!(lines[3].metadata, [("level".to_owned(), "error".to_owned())].into());
    assert_eq!(lines[6].metadata, [("continues".to_owned(), "true".to_owned())].into());

    // What is read is what was written, but for bytes that are no text.
    let read = world.all(&world.reader(), &LogFilter::default(), LogDirection::Forward, 100).await;
    for record in &mut records {
        record.text = String::from_utf8_lossy(&record.text).into_owned().into();
    }
    assert_eq!(read.into_iter().map(|line| line.record).collect::<Vec<_>>(), records);
    world.close().await;
}

#[tokio::test]
async fn no_line_is_lost_or_repeated_whatever_ends_in_between() {
    let mut world = World::new().await;
    // Twins in pairs, whose times are the same: a chunk of a build.
    let twins = |world: &World, numbers: std::ops::Range<i64>| -> Vec<LogRecord> {
        numbers.map(|number| world.record(number / 700, &format!("line {}", number / 2))).collect()
    };
    let expected = |end: i64| -> Vec<String> { (0..end).map(|number| format!("line {}", number / 2)).collect() };
    world.append(twins(&world, 0..3_001)).await;
    until("the first are there", || world.loki.lines().len() == 3_001).await;
    world.kill().await;
    world.start(LogLimits::default());

    // The Loki is away while more is written, and the node is killed meanwhile.
    world.loki.down().await;
    world.append(twins(&world, 3_001..5_000)).await;
    world.kill().await;
    world.start(LogLimits::default());
    world.append(twins(&world, 5_000..6_000)).await;
    world.loki.up().await;
    until("what waited is there", || world.loki.lines().len() >= 6_000).await;

    // It takes lines and does not get to say so; the node is killed before it could.
    world.loki.swallow(true);
    let pushes = world.loki.counts()[0];
    world.append(twins(&world, 6_000..7_001)).await;
    until("it was tried twice", || world.loki.counts()[0] > pushes + 1).await;
    world.kill().await;
    world.loki.swallow(false);
    world.start(LogLimits::default());
    world.append(twins(&world, 7_001..7_500)).await;
    until("all are there", || world.loki.lines().len() >= 7_500).await;
    assert_eq!(world.loki.texts(), expected(7_500));
    // Nothing more comes once all is there.
    world.append(vec![world.record(1_000, "the end")]).await;
    until("the end is there", || world.loki.texts().last().is_some_and(|text| text == "the end")).await;
    assert_eq!(world.loki.lines().len(), 7_501);
    world.close().await;
}

#[tokio::test]
async fn what_gives_way_while_the_loki_is_away_is_counted() {
    let mut world = World::new().await;
    world.kill().await;
    world.start(LogLimits { app_bytes: 3 << 20, tells: false, ..LogLimits::default() });
    world.append(world.numbered(0..10)).await;
    until("the first are there", || world.loki.lines().len() == 10).await;
    world.loki.down().await;
    // What does not pack well.
    let text = |number: u64| {
        let words = (0..200_u64).map(|word| format!("{:x}", (number * 200 + word).wrapping_mul(0x9e37_79b9_7f4a_7c15)));
        words.collect::<String>()
    };
    let count = 4_000;
    for begin in (0..count).step_by(100) {
        let records = (begin..begin + 100).map(|number| {
            world.record(1_000 + i64::try_from(number).expect("fits"), &format!("line {number}: {}", text(number)))
        });
        world.append(records.collect()).await;
        let logs = world.embedded().clone();
        let kept = tokio::task::spawn_blocking(move || logs.seal().and_then(|()| logs.remove_excess()));
        kept.await.expect("ends well").expect("keeps order");
    }
    world.loki.up().await;
    until("the newest are there", || {
        world.loki.texts().last().is_some_and(|text| text.starts_with(&format!("line {}:", count - 1)))
    })
    .await;
    let lines = world.loki.lines();
    let notice = &lines[10];
    assert_eq!((&notice.labels["source"][..], &notice.metadata["level"][..]), ("system", "warn"));
    let lost: u64 = notice.text.split(' ').next().expect("a word").parse().expect("a number");
    assert!(lost > 0 && notice.text.contains("removed before the Loki took them"), "{notice:?}");
    let number = |text: &str| text.split(':').next().unwrap_or_default().to_owned();
    let numbers: Vec<String> = lines[11..].iter().map(|line| number(&line.text)).collect();
    let expected: Vec<String> = (lost..count).map(|number| format!("line {number}")).collect();
    assert_eq!(numbers, expected);
    world.close().await;
}

#[tokio::test]
async fn a_loki_that_cannot_take_lines_gets_them_later() {
    let world = World::new().await;
    for (number, refusal) in
        [(429, "Ingestion rate limit exceeded"), (503, "no"), (260, "ingestion blocked")].into_iter().enumerate()
    {
        let number = i64::try_from(number).expect("fits");
        world.loki.refuse(Some(refusal));
        let pushes = world.loki.counts()[0];
        world.append(world.numbered(number * 100..number * 100 + 100)).await;
        until("it was tried", || world.loki.counts()[0] > pushes).await;
        world.loki.refuse(None);
        until("all are there", || world.loki.texts() == numbers(0..number * 100 + 100)).await;
    }
    world.close().await;
}

#[tokio::test]
async fn what_a_loki_will_never_take_is_told_in_the_log() {
    let world = World::new().await;
    let organization = world.database.store().ensure_organization("acme").await.expect("is there");
    let other = world.database.store().create_app(&"blog".parse().expect("a slug"), &organization).await.expect("made");
    world.append(world.numbered(0..10)).await;
    until("the first are there", || world.loki.lines().len() == 10).await;
    // A clock that jumped back for two hours.
    let late = [world.record(-7_200_000, "late"), world.record(-7_200_001, "later"), world.record(20, "line 10")];
    world.embedded().append(other.id, world.numbered(0..5)).await.expect("appends");
    world.append(late.to_vec()).await;
    let of = |app: AppId| {
        let lines = world.loki.lines();
        let of_app = lines.into_iter().filter(move |line| line.labels["app_id"] == app.to_string());
        of_app.map(|line| line.text).collect::<Vec<_>>()
    };
    until("the notice is there", || of(world.app.id).len() == 12).await;
    let told = of(world.app.id);
    assert_eq!(told[..11], numbers(0..11));
    assert!(
        told[11].starts_with("2 lines were refused by the Loki") && told[11].contains("too far behind"),
        "{told:?}"
    );
    until("the other's are there", || of(other.id) == numbers(0..5)).await;

    // One that refuses all: its reason is told without its own lines' ends.
    world.loki.refuse(Some((400, "Invalid\x1b[31m\nlabel")));
    world.embedded().append(other.id, world.numbered(5..8)).await.expect("appends");
    let embedded = world.embedded().clone();
    let filter = LogFilter { sources: vec![LogSource::System], ..LogFilter::default() };
    let mut notices = embedded.follow(other.id, filter, LogStart::Newest(1)).await.expect("follows");
    let notice = tokio::time::timeout(LIMIT, notices.next()).await.expect("comes in time").expect("comes");
    let LogItem::Line(notice) = notice.expect("is readable") else { panic!("no line") };
    let expected = "3 lines were refused by the Loki and are not kept there: Invalid [31m label.";
    assert_eq!(String::from_utf8_lossy(&notice.record.text), expected);
    world.loki.refuse(None);
    world.close().await;
}
