//! Lines as Loki keeps them: a stream for each replica of an app on a node, told apart by the labels `app`, `app_id`,
//! `process`, `replica`, `source` and `node`; and beside each line, as structured metadata, what is not worth a stream of
//! its own.

use std::collections::{BTreeMap, HashMap};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Arc;

use chrono::DateTime;
use serde::Deserialize;
use serde_json::{Value, json};
use skypanel_core::logs::{LogCursor, LogFilter, LogLevel, LogLine, LogRecord, LogSource, TextMatch};
use skypanel_core::model::AppId;
use skypanel_core::{Error, Result};

/// How far behind the line before it a line is kept as if it came right after that, so that whoever goes on from a time
/// misses none. What is further behind is the leap of a clock. In nanoseconds.
const TIE: i64 = 5_000_000_000;

/// Lines to hand over, by the labels of their streams.
#[derive(Debug, Default)]
pub(super) struct Push {
    streams: BTreeMap<BTreeMap<&'static str, String>, Vec<Value>>,
}

impl Push {
    /// Adds a line of an app, whose slug is `slug`, under a time in nanoseconds since 1970.
    pub(super) fn add(&mut self, slug: &str, app: AppId, node: &str, at: i64, record: &LogRecord) {
        let mut labels = BTreeMap::from([
            ("app", slug.to_owned()),
            ("app_id", app.to_string()),
            ("source", record.source.to_string()),
            ("node", node.to_owned()),
        ]);
        let (process, replica) = parts(&record.process);
        labels.insert("process", process.to_owned());
        labels.extend(replica.map(|replica| ("replica", replica.to_owned())));
        let mut metadata = serde_json::Map::new();
        metadata.extend(record.level.map(|level| ("level".to_owned(), level.as_str().into())));
        if record.continues {
            metadata.insert("continues".to_owned(), "true".into());
        }
        let text = String::from_utf8_lossy(&record.text);
        let value =
            if metadata.is_empty() { json!([at.to_string(), text]) } else { json!([at.to_string(), text, metadata]) };
        self.streams.entry(labels).or_default().push(value);
    }

    /// The body of a push, as JSON.
    pub(super) fn body(&self) -> Vec<u8> {
        let stream = |(labels, values): (&BTreeMap<_, _>, &Vec<Value>)| json!({ "stream": labels, "values": values });
        let streams: Vec<Value> = self.streams.iter().map(stream).collect();
        json!({ "streams": streams }).to_string().into_bytes()
    }
}

/// The process type, and the replica where there is one.
fn parts(process: &str) -> (&str, Option<&str>) {
    process.split_once('.').map_or((process, None), |(process, replica)| (process, Some(replica)))
}

/// The time that a line is kept under, given that of the one before it of its app: never quite the same, since Loki takes
/// two equal lines of one time for one, and tells those of one time in any order.
pub(super) fn distinct(at: i64, before: i64) -> i64 {
    if at <= before && before.saturating_sub(at) < TIE { before.saturating_add(1) } else { at }
}

/// The LogQL for the lines of an app that a filter wants, apart from their times.
pub(super) fn query(app: AppId, filter: &LogFilter) -> String {
    let mut labels = vec![format!("app_id=\"{app}\"")];
    if !filter.sources.is_empty() {
        let sources: Vec<&str> = filter.sources.iter().map(|source| source.as_str()).collect();
        labels.push(format!("source=~\"{}\"", sources.join("|")));
    }
    if let Some(process) = &filter.process {
        let (process, replica) = parts(process);
        labels.push(format!("process={}", quoted(process)));
        labels.extend(replica.map(|replica| format!("replica={}", quoted(replica))));
    }
    let mut stages = vec![format!("{{{}}}", labels.join(","))];
    match &filter.text {
        None => {}
        Some(TextMatch::Holds(text)) if text.is_empty() => {}
        Some(TextMatch::Holds(text)) => stages.push(format!("|~ {}", quoted(&format!("(?i){}", regex::escape(text))))),
        Some(TextMatch::Matches(expression)) => stages.push(format!("|~ {}", quoted(expression.as_str()))),
    }
    if let Some(least) = filter.level {
        let levels: Vec<&str> =
            LogLevel::ALL.iter().filter(|level| **level >= least).map(|level| level.as_str()).collect();
        stages.push(format!("| level=~\"{}\"", levels.join("|")));
    }
    stages.join(" ")
}

/// A text in LogQL: the escapes of JSON are among those of Go.
fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

/// A line with its place among all of its app.
#[derive(Clone, Debug)]
pub(super) struct Found {
    pub(super) place: Place,
    pub(super) line: Arc<LogLine>,
}

/// A line's time, and what tells it from others of that time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub(super) at: i64,
    hash: u64,
}

impl Place {
    fn of(at: i64, record: &LogRecord) -> Self {
        let mut hasher = DefaultHasher::new();
        (&record.process, record.source, &record.text).hash(&mut hasher);
        Self { at, hash: hasher.finish() }
    }

    /// Behind all lines of a time.
    pub(super) fn behind(at: i64) -> Self {
        Self { at: at.saturating_add(1), hash: 0 }
    }

    /// Before all lines of a time.
    pub(super) fn before(at: i64) -> Self {
        Self { at: at.saturating_sub(1), hash: u64::MAX }
    }

    pub(super) fn cursor(self) -> LogCursor {
        LogCursor::new(format!("l{}.{:x}", self.at, self.hash))
    }

    /// The place that a cursor stands for.
    pub(super) fn read(cursor: &LogCursor) -> Result<Self> {
        let read = || {
            let (at, hash) = cursor.as_str().strip_prefix('l')?.split_once('.')?;
            Some(Self { at: at.parse().ok()?, hash: u64::from_str_radix(hash, 16).ok()? })
        };
        read().ok_or_else(|| {
            let wrong = "This cursor is none of this log, perhaps of one that was kept elsewhere. Begin without one.";
            Error::Invalid(wrong.to_owned())
        })
    }
}

#[derive(Deserialize)]
struct Answer {
    data: Data,
}

#[derive(Deserialize)]
struct Data {
    result: Vec<Stream>,
}

/// What a tail tells at once.
#[derive(Deserialize)]
struct Tailed {
    #[serde(default)]
    streams: Option<Vec<Stream>>,
    #[serde(default)]
    dropped_entries: Option<Vec<Dropped>>,
}

#[derive(Deserialize)]
struct Dropped {
    timestamp: String,
}

#[derive(Deserialize)]
struct Stream {
    stream: HashMap<String, String>,
    values: Vec<Vec<Value>>,
}

/// The lines of an answer to a query, oldest first.
pub(super) fn read_answer(body: &[u8]) -> Result<Vec<Found>> {
    let answer: Answer = serde_json::from_slice(body).map_err(|error| odd(&error))?;
    Ok(in_order(&answer.data.result))
}

/// The lines of a message of a tail, oldest first, and since what time some were left out, if so.
pub(super) fn read_tailed(message: &[u8]) -> Result<(Vec<Found>, Option<i64>)> {
    let tailed: Tailed = serde_json::from_slice(message).map_err(|error| odd(&error))?;
    let dropped = tailed.dropped_entries.unwrap_or_default();
    let since = dropped.iter().map(|dropped| dropped.timestamp.parse().unwrap_or(i64::MIN)).min();
    Ok((in_order(&tailed.streams.unwrap_or_default()), since))
}

fn odd(error: &serde_json::Error) -> Error {
    Error::Upstream(format!("The Loki answered something that cannot be read: {error}. Is it one?"))
}

fn in_order(streams: &[Stream]) -> Vec<Found> {
    let lines = streams.iter().flat_map(|stream| stream.values.iter().filter_map(|value| found(&stream.stream, value)));
    let mut lines: Vec<Found> = lines.collect();
    lines.sort_by_key(|line| line.place);
    lines
}

fn found(labels: &HashMap<String, String>, value: &[Value]) -> Option<Found> {
    let at: i64 = value.first()?.as_str()?.parse().ok()?;
    let text = value.get(1)?.as_str()?;
    // An older Loki tells what is beside a line with the labels.
    let beside = |name: &str| value.get(2)?.get("structuredMetadata")?.get(name)?.as_str();
    let label = |name: &str| labels.get(name).map(String::as_str).or_else(|| beside(name));
    let process = label("process").unwrap_or_default();
    let record = LogRecord {
        at: DateTime::from_timestamp_nanos(at),
        source: label("source").and_then(|source| source.parse().ok()).unwrap_or(LogSource::App),
        process: label("replica").map_or_else(|| process.to_owned(), |replica| format!("{process}.{replica}")),
        level: label("level").and_then(|level| level.parse().ok()),
        continues: label("continues") == Some("true"),
        text: text.to_owned().into(),
    };
    let place = Place::of(at, &record);
    Some(Found { place, line: Arc::new(LogLine { cursor: place.cursor(), record }) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(process: &str, source: LogSource, level: Option<LogLevel>, text: &[u8]) -> LogRecord {
        LogRecord {
            at: DateTime::from_timestamp_nanos(0),
            source,
            process: process.to_owned(),
            level,
            continues: false,
            text: text.to_vec().into(),
        }
    }

    #[test]
    fn a_push_has_the_documented_form() {
        let app = AppId(uuid::Uuid::nil());
        let mut push = Push::default();
        let mut add = |at, record| push.add("shop", app, "one", at, &record);
        add(5_000_000_000, record("web.1", LogSource::App, Some(LogLevel::Warn), b"one \xff\0"));
        add(5_000_000_001, record("web.1", LogSource::App, None, b"two"));
        add(6, LogRecord { continues: true, ..record("system", LogSource::System, None, b"three") });
        let body: Value = serde_json::from_slice(&push.body()).expect("is JSON");
        let id = app.to_string();
        assert_eq!(
            body,
            json!({ "streams": [
                {
                    "stream": { "app": "shop", "app_id": id, "node": "one", "process": "system", "source": "system" },
                    "values": [["6", "three", { "continues": "true" }]],
                },
                {
                    "stream": {
                        "app": "shop", "app_id": id, "node": "one", "process": "web", "replica": "1", "source": "app",
                    },
                    "values": [["5000000000", "one \u{fffd}\0", { "level": "warn" }], ["5000000001", "two"]],
                },
            ] })
        );
    }

    #[test]
    fn no_two_lines_have_one_time() {
        assert_eq!([distinct(5, i64::MIN), distinct(7, 5), distinct(5, 5), distinct(5, 9)], [5, 7, 6, 10]);
        // A clock that jumps back is no tie.
        assert_eq!([distinct(5, TIE + 5), distinct(i64::MIN, i64::MAX)], [5, i64::MIN]);
        assert_eq!(distinct(i64::MAX, i64::MAX), i64::MAX);
    }

    #[test]
    fn a_filter_is_a_query() {
        let app = AppId(uuid::Uuid::nil());
        let id = "00000000-0000-0000-0000-000000000000";
        assert_eq!(query(app, &LogFilter::default()), format!("{{app_id=\"{id}\"}}"));
        let filter = LogFilter {
            sources: vec![LogSource::App, LogSource::System],
            process: Some("web.1".to_owned()),
            level: Some(LogLevel::Error),
            text: Some(TextMatch::Holds("a\"b\n(c".to_owned())),
            ..LogFilter::default()
        };
        assert_eq!(
            query(app, &filter),
            format!(
                "{{app_id=\"{id}\",source=~\"app|system\",process=\"web\",replica=\"1\"}} \
                 |~ \"(?i)a\\\"b\\n\\\\(c\" | level=~\"error|fatal\""
            )
        );
        let filter = LogFilter { process: Some("w\"} |= `x`".to_owned()), ..LogFilter::default() };
        assert_eq!(query(app, &filter), format!("{{app_id=\"{id}\",process=\"w\\\"}} |= `x`\"}}"));
    }

    #[test]
    fn answers_are_read_in_either_form() {
        let together = json!({ "status": "success", "data": { "resultType": "streams", "result": [
            { "stream": { "process": "web", "replica": "1", "source": "app", "level": "warn", "detected_level": "warn" },
              "values": [["20", "b"], ["10", "a"]] },
            { "stream": { "process": "system", "source": "system" }, "values": [["15", "c"]] },
        ] } });
        let lines = read_answer(together.to_string().as_bytes()).expect("is read");
        let texts: Vec<&[u8]> = lines.iter().map(|line| line.line.record.text.as_ref()).collect();
        assert_eq!(texts, [b"a", b"c", b"b"]);
        assert_eq!((&lines[0].line.record.process[..], lines[0].line.record.level), ("web.1", Some(LogLevel::Warn)));
        assert_eq!((&lines[1].line.record.process[..], lines[1].line.record.source), ("system", LogSource::System));
        let apart = json!({ "streams": [{ "stream": { "process": "web" }, "values": [
            ["20", "b", { "structuredMetadata": { "level": "error", "continues": "true" } }]
        ] }], "dropped_entries": null });
        let (lines, dropped) = read_tailed(apart.to_string().as_bytes()).expect("is read");
        assert_eq!((lines[0].line.record.level, lines[0].line.record.continues), (Some(LogLevel::Error), true));
        assert_eq!(dropped, None);
        let dropped = [7, 5].map(|at| json!({ "labels": {}, "timestamp": at.to_string() }));
        let (lines, dropped) =
            read_tailed(json!({ "dropped_entries": dropped }).to_string().as_bytes()).expect("is read");
        assert_eq!((lines.len(), dropped), (0, Some(5)));
        assert!(read_answer(b"<html>").is_err());
    }

    #[test]
    fn cursors_are_places() {
        let place = Place::of(7, &record("web.1", LogSource::App, None, b"a"));
        assert_eq!(Place::read(&place.cursor()).expect("is one"), place);
        for wrong in ["17", "l17", "lx.y", "t17"] {
            assert!(Place::read(&LogCursor::new(wrong.to_owned())).is_err(), "{wrong}");
        }
    }
}
