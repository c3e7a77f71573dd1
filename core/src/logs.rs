//! What runs and what is done to it, line by line: the words for it that all parts share, and the way readers get at
//! it. Collected and kept by the observer, whose implementation of [`Logs`] is handed in, so that transports know no
//! store.

mod filter;

use std::str::FromStr;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures_util::stream::BoxStream;

use crate::model::AppId;
use crate::{Error, Result};

pub use filter::parse_when;

/// The step of a deployment's live stream behind which the output of its release process stands.
pub const RELEASE_STEP: &str = "Running the release command";

text_enum! {
    /// Where a line is from.
    LogSource {
        /// Standard output and error of the app's processes.
        App = "app",
        /// The edge: one line a request.
        Router = "router",
        /// Builds.
        Build = "build",
        /// Release processes.
        Release = "release",
        /// What the platform does to the app.
        System = "system",
    }
}

text_enum! {
    /// How grave a line is, in order.
    LogLevel {
        /// Every step.
        Trace = "trace",
        /// For who looks for a fault.
        Debug = "debug",
        /// As it should be.
        Info = "info",
        /// Worth a look.
        Warn = "warn",
        /// Something failed.
        Error = "error",
        /// The process cannot go on.
        Fatal = "fatal",
    }
}

/// A line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogRecord {
    /// When it was written, to the nanosecond where that is known.
    pub at: DateTime<Utc>,
    /// Where it is from.
    pub source: LogSource,
    /// Process and replica, such as `web.1`; for lines that are no process's, the name of the source.
    pub process: String,
    /// How grave it says that it is, if it says so.
    pub level: Option<LogLevel>,
    /// Whether it goes on in the next record of the same process: it was too long for one.
    pub continues: bool,
    /// The line without its end, as it was written: hostile until shown to be otherwise.
    pub text: Bytes,
}

impl LogRecord {
    /// The platform's own word in an app's log.
    pub fn system(at: DateTime<Utc>, level: LogLevel, text: String) -> Self {
        Self {
            at,
            source: LogSource::System,
            process: LogSource::System.as_str().to_owned(),
            level: Some(level),
            continues: false,
            text: text.into(),
        }
    }
}

/// The place of a line in its app's log. Only the store that made it can read it; to all others it is a word.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct LogCursor(String);

impl LogCursor {
    /// The cursor of this word.
    pub fn new(word: String) -> Self {
        Self(word)
    }

    /// Its word.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for LogCursor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for LogCursor {
    type Err = Error;

    /// Any short word of letters, digits, dots, dashes and underscores; whether it is a place is for its store to say.
    fn from_str(word: &str) -> Result<Self> {
        let fits = (1..=128).contains(&word.len())
            && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_'));
        if fits {
            Ok(Self(word.to_owned()))
        } else {
            Err(Error::Invalid("This cursor is none of an earlier answer. Begin without one.".to_owned()))
        }
    }
}

/// A line that is kept, and its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLine {
    /// Its place: reading goes on behind it, or before it.
    pub cursor: LogCursor,
    /// The line.
    pub record: LogRecord,
}

/// Which lines of an app; all that is given must hold.
#[derive(Clone, Debug, Default)]
pub struct LogFilter {
    /// Not before this time.
    pub since: Option<DateTime<Utc>>,
    /// Before this time.
    pub until: Option<DateTime<Utc>>,
    /// Of these sources; of all when empty.
    pub sources: Vec<LogSource>,
    /// Of this process type (`web`) or this replica (`web.1`).
    pub process: Option<String>,
    /// At least this grave; lines that say nothing about it are not.
    pub level: Option<LogLevel>,
    /// That hold this text, capitals or not, or match this expression.
    pub text: Option<TextMatch>,
}

/// What a line's text must be like.
#[derive(Clone, Debug)]
pub enum TextMatch {
    /// Hold this, whatever the case of ASCII letters.
    Holds(String),
    /// Match this expression.
    Matches(regex::bytes::Regex),
}

/// From which end a page is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogDirection {
    /// The oldest of those behind the cursor.
    Forward,
    /// The newest of those before the cursor.
    Backward,
}

/// Which page of an app's log.
#[derive(Clone, Debug)]
pub struct LogPageQuery {
    /// Which lines.
    pub filter: LogFilter,
    /// From which end.
    pub direction: LogDirection,
    /// A line's place, or where the page before this one ended; none for the oldest, or newest, there are.
    pub cursor: Option<LogCursor>,
    /// At most this many lines.
    pub lines: usize,
}

/// A page of an app's log.
#[derive(Clone, Debug, Default)]
pub struct LogPage {
    /// Its lines, oldest first whatever the direction.
    pub lines: Vec<LogLine>,
    /// Where the next page in the same direction begins; none where there is none. There can be one although there are
    /// fewer lines than were asked for: a search ends its page after a while.
    pub next: Option<LogCursor>,
    /// What the reader should know about it, such as that it comes from another place than usual.
    pub notice: Option<String>,
}

/// Where following begins.
#[derive(Clone, Debug)]
pub enum LogStart {
    /// With this many of the newest lines.
    Newest(usize),
    /// Behind this place.
    Behind(LogCursor),
}

/// What a follower gets.
#[derive(Clone, Debug)]
pub enum LogItem {
    /// The next line; all followers of an app share it.
    Line(Arc<LogLine>),
    /// Something that the reader should know, such as that the store does not answer.
    Notice(String),
}

/// The logs of apps, as readers see them.
#[async_trait]
pub trait Logs: Send + Sync + 'static {
    /// A page of an app's log. An app of which nothing is kept has an empty one.
    async fn page(&self, app: AppId, query: LogPageQuery) -> Result<LogPage>;

    /// An app's log from `start` on, live, without a gap and without a line twice. Ends when it cannot go on.
    async fn follow(
        &self,
        app: AppId,
        filter: LogFilter,
        start: LogStart,
    ) -> Result<BoxStream<'static, Result<LogItem>>>;
}

/// In place of a store, for processes that have none: nothing is kept.
#[derive(Clone, Copy, Debug)]
pub struct NoLogs;

#[async_trait]
impl Logs for NoLogs {
    async fn page(&self, _app: AppId, _query: LogPageQuery) -> Result<LogPage> {
        Err(absent())
    }

    async fn follow(
        &self,
        _app: AppId,
        _filter: LogFilter,
        _start: LogStart,
    ) -> Result<BoxStream<'static, Result<LogItem>>> {
        Err(absent())
    }
}

fn absent() -> Error {
    Error::Upstream("No logs are kept here.".to_owned())
}
