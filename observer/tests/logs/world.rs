//! A store in a directory of its own, and lines to put there.

use std::path::{Path, PathBuf};
use std::time::Duration;

use chrono::{DateTime, Utc};
use skypanel_core::clock::Clock;
use skypanel_core::logs::{LogDirection, LogFilter, LogLine, LogPage, LogPageQuery, LogRecord, LogSource, Logs as _};
use skypanel_core::model::AppId;
use skypanel_observer::logs::{EmbeddedLogs, LogLimits, LogStoreOptions};
use tempfile::TempDir;

/// Time after which whatever was written is sealed.
pub(crate) const AGE: Duration = Duration::from_secs(6 * 3_600 + 1);

pub(crate) struct World {
    pub(crate) root: TempDir,
    pub(crate) clock: Clock,
    pub(crate) limits: LogLimits,
    pub(crate) app: AppId,
    /// None while the writer is gone.
    pub(crate) writer: Option<EmbeddedLogs>,
}

impl World {
    pub(crate) fn new() -> Self {
        Self::with_limits(LogLimits::default())
    }

    pub(crate) fn with_limits(limits: LogLimits) -> Self {
        let mut world = Self {
            root: tempfile::tempdir().expect("a directory"),
            clock: Clock::standing_at(at(0)),
            limits,
            app: AppId::new(),
            writer: None,
        };
        world.open();
        world
    }

    pub(crate) fn open(&mut self) {
        self.writer = None;
        let options = LogStoreOptions { clock: self.clock.clone(), limits: self.limits };
        self.writer = Some(EmbeddedLogs::open(self.root.path(), options).expect("opens"));
    }

    pub(crate) fn logs(&self) -> &EmbeddedLogs {
        self.writer.as_ref().expect("a writer")
    }

    /// As another process sees it.
    pub(crate) fn reader(&self) -> EmbeddedLogs {
        EmbeddedLogs::reader(self.root.path())
    }

    pub(crate) fn append(&self, records: &[LogRecord]) {
        self.logs().append_now(self.app, records).expect("appends");
    }

    /// Seals all that was written.
    pub(crate) fn seal(&self) {
        self.clock.advance(AGE);
        self.logs().look_through().expect("seals");
    }

    pub(crate) fn directory(&self) -> PathBuf {
        self.root.path().join(self.app.to_string())
    }

    /// The files of the app with this ending, oldest first.
    pub(crate) fn files(&self, ending: &str) -> Vec<PathBuf> {
        files(&self.directory(), ending)
    }

    /// Every line, page by page.
    pub(crate) async fn all(&self) -> Vec<LogLine> {
        all(&self.reader(), self.app, &LogFilter::default(), LogDirection::Forward, 1_000).await
    }
}

pub(crate) fn files(directory: &Path, ending: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(directory).into_iter().flatten();
    let mut files: Vec<PathBuf> = entries
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|found| found == ending))
        .collect();
    files.sort();
    files
}

/// Every line that a filter wants, oldest first, read in pages from one end or the other.
pub(crate) async fn all(
    logs: &EmbeddedLogs,
    app: AppId,
    filter: &LogFilter,
    direction: LogDirection,
    lines: usize,
) -> Vec<LogLine> {
    let mut pages: Vec<Vec<LogLine>> = Vec::new();
    let mut cursor = None;
    loop {
        let query = LogPageQuery { filter: filter.clone(), direction, cursor, lines };
        let LogPage { lines, next, .. } = logs.page(app, query).await.expect("a page");
        pages.push(lines);
        cursor = next;
        if cursor.is_none() {
            break;
        }
    }
    if direction == LogDirection::Backward {
        pages.reverse();
    }
    pages.concat()
}

pub(crate) fn records(lines: &[LogLine]) -> Vec<LogRecord> {
    lines.iter().map(|line| line.record.clone()).collect()
}

pub(crate) fn texts(lines: &[LogLine]) -> Vec<String> {
    lines.iter().map(|line| String::from_utf8_lossy(&line.record.text).into_owned()).collect()
}

/// Microseconds after the beginning of the test's time.
pub(crate) fn at(micros: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_micros(1_772_366_400_000_000 + micros).expect("a time")
}

/// A line of `web.1` at a number of microseconds.
pub(crate) fn record(micros: i64, text: &str) -> LogRecord {
    LogRecord {
        at: at(micros),
        source: LogSource::App,
        process: "web.1".to_owned(),
        level: None,
        continues: false,
        text: text.to_owned().into(),
    }
}

/// Numbered lines.
pub(crate) fn numbered(numbers: std::ops::Range<i64>) -> Vec<LogRecord> {
    numbers.map(|number| record(number, &format!("line {number}"))).collect()
}
