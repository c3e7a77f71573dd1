//! Following: history and what comes, without a gap and without a line twice, here and from another process.

use std::time::Duration;

use futures_util::stream::BoxStream;
use futures_util::{FutureExt as _, StreamExt as _};
use skypanel_core::Result;
use skypanel_core::logs::{LogFilter, LogItem, LogStart, Logs as _, TextMatch};
use skypanel_observer::logs::EmbeddedLogs;

use crate::world::{World, numbered, record};

const LIMIT: Duration = Duration::from_secs(30);

async fn follow(world: &World, logs: &EmbeddedLogs, start: LogStart) -> BoxStream<'static, Result<LogItem>> {
    logs.follow(world.app, LogFilter::default(), start).await.expect("follows")
}

async fn take(stream: &mut BoxStream<'static, Result<LogItem>>, count: usize) -> Vec<String> {
    let mut texts = Vec::new();
    while texts.len() < count {
        let item = tokio::time::timeout(LIMIT, stream.next()).await;
        let item = item.unwrap_or_else(|_| panic!("only {} lines: {texts:?}", texts.len()));
        match item.expect("goes on").expect("readable") {
            LogItem::Line(line) => texts.push(String::from_utf8_lossy(&line.record.text).into_owned()),
            LogItem::Notice(notice) => texts.push(format!("notice: {notice}")),
        }
    }
    texts
}

fn lines(numbers: std::ops::Range<i64>) -> Vec<String> {
    numbers.map(|number| format!("line {number}")).collect()
}

#[tokio::test]
async fn history_and_what_comes_are_joined() {
    let world = World::new();
    world.append(&numbered(0..30));
    world.seal();
    world.append(&numbered(30..40));
    for logs in [world.logs().clone(), world.reader()] {
        let world = World { app: world.app, ..World::new() };
        let mut newest = follow(&world, &logs, LogStart::Newest(15)).await;
        assert_eq!(take(&mut newest, 15).await, lines(25..40));
        assert!(newest.next().now_or_never().is_none(), "nothing has come");
    }
    let (mut here, mut there) = (
        follow(&world, world.logs(), LogStart::Newest(5)).await,
        follow(&world, &world.reader(), LogStart::Newest(0)).await,
    );
    world.append(&numbered(40..45));
    world.seal();
    world.append(&numbered(45..50));
    assert_eq!(take(&mut here, 15).await, lines(35..50));
    assert_eq!(take(&mut there, 10).await, lines(40..50));
}

#[tokio::test]
async fn following_begins_before_there_is_anything() {
    let world = World::new();
    let mut here = follow(&world, world.logs(), LogStart::Newest(5)).await;
    let mut there = follow(&world, &world.reader(), LogStart::Newest(5)).await;
    world.append(&numbered(0..3));
    assert_eq!(take(&mut here, 3).await, lines(0..3));
    assert_eq!(take(&mut there, 3).await, lines(0..3));
}

#[tokio::test]
async fn following_goes_on_behind_a_place() {
    let world = World::new();
    world.append(&numbered(0..100));
    let place = world.all().await[41].cursor.clone();
    world.seal();
    let mut rest = follow(&world, world.logs(), LogStart::Behind(place)).await;
    assert_eq!(take(&mut rest, 58).await, lines(42..100));
    world.append(&numbered(100..101));
    assert_eq!(take(&mut rest, 1).await, lines(100..101));
}

#[tokio::test]
async fn a_filter_holds_for_history_and_for_what_comes() {
    let world = World::new();
    world.append(&[record(0, "a needle"), record(1, "hay")]);
    let filter = LogFilter { text: Some(TextMatch::Holds("NEEDLE".to_owned())), ..LogFilter::default() };
    let mut found = world.logs().follow(world.app, filter, LogStart::Newest(10)).await.expect("follows");
    world.append(&[record(2, "hay"), record(3, "another Needle")]);
    assert_eq!(take(&mut found, 2).await, ["a needle", "another Needle"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn under_load_nobody_misses_a_line_or_sees_one_twice() {
    const LINES: i64 = 60_000;
    let world = World::new();
    world.append(&numbered(0..500));
    let reader = world.reader();
    let mut followers = Vec::new();
    for number in 0..12_usize {
        let logs = if number % 2 == 0 { world.logs().clone() } else { reader.clone() };
        let mut stream = follow(&world, &logs, LogStart::Newest(100)).await;
        followers.push(tokio::spawn(async move {
            let mut next = 400;
            while next < LINES {
                let texts = take(&mut stream, 1).await;
                assert_eq!(texts, lines(next..next + 1));
                next += 1;
                // Some are too slow for what comes and have to read from disk.
                if number % 3 == 0 && next % 2_000 == 0 {
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
        }));
    }
    let (logs, app, clock) = (world.logs().clone(), world.app, world.clock.clone());
    let writing = tokio::spawn(async move {
        for begin in (500..LINES).step_by(100) {
            logs.append(app, numbered(begin..begin + 100)).await.expect("appends");
            if begin % 5_000 == 0 {
                clock.advance(crate::world::AGE);
                let logs = logs.clone();
                tokio::task::spawn_blocking(move || logs.look_through().expect("seals")).await.expect("seals");
            }
        }
    });
    writing.await.expect("writes");
    for follower in followers {
        follower.await.expect("sees every line");
    }
}

#[tokio::test]
async fn who_comes_back_too_late_is_told() {
    let mut world = World::new();
    world.append(&numbered(0..10));
    let place = world.all().await[2].cursor.clone();
    world.seal();
    world.clock.advance(world.limits.retention + crate::world::AGE);
    world.append(&numbered(10..12));
    world.logs().look_through().expect("removes");
    let mut rest = follow(&world, world.logs(), LogStart::Behind(place)).await;
    let told = take(&mut rest, 3).await;
    assert!(told[0].starts_with("notice: "), "{told:?}");
    assert_eq!(told[1..], lines(10..12));
    world.writer = None;
}
