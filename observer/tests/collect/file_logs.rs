//! A store for these tests: a file for each app that lines are appended to. What was appended outlives a kill.

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use futures_util::stream::BoxStream;
use serde_json::{Value, json};
use skypanel_core::logs::{
    LogCursor, LogDirection, LogFilter, LogItem, LogLine, LogPage, LogPageQuery, LogRecord, LogStart, Logs,
};
use skypanel_core::model::AppId;
use skypanel_core::{Error, Result};
use skypanel_observer::logs::collect::LogSink;

#[derive(Clone, Debug)]
pub(crate) struct FileLogs(PathBuf);

impl FileLogs {
    pub(crate) fn at(directory: &Path) -> Self {
        std::fs::create_dir_all(directory).expect("makes a directory");
        Self(directory.to_owned())
    }

    fn path(&self, app: AppId) -> PathBuf {
        self.0.join(app.to_string())
    }

    /// All lines of an app in the order they were stored.
    pub(crate) fn records(&self, app: AppId) -> Vec<LogRecord> {
        whole_lines(&self.text(app)).map(from_json).collect()
    }

    /// How many lines there are of an app.
    pub(crate) fn count(&self, app: AppId) -> usize {
        whole_lines(&self.text(app)).count()
    }

    fn text(&self, app: AppId) -> String {
        std::fs::read_to_string(self.path(app)).unwrap_or_default()
    }
}

/// The last line may be half-written.
fn whole_lines(text: &str) -> impl Iterator<Item = &str> {
    text.split_inclusive('\n').filter(|line| line.ends_with('\n'))
}

fn to_json(record: &LogRecord) -> Value {
    json!([
        record.at.timestamp_nanos_opt(),
        record.source.as_str(),
        record.process,
        record.level.map(skypanel_core::logs::LogLevel::as_str),
        record.continues,
        record.text.as_ref(),
    ])
}

fn from_json(line: &str) -> LogRecord {
    type Row = (i64, String, String, Option<String>, bool, Vec<u8>);
    let (at, source, process, level, continues, text): Row = serde_json::from_str(line).expect("is a record");
    LogRecord {
        at: chrono::DateTime::from_timestamp_nanos(at),
        source: source.parse().expect("is one"),
        process,
        level: level.map(|level| level.parse().expect("is one")),
        continues,
        text: text.into(),
    }
}

fn fits(filter: &LogFilter, record: &LogRecord) -> bool {
    filter.since.is_none_or(|since| record.at >= since)
        && (filter.sources.is_empty() || filter.sources.contains(&record.source))
        && filter.process.as_ref().is_none_or(|process| *process == record.process)
}

#[async_trait]
impl Logs for FileLogs {
    async fn page(&self, app: AppId, query: LogPageQuery) -> Result<LogPage> {
        assert_eq!(query.direction, LogDirection::Forward);
        let mut place: usize = query.cursor.map_or(0, |cursor| cursor.as_str().parse().expect("is a number"));
        let text = self.text(app);
        let mut page = LogPage::default();
        for line in whole_lines(&text[place..]) {
            place += line.len();
            let record = from_json(line);
            if !fits(&query.filter, &record) {
                continue;
            }
            let cursor = LogCursor::new(place.to_string());
            page.lines.push(LogLine { cursor: cursor.clone(), record });
            if page.lines.len() == query.lines {
                page.next = Some(cursor);
                break;
            }
        }
        Ok(page)
    }

    async fn follow(&self, _: AppId, _: LogFilter, _: LogStart) -> Result<BoxStream<'static, Result<LogItem>>> {
        Err(Error::System("is not followed".to_owned()))
    }
}

#[async_trait]
impl LogSink for FileLogs {
    async fn append(&self, app: AppId, records: Vec<LogRecord>) -> Result<()> {
        let text: String = records.iter().map(|record| format!("{}\n", to_json(record))).collect();
        let file = File::options().create(true).append(true).open(self.path(app));
        let written = file.and_then(|mut file| file.write_all(text.as_bytes()));
        written.map_err(|error| Error::System(error.to_string()))
    }

    async fn apps(&self) -> Result<Vec<AppId>> {
        let entries = std::fs::read_dir(&self.0).expect("reads");
        Ok(entries
            .map(|entry| AppId(entry.expect("reads").file_name().to_string_lossy().parse().expect("an id")))
            .collect())
    }

    async fn remove(&self, app: AppId) -> Result<()> {
        std::fs::remove_file(self.path(app)).map_err(|error| Error::System(error.to_string()))
    }
}
