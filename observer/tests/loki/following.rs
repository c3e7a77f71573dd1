//! Following in a Loki: what is kept, and what comes, without a gap and without a line twice.

use std::time::Duration;

use futures_util::stream::BoxStream;
use futures_util::{FutureExt as _, StreamExt as _};
use skypanel_core::logs::{LogCursor, LogFilter, LogItem, LogStart, Logs as _, TextMatch};
use skypanel_core::{Error, Result};
use skypanel_observer::logs::LokiLogs;

use crate::world::{LIMIT, World, numbers, until};

type Items = BoxStream<'static, Result<LogItem>>;

async fn follow(world: &World, logs: &LokiLogs, start: LogStart) -> Items {
    logs.follow(world.app.id, LogFilter::default(), start).await.expect("follows")
}

/// The next lines, and the place of the last one.
async fn take(stream: &mut Items, count: usize) -> (Vec<String>, Option<LogCursor>) {
    let (mut texts, mut cursor) = (Vec::new(), None);
    while texts.len() < count {
        let item = tokio::time::timeout(LIMIT, stream.next()).await;
        let item = item.unwrap_or_else(|_| panic!("only {} lines: {texts:?}", texts.len()));
        match item.expect("goes on").expect("readable") {
            LogItem::Line(line) => {
                texts.push(String::from_utf8_lossy(&line.record.text).into_owned());
                cursor = Some(line.cursor.clone());
            }
            LogItem::Notice(notice) => panic!("{notice}"),
        }
    }
    (texts, cursor)
}

#[tokio::test]
async fn history_and_what_comes_are_joined() {
    let world = World::new().await;
    let reader = world.reader();
    let mut early = follow(&world, &reader, LogStart::Newest(10)).await;
    world.append(world.numbered(0..50)).await;
    until("all are there", || world.loki.lines().len() == 50).await;
    assert_eq!(take(&mut early, 50).await.0, numbers(0..50));
    let mut newest = follow(&world, &reader, LogStart::Newest(20)).await;
    let mut nothing = follow(&world, &reader, LogStart::Newest(0)).await;
    let (texts, cursor) = take(&mut newest, 12).await;
    assert_eq!(texts, numbers(30..42));
    let mut behind = follow(&world, &reader, LogStart::Behind(cursor.expect("is one"))).await;
    world.append(world.numbered(50..80)).await;
    assert_eq!(take(&mut early, 30).await.0, numbers(50..80));
    assert_eq!(take(&mut newest, 38).await.0, numbers(42..80));
    assert_eq!(take(&mut nothing, 30).await.0, numbers(50..80));
    assert_eq!(take(&mut behind, 38).await.0, numbers(42..80));
    assert_eq!(world.loki.counts()[2], 1, "one tail is enough for all");
    for stream in [&mut early, &mut newest, &mut nothing, &mut behind] {
        assert!(stream.next().now_or_never().is_none(), "nothing has come");
    }
    let wrong = LogStart::Behind(LogCursor::new("17".to_owned()));
    let refused = reader.follow(world.app.id, LogFilter::default(), wrong).await;
    assert!(matches!(refused.err(), Some(Error::Invalid(_))));
    world.close().await;
}

#[tokio::test]
async fn a_filter_holds_for_history_and_for_what_comes() {
    let world = World::new().await;
    world.append(vec![world.record(0, "a needle"), world.record(1, "hay")]).await;
    until("both are there", || world.loki.lines().len() == 2).await;
    let filter = LogFilter { text: Some(TextMatch::text("NEEDLE").expect("one")), ..LogFilter::default() };
    let mut found = world.reader().follow(world.app.id, filter, LogStart::Newest(10)).await.expect("follows");
    world.append(vec![world.record(2, "hay"), world.record(3, "another Needle")]).await;
    assert_eq!(take(&mut found, 2).await.0, ["a needle", "another Needle"]);
    world.close().await;
}

#[tokio::test]
async fn what_a_tail_leaves_out_is_asked_for() {
    let world = World::new().await;
    let reader = world.reader();
    let mut stream = follow(&world, &reader, LogStart::Newest(10)).await;
    world.append(world.numbered(0..10)).await;
    assert_eq!(take(&mut stream, 10).await.0, numbers(0..10));
    world.loki.drop_lines(true);
    world.append(world.numbered(10..2_500)).await;
    until("all are there", || world.loki.lines().len() == 2_500).await;
    world.loki.drop_lines(false);
    world.append(world.numbered(2_500..2_600)).await;
    // Those that the tail told come before those that it left out.
    let (mut texts, _) = take(&mut stream, 2_590).await;
    let number = |text: &String| text.split(' ').nth(1).and_then(|number| number.parse::<i64>().ok());
    texts.sort_by_key(number);
    assert_eq!(texts, numbers(10..2_600));

    // A tail that ends is opened again, and nothing is missing.
    world.loki.end_tails();
    world.append(world.numbered(2_600..2_700)).await;
    let (mut texts, _) = take(&mut stream, 100).await;
    texts.sort_by_key(number);
    assert_eq!(texts, numbers(2_600..2_700));
    assert_eq!(world.loki.counts()[2], 2);
    assert!(stream.next().now_or_never().is_none(), "nothing came twice");
    world.close().await;
}

#[tokio::test]
async fn who_follows_a_loki_that_goes_away_is_told() {
    let mut world = World::new().await;
    let reader = world.reader();
    let mut stream = follow(&world, &reader, LogStart::Newest(10)).await;
    world.append(world.numbered(0..10)).await;
    let (texts, cursor) = take(&mut stream, 10).await;
    assert_eq!(texts, numbers(0..10));
    world.loki.down().await;
    world.append(world.numbered(10..20)).await;
    let ended = tokio::time::timeout(LIMIT, stream.next()).await.expect("in time").expect("an item");
    assert!(matches!(&ended, Err(Error::Upstream(why)) if why.contains("The Loki")), "{ended:?}");
    world.loki.up().await;
    let mut again = follow(&world, &reader, LogStart::Behind(cursor.expect("is one"))).await;
    assert_eq!(take(&mut again, 10).await.0, numbers(10..20));
    world.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn under_load_nobody_misses_a_line_or_sees_one_twice() {
    const LINES: i64 = 12_000;
    let world = World::new().await;
    world.append(world.numbered(0..100)).await;
    until("the first are there", || world.loki.lines().len() == 100).await;
    let reader = world.reader();
    let mut followers = Vec::new();
    for number in 0..8_usize {
        let mut stream = follow(&world, &reader, LogStart::Newest(50)).await;
        followers.push(tokio::spawn(async move {
            let mut texts = Vec::new();
            while texts.len() < usize::try_from(LINES - 50).expect("fits") {
                texts.extend(take(&mut stream, 1).await.0);
                // Some are too slow for what comes and have to ask for it.
                if number % 3 == 0 && texts.len() % 2_000 == 0 {
                    tokio::time::sleep(Duration::from_millis(700)).await;
                }
            }
            texts
        }));
    }
    for begin in (100..LINES).step_by(100) {
        world.append(world.numbered(begin..begin + 100)).await;
        if begin % 3_000 == 0 {
            world.loki.end_tails();
        }
    }
    for follower in followers {
        let mut texts = follower.await.expect("sees every line");
        texts.sort_by_key(|text| text.split(' ').nth(1).and_then(|number| number.parse::<i64>().ok()));
        assert_eq!(texts, numbers(50..LINES));
    }
    world.close().await;
}
