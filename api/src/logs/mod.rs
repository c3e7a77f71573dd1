//! What an app writes and what happens to it, line by line: what is kept, in pages, and new lines as they come.

mod show;
mod stream;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use skypanel_core::error::FieldError;
use skypanel_core::logs::{LogCursor, LogFilter, LogLevel, LogLine, LogSource, TextMatch, parse_when};
use skypanel_core::{Error, Result};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::http::{Shared, schema};

/// Most lines that can be asked for at once.
const MAX_LINES: usize = 10_000;

/// The routes.
pub(crate) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(show::show_logs)).routes(routes!(stream::stream_logs))
}

/// Which lines.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct WantedLines {
    /// At most this many.
    #[serde(default = "default_lines")]
    #[param(minimum = 0, maximum = 10_000, default = 100)]
    lines: usize,
    /// Not before this time: RFC 3339, or how long ago, such as `90s`, `15m`, `2h`, `1d`, `1w`.
    #[param(example = "2h", max_length = 64)]
    since: Option<String>,
    /// Before this time, likewise.
    #[param(example = "2026-03-01T12:00:00Z", max_length = 64)]
    until: Option<String>,
    /// That hold this text, whatever the case of ASCII letters.
    #[param(max_length = 1_000)]
    text: Option<String>,
    /// That match this regular expression, in the syntax of Rust's `regex`, which takes linear time.
    #[param(max_length = 1_000)]
    regex: Option<String>,
    /// At least this grave. Lines that say nothing of how grave they are do not count as such.
    #[param(value_type = Option<schema::LogLevel>)]
    level: Option<LogLevel>,
    /// From these sources, separated by commas: `app`, `router`, `build`, `release`, `system`.
    #[param(example = "app,system", max_length = 100)]
    source: Option<String>,
    /// Of this process type, such as `web`, or this replica, such as `web.1`.
    #[param(max_length = 100)]
    process: Option<String>,
    /// The `cursor` of a line, or the `next_cursor` of an answer, to go on from.
    #[param(max_length = 128)]
    cursor: Option<String>,
}

fn default_lines() -> usize {
    100
}

impl WantedLines {
    fn filter(&self, now: DateTime<Utc>) -> Result<LogFilter> {
        if self.lines > MAX_LINES {
            return Err(Error::field("lines", format!("Ask for up to {MAX_LINES} lines.")));
        }
        let text = match (&self.text, &self.regex) {
            (Some(_), Some(_)) => return Err(Error::field("regex", "Give either a text or an expression.")),
            (Some(text), None) => Some(TextMatch::text(text)?),
            (None, Some(expression)) => Some(TextMatch::expression(expression)?),
            (None, None) => None,
        };
        let sources = self.source.as_deref().unwrap_or_default().split(',').filter(|source| !source.is_empty());
        let sources: Result<Vec<LogSource>> = sources.map(|source| source.trim().parse()).collect();
        Ok(LogFilter {
            since: time("since", self.since.as_deref(), now)?,
            until: time("until", self.until.as_deref(), now)?,
            sources: sources.map_err(|error| Error::field("source", error.to_string()))?,
            process: self.process.clone().filter(|process| !process.is_empty()),
            level: self.level,
            text,
        })
    }

    fn cursor(&self) -> Result<Option<LogCursor>> {
        let read = self.cursor.as_deref().map(str::parse).transpose();
        read.map_err(|error: Error| Error::field("cursor", error.to_string()))
    }
}

fn time(field: &str, text: Option<&str>, now: DateTime<Utc>) -> Result<Option<DateTime<Utc>>> {
    let problem = |problem| Error::InvalidFields(vec![FieldError { field: field.to_owned(), problem }]);
    text.map(|text| parse_when(text, now)).transpose().map_err(problem)
}

/// A line of an app's log.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct LogItem<'a> {
    /// When it was written.
    at: DateTime<Utc>,
    /// Where it is from.
    #[schema(value_type = schema::LogSource)]
    source: LogSource,
    /// Process and replica, such as `web.1`; the source where it is no process's.
    process: &'a str,
    /// How grave it says that it is, if it says so.
    #[schema(value_type = Option<schema::LogLevel>)]
    level: Option<LogLevel>,
    /// The line as it was written, control characters and colours included. Bytes that are not UTF-8 are replaced by
    /// U+FFFD.
    text: &'a str,
    /// Whether it was too long for one line, and goes on in the next one of this process.
    continues: bool,
    /// Its place, to go on from.
    cursor: &'a str,
    /// The same as `at`.
    timestamp: DateTime<Utc>,
    /// The same as `text`.
    message: &'a str,
}

impl<'a> LogItem<'a> {
    fn of(line: &'a LogLine, text: &'a str) -> Self {
        let record = &line.record;
        Self {
            at: record.at,
            source: record.source,
            process: &record.process,
            level: record.level,
            text,
            continues: record.continues,
            cursor: line.cursor.as_str(),
            timestamp: record.at,
            message: text,
        }
    }
}
