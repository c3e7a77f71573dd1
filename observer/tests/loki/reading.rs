//! Pages from a Loki.

use std::sync::Arc;
use std::time::Duration;

use skypanel_core::Error;
use skypanel_core::clock::Clock;
use skypanel_core::logs::{
    LogCursor, LogDirection, LogFilter, LogLevel, LogPageQuery, LogRecord, LogSource, LogStart, Logs, TextMatch,
};
use skypanel_observer::logs::ConfiguredLogs;

use crate::pushed::Line;
use crate::world::{World, numbers, texts, until};

fn newest(lines: usize) -> LogPageQuery {
    LogPageQuery { filter: LogFilter::default(), direction: LogDirection::Backward, cursor: None, lines }
}

#[tokio::test]
async fn pages_go_both_ways_without_a_line_lost_or_twice() {
    let world = World::new().await;
    world.append(world.numbered(0..5_300)).await;
    until("all are there", || world.loki.lines().len() == 5_300).await;
    let reader = world.reader();
    for (direction, lines) in [
        (LogDirection::Forward, 700),
        (LogDirection::Backward, 700),
        (LogDirection::Forward, 5_300),
        (LogDirection::Backward, 2_650),
    ] {
        let read = world.all(&reader, &LogFilter::default(), direction, lines).await;
        assert_eq!(texts(&read), numbers(0..5_300), "{direction:?} {lines}");
    }
    // From the middle, both ways.
    let page = reader.page(world.app.id, newest(300)).await.expect("a page");
    let cursor = Some(page.lines[100].cursor.clone());
    assert_eq!(texts(&page.lines), numbers(5_000..5_300));
    let forward = LogPageQuery { direction: LogDirection::Forward, cursor: cursor.clone(), ..newest(50) };
    let page = reader.page(world.app.id, forward).await.expect("a page");
    assert_eq!(texts(&page.lines), numbers(5_101..5_151));
    let page = reader.page(world.app.id, LogPageQuery { cursor, ..newest(50) }).await.expect("a page");
    assert_eq!(texts(&page.lines), numbers(5_050..5_100));
    let page = reader.page(skypanel_core::model::AppId::new(), newest(10)).await.expect("a page");
    assert!(page.lines.is_empty() && page.next.is_none());
    for wrong in ["1772366400000001", "t1772366400000000123"] {
        let query = LogPageQuery { cursor: Some(LogCursor::new(wrong.to_owned())), ..newest(10) };
        assert!(matches!(reader.page(world.app.id, query).await, Err(Error::Invalid(_))), "{wrong}");
    }
    world.close().await;
}

#[tokio::test]
async fn lines_of_one_time_from_other_nodes_are_all_read() {
    let world = World::new().await;
    let line = |node: usize, number: i64| Line {
        labels: [
            ("app", "shop"),
            ("app_id", &world.app.id.to_string()),
            ("node", &format!("node-{node}")),
            ("process", "web"),
            ("replica", &node.to_string()),
            ("source", "app"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into(),
        at: world.at(number).timestamp_nanos_opt().expect("fits"),
        text: format!("line {number}"),
        metadata: [].into(),
    };
    world
        .loki
        .keep((0..60).flat_map(|number| (1..=40).map(move |node| (node, number))).map(|(n, l)| line(n, l)).collect());
    let reader = world.reader();
    for direction in [LogDirection::Forward, LogDirection::Backward] {
        for lines in [1_000, 97, 41] {
            let read = world.all(&reader, &LogFilter::default(), direction, lines).await;
            assert_eq!(read.len(), 60 * 40, "{direction:?} {lines}");
            let mut told: Vec<_> = read.iter().map(|line| (line.record.at, line.record.process.clone())).collect();
            assert!(told.is_sorted_by_key(|(at, _)| *at));
            told.sort();
            told.dedup();
            assert_eq!(told.len(), 60 * 40, "{direction:?} {lines}");
        }
    }
    world.close().await;
}

#[tokio::test]
async fn filters_find_the_same_as_in_the_embedded_store() {
    let world = World::new().await;
    let record = |at, source, process: &str, level, text: &str| LogRecord {
        source,
        level,
        process: process.to_owned(),
        ..world.record(at, text)
    };
    world
        .append(vec![
            record(0, LogSource::App, "web.1", Some(LogLevel::Info), "GET /Tomcat"),
            record(1, LogSource::App, "web.10", Some(LogLevel::Error), "a (b) \"c\" \\d"),
            record(2, LogSource::App, "webber.1", Some(LogLevel::Fatal), "tomcat died"),
            record(3, LogSource::Router, "router", None, "GET /"),
            record(4, LogSource::System, "system", Some(LogLevel::Warn), "Restarted web.1: ünhealthy"),
        ])
        .await;
    until("all are there", || world.loki.lines().len() == 5).await;
    let reader: &dyn Logs = &world.reader();
    let none = LogFilter::default;
    let text = |text: &str| Some(TextMatch::text(text).expect("one"));
    let expression = |text: &str| Some(TextMatch::expression(text).expect("one"));
    for (filter, count) in [
        (none(), 5),
        (LogFilter { sources: vec![LogSource::Router, LogSource::System], ..none() }, 2),
        (LogFilter { process: Some("web".to_owned()), ..none() }, 2),
        (LogFilter { process: Some("web.1".to_owned()), ..none() }, 1),
        (LogFilter { process: Some("we\"b".to_owned()), ..none() }, 0),
        (LogFilter { level: Some(LogLevel::Warn), ..none() }, 3),
        (LogFilter { text: text("TOMCAT"), ..none() }, 2),
        (LogFilter { text: text("(b) \"c\" \\d"), ..none() }, 1),
        (LogFilter { text: text("ü"), ..none() }, 1),
        (LogFilter { text: expression("^GET /[A-Z]|\\d$"), ..none() }, 1),
        (LogFilter { since: Some(world.at(1)), until: Some(world.at(3)), ..none() }, 2),
        (LogFilter { until: Some(world.at(0)), ..none() }, 0),
    ] {
        let found = world.all(reader, &filter, LogDirection::Backward, 2).await;
        assert_eq!(found.len(), count, "{filter:?}");
        let here = world.all(world.embedded(), &filter, LogDirection::Backward, 2).await;
        assert_eq!(texts(&found), texts(&here), "{filter:?}");
    }
    world.close().await;
}

#[tokio::test]
async fn months_are_read_as_many_spans_as_a_loki_answers() {
    let world = World::new().await;
    let day = 24 * 3_600_000;
    let records = (0..100).map(|number| world.record((number - 99) * day, &format!("line {number}")));
    world.append(records.collect()).await;
    until("all are there", || world.loki.lines().len() == 100).await;
    let reader = world.reader_keeping(Duration::from_hours(200 * 24));
    for direction in [LogDirection::Forward, LogDirection::Backward] {
        let read = world.all(&reader, &LogFilter::default(), direction, 30).await;
        assert_eq!(texts(&read), numbers(0..100), "{direction:?}");
    }
    let read = world.all(&world.reader(), &LogFilter::default(), LogDirection::Forward, 30).await;
    assert_eq!(texts(&read), numbers(93..100), "what is older is not asked for");
    world.close().await;
}

#[tokio::test]
async fn the_settings_say_where_logs_are_read_from() {
    let mut world = World::new().await;
    world.append(world.numbered(0..3)).await;
    until("all are there", || world.loki.lines().len() == 3).await;
    let store = world.database.store().clone();
    let configured: Arc<dyn Logs> =
        Arc::new(ConfiguredLogs::new(store.clone(), world.embedded().clone(), Clock::system()));
    let page = configured.page(world.app.id, newest(10)).await.expect("a page");
    assert_eq!(texts(&page.lines), numbers(0..3));
    assert!(page.lines[0].cursor.as_str().starts_with('l'), "{page:?}");
    // What answers in place of a store that is down goes by these errors.
    world.loki.down().await;
    let error = configured.page(world.app.id, newest(10)).await.expect_err("is down");
    assert!(matches!(&error, Error::Upstream(why) if why.contains("The Loki at 127.0.0.1")), "{error}");
    let followed = configured.follow(world.app.id, LogFilter::default(), LogStart::Newest(10)).await;
    assert!(matches!(followed.err(), Some(Error::Upstream(_))));
    store.set_setting("logs.loki_url", "").await.expect("is set");
    let error = configured.page(world.app.id, newest(10)).await.expect_err("there is none");
    assert!(matches!(&error, Error::System(why) if why.contains("logs.loki_url")), "{error}");
    store.set_setting("logs.backend", "embedded").await.expect("is set");
    let page = configured.page(world.app.id, newest(10)).await.expect("a page");
    assert_eq!(texts(&page.lines), numbers(0..3));
    world.close().await;
}
