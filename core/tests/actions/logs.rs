//! Logs while their store fails: the engine's own lines, with a word about it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use futures_util::StreamExt as _;
use futures_util::stream::{self, BoxStream};
use skypanel_core::console::{self, Console, LogQuery, OneOff, OneOffSession, ProcessState};
use skypanel_core::logs::{
    LogCursor, LogDirection, LogFilter, LogItem, LogLine, LogPage, LogPageQuery, LogRecord, LogSource, LogStart, Logs,
    TextMatch,
};
use skypanel_core::model::{AppId, Application};
use skypanel_core::{Error, Result};

use crate::world::World;

fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_795_323_600, 0).expect("a time") + TimeDelta::seconds(seconds)
}

/// An engine with the lines 0 to 9, a second apart.
struct Engine;

#[async_trait]
impl Console for Engine {
    async fn logs(&self, _: &Application, query: LogQuery) -> Result<BoxStream<'static, Result<console::LogLine>>> {
        let line = |number: i64| {
            let process = if number % 2 == 0 { "web.1" } else { "worker.1" };
            let text = format!("line {number}").into();
            console::LogLine { at: at(number), process: process.to_owned(), text }
        };
        let process = query.process.map(|process| format!("{process}.1"));
        let mut lines: Vec<_> =
            (0..10).map(line).filter(|line| process.as_ref().is_none_or(|process| line.process == *process)).collect();
        lines.drain(..lines.len().saturating_sub(query.lines as usize));
        Ok(stream::iter(lines.into_iter().map(Ok)).boxed())
    }

    async fn processes(&self, _: &Application) -> Result<Vec<ProcessState>> {
        Ok(Vec::new())
    }

    async fn run(&self, _: &Application, _: OneOff) -> Result<OneOffSession> {
        Err(Error::System("Nothing runs here.".to_owned()))
    }
}

/// A store that breaks after as many lines of following as it is told, and knows no cursors but its own.
struct Breaking {
    lines: i64,
    followed: AtomicU32,
}

fn down() -> Error {
    Error::Upstream("The log store is away.".to_owned())
}

#[async_trait]
impl Logs for Breaking {
    async fn page(&self, _: AppId, _: LogPageQuery) -> Result<LogPage> {
        Err(down())
    }

    async fn follow(
        &self,
        _: AppId,
        filter: LogFilter,
        start: LogStart,
    ) -> Result<BoxStream<'static, Result<LogItem>>> {
        self.followed.fetch_add(1, Ordering::Relaxed);
        if self.lines == 0 {
            return Err(down());
        }
        if matches!(&start, LogStart::Behind(cursor) if cursor.as_str().parse::<u64>().is_err()) {
            return Err(Error::Invalid("no such place".to_owned()));
        }
        let line = |number: i64| LogLine {
            cursor: LogCursor::new(number.to_string()),
            record: LogRecord {
                at: at(number),
                source: LogSource::App,
                process: "web.1".to_owned(),
                level: None,
                continues: false,
                text: format!("line {number}").into(),
            },
        };
        let lines = (0..self.lines).map(line).filter(|line| filter.wants(&line.record));
        let items: Vec<_> = lines.map(|line| Ok(LogItem::Line(Arc::new(line)))).chain([Err(down())]).collect();
        Ok(stream::iter(items).boxed())
    }
}

async fn world(lines: i64) -> World {
    let mut world = World::new().await;
    world.actions.logs = Arc::new(Breaking { lines, followed: AtomicU32::new(0) });
    world.actions.console = Arc::new(Engine);
    world
}

fn texts(lines: &[LogLine]) -> Vec<String> {
    lines.iter().map(|line| String::from_utf8_lossy(&line.record.text).into_owned()).collect()
}

async fn page(
    world: &World,
    filter: &LogFilter,
    direction: LogDirection,
    cursor: Option<LogCursor>,
) -> Result<LogPage> {
    let query = LogPageQuery { filter: filter.clone(), direction, cursor, lines: 3 };
    world.actions.app_logs(&world.developer, &world.shop, query).await
}

async fn followed(world: &World, filter: LogFilter, start: LogStart) -> Vec<String> {
    let stream = world.actions.follow_app_logs(&world.developer, &world.shop, filter, start).await.expect("follows");
    let items: Vec<_> = stream.collect().await;
    let shown = items.into_iter().map(|item| match item.expect("readable") {
        LogItem::Line(line) => String::from_utf8_lossy(&line.record.text).into_owned(),
        LogItem::Notice(notice) => format!("notice: {notice}"),
    });
    shown.collect()
}

#[tokio::test]
async fn while_the_store_is_away_the_engine_is_asked_and_that_is_said() {
    let world = world(0).await;
    let all = LogFilter::default();
    let newest = page(&world, &all, LogDirection::Backward, None).await.expect("answers");
    assert_eq!(texts(&newest.lines), ["line 7", "line 8", "line 9"]);
    let notice = newest.notice.expect("says so");
    assert!(notice.starts_with("The log store is away.") && notice.contains("container engine"), "{notice}");
    let before = page(&world, &all, LogDirection::Backward, newest.next).await.expect("answers");
    assert_eq!(texts(&before.lines), ["line 4", "line 5", "line 6"]);
    let behind = page(&world, &all, LogDirection::Forward, before.next).await.expect("answers");
    assert_eq!(texts(&behind.lines), ["line 5", "line 6", "line 7"]);

    let filter = LogFilter { process: Some("web".to_owned()), since: Some(at(2)), ..LogFilter::default() };
    let found = page(&world, &filter, LogDirection::Forward, None).await.expect("answers");
    assert_eq!(texts(&found.lines), ["line 2", "line 4", "line 6"]);
    let filter = LogFilter { text: Some(TextMatch::Holds("LINE 9".to_owned())), ..LogFilter::default() };
    assert_eq!(texts(&page(&world, &filter, LogDirection::Backward, None).await.expect("answers").lines), ["line 9"]);
    let filter = LogFilter { process: Some("No Process!".to_owned()), ..LogFilter::default() };
    assert!(page(&world, &filter, LogDirection::Backward, None).await.expect("answers").lines.is_empty());

    let place = Some(LogCursor::new("17".to_owned()));
    let unknown = page(&world, &all, LogDirection::Backward, place).await.expect_err("cannot tell");
    assert!(unknown.to_string().contains("ask without a cursor"), "{unknown}");
    world.close().await;
}

#[tokio::test]
async fn following_goes_on_with_the_engine_where_the_store_breaks() {
    let world = world(4).await;
    let followed = followed(&world, LogFilter::default(), LogStart::Newest(10)).await;
    assert_eq!(followed[..4], ["line 0", "line 1", "line 2", "line 3"]);
    assert!(followed[4].starts_with("notice: The log store is away."), "{followed:?}");
    assert_eq!(followed[5..], ["line 4", "line 5", "line 6", "line 7", "line 8", "line 9"]);
    world.close().await;
}

#[tokio::test]
async fn following_begins_with_the_engine_while_the_store_is_away() {
    let world = world(0).await;
    let followed = followed(&world, LogFilter::default(), LogStart::Newest(2)).await;
    assert!(followed[0].starts_with("notice: The log store is away."), "{followed:?}");
    assert_eq!(followed[1..], ["line 8", "line 9"]);
    world.close().await;
}

#[tokio::test]
async fn a_place_of_another_store_is_found_by_its_time_or_told_to_be_unknown() {
    let world = world(6).await;
    let nanoseconds = at(3).timestamp_nanos_opt().expect("in range");
    let place = LogStart::Behind(LogCursor::new(format!("t{nanoseconds}")));
    let by_time = followed(&world, LogFilter::default(), place).await;
    assert_eq!(by_time[..2], ["line 4", "line 5"], "{by_time:?}");
    let unknown = followed(&world, LogFilter::default(), LogStart::Behind(LogCursor::new("x".to_owned()))).await;
    assert!(unknown[0].starts_with("notice: The place"), "{unknown:?}");
    assert_eq!(unknown[1], "line 0");
    world.close().await;
}

#[tokio::test]
async fn with_neither_store_nor_engine_both_are_blamed() {
    let mut world = world(0).await;
    world.actions.console = Arc::new(crate::console::NoEngine);
    let error = page(&world, &LogFilter::default(), LogDirection::Backward, None).await.expect_err("fails");
    let told = error.to_string();
    assert!(told.contains("The log store is away.") && told.contains("There is no engine."), "{told}");
    let outsider = crate::world::person(world.store(), "outsider@x.io", None, false).await;
    let query =
        LogPageQuery { filter: LogFilter::default(), direction: LogDirection::Backward, cursor: None, lines: 1 };
    let error = world.actions.app_logs(&outsider, &world.shop, query).await.expect_err("may not");
    assert!(matches!(error, Error::NotFound(_)), "{error}");
    world.close().await;
}
