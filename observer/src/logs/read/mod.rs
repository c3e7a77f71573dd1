//! Reading the embedded store: pages of what is kept, and following what comes. Works on the files alone, so it is the
//! same in the process that writes and in any other.

mod ahead;
mod follow;
mod hub;
mod matcher;
mod page;
mod snapshot;
mod tail;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::stream::BoxStream;
use skypanel_core::logs::{LogCursor, LogFilter, LogItem, LogLine, LogPage, LogPageQuery, LogRecord, LogStart, Logs};
use skypanel_core::model::AppId;
use skypanel_core::{Error, Result};

pub(super) use hub::Hubs;
use matcher::Matcher;
use page::Wanted;

use super::store::{EmbeddedLogs, Frame, of_app};

/// Longest a page is searched for; what was found by then is answered, with the place to go on from.
const SEARCH_LIMIT: Duration = Duration::from_secs(5);
/// Longest until a page is there, the disk included.
const PAGE_LIMIT: Duration = Duration::from_secs(30);
/// Most lines of a page, whatever was asked for.
const MAX_LINES: usize = 10_000;

#[async_trait]
impl Logs for EmbeddedLogs {
    async fn page(&self, app: AppId, query: LogPageQuery) -> Result<LogPage> {
        let wanted = Wanted {
            matcher: Matcher::new(query.filter),
            direction: query.direction,
            place: query.cursor.as_ref().map(place).transpose()?,
            lines: query.lines.min(MAX_LINES),
            limit: SEARCH_LIMIT,
        };
        Ok(self.read(app, wanted).await?.into_page())
    }

    async fn follow(
        &self,
        app: AppId,
        filter: LogFilter,
        start: LogStart,
    ) -> Result<BoxStream<'static, Result<LogItem>>> {
        follow::follow(self.clone(), app, filter, start).await
    }
}

impl EmbeddedLogs {
    /// Reads a page where waiting for the disk holds up nobody. Ends soon when the future is dropped.
    async fn read(&self, app: AppId, wanted: Wanted) -> Result<page::Read> {
        let directory = of_app(self.root(), app);
        let stop = StopOnDrop(Arc::default());
        let stopped = stop.0.clone();
        let reading = tokio::task::spawn_blocking(move || page::read(&directory, &wanted, &stopped));
        let read = tokio::time::timeout(PAGE_LIMIT, reading).await.map_err(|_| {
            Error::System("The disk that the logs are on does not answer. Try again in a minute.".to_owned())
        })?;
        let read = read.map_err(|error| Error::System(format!("Reading the logs broke down: {error}.")))?;
        read.map_err(|error| Error::System(format!("The logs cannot be read: {error}. Try again in a minute.")))
    }
}

/// Tells a reading thread that nobody waits for it any more.
struct StopOnDrop(Arc<AtomicBool>);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// The number that a cursor of this store stands for.
fn place(cursor: &LogCursor) -> Result<u64> {
    cursor.as_str().parse().map_err(|_| {
        Error::Invalid(
            "This cursor is none of this log, perhaps of one that was kept elsewhere. Begin without one.".to_owned(),
        )
    })
}

/// The cursor of a number.
fn cursor(seq: u64) -> LogCursor {
    LogCursor::new(seq.to_string())
}

/// A line as readers get it.
fn line(frame: &Frame<'_>) -> LogLine {
    LogLine {
        cursor: cursor(frame.seq),
        record: LogRecord {
            at: chrono::DateTime::from_timestamp_nanos(frame.at),
            source: frame.source,
            process: frame.process.to_owned(),
            level: frame.level,
            continues: frame.continues,
            text: bytes::Bytes::copy_from_slice(frame.text),
        },
    }
}
