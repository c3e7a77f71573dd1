//! What processes write arrives in the log, whenever the collector and the process come and go.

use std::time::Duration;

use chrono::{TimeDelta, Utc};
use skypanel_core::logs::{LogLevel, LogRecord, LogSource};

use crate::task::Task;
use crate::world::{World, texts};

const LIMIT: Duration = Duration::from_secs(30);

/// The lines from that one on: the test runner in the container writes some before.
fn from_begin(records: &[LogRecord]) -> Vec<LogRecord> {
    records.iter().skip_while(|record| &record.text[..] != b"begin").cloned().collect()
}

fn has(records: &[LogRecord], text: &str) -> bool {
    records.iter().any(|record| &record.text[..] == text.as_bytes())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_process_writes_is_kept_as_it_is() {
    let mut world = World::new().await;
    world.collect();
    let app = world.app().await;
    let long = "€".repeat(20_000);
    let out = [
        "begin\n\n  \u{1b}[31mERROR\u{1b}[0m two\r\n".as_bytes(),
        b"raw \xff\x00 bytes\n",
        format!("{long}\n").as_bytes(),
        b"{\"level\":\"warn\"}\nno end",
    ]
    .concat();
    let began = Utc::now();
    world.start(&app, "web.2", &Task::Says(out, b"WARNING:root:aside\n".to_vec())).await;
    let records =
        world.until(app.id, LIMIT, |records| has(records, "no end") && has(records, "WARNING:root:aside")).await;
    let aside = records.iter().find(|record| &record.text[..] == b"WARNING:root:aside").expect("is there");
    assert_eq!(aside.level, Some(LogLevel::Warn));
    let lines: Vec<LogRecord> = from_begin(&records).into_iter().filter(|record| record != aside).collect();
    let (pieces, others): (Vec<&LogRecord>, Vec<&LogRecord>) =
        lines.iter().partition(|record| record.text.starts_with("€".as_bytes()));
    let others: Vec<LogRecord> = others.into_iter().cloned().collect();
    assert_eq!(others[3].text, &b"raw \xff\x00 bytes"[..]);
    assert_eq!(
        texts(&others),
        ["begin", "", "  \u{1b}[31mERROR\u{1b}[0m two", "raw \u{fffd}\0 bytes", "{\"level\":\"warn\"}", "no end"]
    );
    assert_eq!(pieces.iter().map(|piece| piece.continues).collect::<Vec<_>>(), [true, true, true, false]);
    let joined: Vec<String> =
        pieces.iter().map(|piece| String::from_utf8(piece.text.to_vec()).expect("is text")).collect();
    assert_eq!(joined.concat(), long);
    let levels: Vec<_> = others.iter().map(|record| record.level).collect();
    assert_eq!(levels, [None, None, Some(LogLevel::Error), None, Some(LogLevel::Warn), None]);
    for record in &records {
        assert_eq!((record.source, record.process.as_str()), (LogSource::App, "web.2"));
        assert!(record.at > began - TimeDelta::seconds(5) && record.at < Utc::now(), "{}", record.at);
    }
    assert!(lines.is_sorted_by_key(|record| record.at));
    world.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_written_while_nobody_collected_is_collected_once() {
    let mut world = World::new().await;
    let app = world.app().await;
    let says = |text: &str| Task::Says(format!("{text}\n").into_bytes(), Vec::new());
    world.start(&app, "web.1", &says("before")).await;
    let counting = world.start(&app, "worker.1", &Task::Counts { per_second: 1_000, lines: 8_000 }).await;
    world.collect();
    world.until(app.id, LIMIT, |records| has(records, "before") && records.len() > 500).await;
    for wanted in [2_000, 4_000] {
        world.stop().await;
        world.collect();
        world.until(app.id, LIMIT, |records| records.len() > wanted).await;
    }
    world.stop().await;
    world.start(&app, "web.1", &says("between")).await;
    world.collect();
    world.start(&app, "web.1", &says("after")).await;
    let last = format!("line {:08} of a flood whose lines are as long as ordinary ones", 7_999);
    let records =
        world.until(app.id, LIMIT, |records| ["between", "after", &last].iter().all(|text| has(records, text))).await;
    let lines = texts(&records);
    for text in ["before", "between", "after"] {
        assert_eq!(lines.iter().filter(|line| *line == text).count(), 1, "{text}");
    }
    let counted: Vec<&String> = lines.iter().filter(|line| line.starts_with("line ")).collect();
    assert_eq!(counted.len(), 8_000);
    assert!(counted.is_sorted());
    // Of what is gone nothing is remembered.
    world.remove(&counting).await;
    world.stop().await;
    world.collect();
    world.start(&app, "web.1", &says("at last")).await;
    world.until(app.id, LIMIT, |records| has(records, "at last")).await;
    world.stop().await;
    let positions = std::fs::read_to_string(world.directory().join("observer/log-positions.json")).expect("reads");
    assert!(!positions.contains(&counting), "{positions}");
    world.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_writes_too_much_is_told_how_much_was_dropped() {
    let mut world = World::new().await;
    let store = world.database.store();
    store.set_setting("logs.rate_lines_per_second", "10").await.expect("is set");
    store.set_setting("logs.burst_lines", "500").await.expect("is set");
    world.collect();
    let (app, other) = (world.app().await, world.app().await);
    world.start(&app, "web.1", &Task::Counts { per_second: 10_000, lines: 20_000 }).await;
    world.start(&other, "web.1", &Task::Says(b"quiet\n".to_vec(), Vec::new())).await;
    world.until(other.id, LIMIT, |records| has(records, "quiet")).await;
    let dropped = |records: &[LogRecord]| -> usize {
        let notices = records.iter().filter(|record| record.source == LogSource::System);
        notices
            .map(|notice| {
                texts(std::slice::from_ref(notice))[0]
                    .split(' ')
                    .next()
                    .and_then(|count| count.parse::<usize>().ok())
                    .expect("says how many")
            })
            .sum()
    };
    // Two lines are the test runner's.
    let all = |records: &[LogRecord]| {
        let lines = records.iter().filter(|record| record.source == LogSource::App).count();
        lines + dropped(records) >= 20_000
    };
    let records = world.until(app.id, LIMIT, all).await;
    let notice = records.iter().find(|record| record.source == LogSource::System).expect("is there");
    assert_eq!((notice.process.as_str(), notice.level), ("system", Some(LogLevel::Warn)));
    let told = texts(std::slice::from_ref(notice)).concat();
    assert!(told.contains("lines are missing here") && told.contains("10 lines"), "{told}");
    let kept = records.iter().filter(|record| record.source == LogSource::App).count();
    assert!((500..700).contains(&kept), "{kept}");
    world.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_of_an_app_that_is_gone_is_removed() {
    let mut world = World::new().await;
    world.collect();
    let (app, other) = (world.app().await, world.app().await);
    for app in [&app, &other] {
        world.start(app, "web.1", &Task::Says(b"here\n".to_vec(), Vec::new())).await;
        world.until(app.id, LIMIT, |records| has(records, "here")).await;
    }
    world.database.store().delete_app(app.id).await.expect("is deleted");
    // The first look after a start comes at once.
    world.stop().await;
    world.collect();
    let begun = std::time::Instant::now();
    while !world.records(app.id).await.is_empty() {
        assert!(begun.elapsed() < LIMIT);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(has(&world.records(other.id).await, "here"));
    world.close().await;
}
