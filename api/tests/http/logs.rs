//! An app's log over HTTP: what is asked for, in pages and live, from the process that writes and from another.

use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use futures_util::StreamExt as _;
use serde_json::{Value, json};
use skypanel_core::logs::{LogLevel, LogRecord, LogSource};
use skypanel_core::model::AppId;

use crate::world::World;

const PATH: &str = "/api/paas/apps/shop/logs";
const SOON: Duration = Duration::from_secs(20);

/// A line of so many seconds before the test's time.
fn record(ago: i64, source: LogSource, process: &str, level: Option<LogLevel>, text: &[u8]) -> LogRecord {
    let now: chrono::DateTime<chrono::Utc> = "2026-03-01T12:00:00Z".parse().expect("is a time");
    LogRecord {
        at: now - chrono::TimeDelta::seconds(ago),
        source,
        process: process.to_owned(),
        level,
        continues: false,
        text: text.to_vec().into(),
    }
}

async fn world() -> (World, AppId) {
    let world = World::new().await;
    let app = world.app("shop").await.id;
    let lines = vec![
        record(90_000, LogSource::Build, "build", None, b"-----> Building"),
        record(7_000, LogSource::System, "system", Some(LogLevel::Info), b"Released v1"),
        record(600, LogSource::App, "web.1", Some(LogLevel::Info), b"listening"),
        record(500, LogSource::App, "worker.1", Some(LogLevel::Error), b"Job 4711 failed"),
        record(400, LogSource::Router, "router", None, b"GET / 200"),
        record(300, LogSource::App, "web.2", None, b"\x1b[31mred\x1b[0m \0 \xff \xe4\xb8\x96"),
    ];
    world.logs.append(app, lines).await.expect("appends");
    (world, app)
}

fn texts(answer: &Value) -> Vec<&str> {
    answer["items"].as_array().expect("a list").iter().filter_map(|line| line["text"].as_str()).collect()
}

async fn asked(world: &World, query: &str) -> Value {
    world.get(&format!("{PATH}{query}")).by("viewer").send().await.is(200).json
}

#[tokio::test]
async fn lines_are_chosen_by_all_that_is_asked() {
    let (world, _) = world().await;
    let newest = asked(&world, "?lines=1").await;
    let cursor = newest["items"][0]["cursor"].as_str().expect("has one").to_owned();
    assert_eq!(
        newest["items"][0],
        json!({
            "at": "2026-03-01T11:55:00Z", "source": "app", "process": "web.2", "level": null,
            "text": "\u{1b}[31mred\u{1b}[0m \u{0} \u{fffd} 世", "continues": false, "cursor": cursor,
            "timestamp": "2026-03-01T11:55:00Z", "message": "\u{1b}[31mred\u{1b}[0m \u{0} \u{fffd} 世",
        })
    );
    assert_eq!((&newest["next_cursor"], &newest["notice"]), (&json!(cursor), &Value::Null));
    for (query, expected) in [
        ("?source=build,system", &["-----> Building", "Released v1"][..]),
        ("?process=web&lines=1&direction=forward", &["listening"]),
        ("?process=worker.1", &["Job 4711 failed"]),
        ("?level=warn", &["Job 4711 failed"]),
        ("?level=info&since=2h", &["Released v1", "listening", "Job 4711 failed"]),
        ("?since=15m&until=2026-03-01T11:53:00Z", &["listening", "Job 4711 failed"]),
        ("?text=JOB%204711", &["Job 4711 failed"]),
        ("?regex=%5EGET%20.*200%24", &["GET / 200"]),
        ("?text=none%20such", &[]),
        ("?lines=0", &[]),
    ] {
        assert_eq!(texts(&asked(&world, query).await), expected, "{query}");
    }
    world.close().await;
}

#[tokio::test]
async fn pages_go_both_ways() {
    let (world, _) = world().await;
    let mut found = Vec::new();
    let mut query = "?lines=4".to_owned();
    for expected in [4, 2] {
        let page = asked(&world, &query).await;
        let lines: Vec<String> = texts(&page).into_iter().map(str::to_owned).collect();
        assert_eq!(lines.len(), expected);
        found.splice(0..0, lines);
        query = format!("?lines=4&cursor={}", page["next_cursor"].as_str().unwrap_or_default());
        assert_eq!(page["next_cursor"].is_null(), expected == 2);
    }
    let mut forward = Vec::new();
    let mut query = "?lines=4&direction=forward".to_owned();
    loop {
        let page = asked(&world, &query).await;
        forward.extend(texts(&page).into_iter().map(str::to_owned));
        let Some(next) = page["next_cursor"].as_str() else { break };
        query = format!("?lines=4&direction=forward&cursor={next}");
    }
    assert_eq!(forward, found);
    assert_eq!(found.len(), 6);
    world.close().await;
}

#[tokio::test]
async fn what_cannot_be_asked_is_named() {
    let (world, _) = world().await;
    for (query, field) in [
        ("lines=10001", "lines"),
        ("since=yesterday", "since"),
        ("until=5y", "until"),
        ("source=app,disk", "source"),
        ("regex=(", "regex"),
        ("regex=(a%7B1000%7D)%7B1000%7D", "regex"),
        ("text=a&regex=b", "regex"),
        ("cursor=%2F", "cursor"),
        ("texts=a", "texts"),
    ] {
        let answer = world.get(&format!("{PATH}?{query}")).by("viewer").send().await.fails(422, "INVALID_INPUT");
        assert!(!answer.field(field).is_empty(), "{query}");
    }
    world.get(&format!("{PATH}?cursor=x1")).by("viewer").send().await.fails(422, "INVALID_INPUT");
    for path in ["?level=loud", "?direction=up", "/stream?level=loud"] {
        world.get(&format!("{PATH}{path}")).by("viewer").send().await.fails(422, "INVALID_INPUT");
    }
    for path in ["", "/stream"] {
        world.get(&format!("{PATH}{path}")).by("outsider").send().await.fails(404, "NOT_FOUND");
    }
    world.close().await;
}

/// Reads events of a stream: name, id and data of each.
struct Events {
    body: Body,
    text: String,
}

impl Events {
    fn of(response: Response) -> Self {
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Self { body: response.into_body(), text: String::new() }
    }

    async fn next(&mut self) -> (String, String, Value) {
        let whole = async {
            loop {
                if let Some((event, rest)) = self.text.split_once("\n\n") {
                    let (event, rest) = (event.to_owned(), rest.to_owned());
                    self.text = rest;
                    let field = |name: &str| {
                        let found = event.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
                        found.unwrap_or_default().to_owned()
                    };
                    return (field("event"), field("id"), field("data").parse().expect("is JSON"));
                }
                let body = std::mem::replace(&mut self.body, Body::empty());
                let mut stream = body.into_data_stream();
                let bytes = stream.next().await.expect("goes on").expect("is readable");
                self.text.push_str(std::str::from_utf8(&bytes).expect("is text"));
                self.body = Body::from_stream(stream);
            }
        };
        tokio::time::timeout(SOON, whole).await.expect("comes in time")
    }

    async fn texts(&mut self, count: usize) -> Vec<String> {
        let mut texts = Vec::new();
        for _ in 0..count {
            texts.push(self.next().await.2["text"].as_str().expect("has a text").to_owned());
        }
        texts
    }
}

#[tokio::test]
async fn a_stream_joins_what_is_kept_and_what_comes() {
    let (world, app) = world().await;
    let say = async |text: &str| {
        let line = record(0, LogSource::App, "web.1", None, text.as_bytes());
        world.logs.append(app, vec![line]).await.expect("appends");
    };
    // One of them is answered by the process that writes, the other by another.
    let path = format!("{PATH}/stream?lines=2&source=app");
    let mut here = Events::of(world.get(&path).by("viewer").open().await);
    let mut there = Events::of(world.get(&path).by("viewer").open().await);
    for events in [&mut here, &mut there] {
        assert!(events.texts(2).await[0].starts_with("Job 4711"));
    }
    say("one").await;
    say("two").await;
    let (name, id, line) = here.next().await;
    assert_eq!((name.as_str(), id.as_str(), &line["text"]), ("", line["cursor"].as_str().unwrap_or(""), &json!("one")));
    assert_eq!(here.texts(1).await, ["two"]);
    assert_eq!(there.texts(2).await, ["one", "two"]);
    drop(here);
    say("three").await;
    let mut again = Events::of(world.get(&path).by("viewer").header("last-event-id", &id).open().await);
    assert_eq!(again.texts(2).await, ["two", "three"]);
    let cursor = format!("{PATH}/stream?cursor={id}");
    let mut by_cursor = Events::of(world.get(&cursor).by("viewer").open().await);
    assert_eq!(by_cursor.texts(2).await, ["two", "three"]);
    // What another store called the place is not known here, which ends nothing.
    let mut lost = Events::of(world.get(&path).by("viewer").header("last-event-id", "x").open().await);
    let (name, _, notice) = lost.next().await;
    assert_eq!(name, "notice");
    assert!(notice["text"].as_str().expect("says why").contains("not known"), "{notice}");
    world.get(&path).by("viewer").header("last-event-id", "a b").send().await.is(400);
    drop((there, again, by_cursor, lost));
    world.close().await;
}
