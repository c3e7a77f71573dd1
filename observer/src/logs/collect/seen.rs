//! Which of the lines that are read again after a restart are in the store already: those between the last position
//! that was written down and the end of the process before.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use skypanel_core::Result;
use skypanel_core::logs::{LogDirection, LogFilter, LogPageQuery, LogRecord, LogSource};
use skypanel_core::model::AppId;

use super::sink::LogSink;

/// Outputs of one process are read in the order they were stored, which need not be that of their times.
const DISORDER: TimeDelta = TimeDelta::seconds(2);
/// Lines read at once.
const PAGE: usize = 5_000;
/// Longest the store may take for a page.
const LIMIT: Duration = Duration::from_secs(30);

/// Lines of the store, one app and process at a time, each taken out when it is met again.
pub(super) struct Seen {
    logs: Arc<dyn LogSink>,
    /// When this process began to read: later lines cannot have been read by the one before.
    began: DateTime<Utc>,
    known: HashMap<(AppId, LogSource, String), HashMap<u64, u32>>,
}

impl Seen {
    pub(super) fn new(logs: Arc<dyn LogSink>, began: DateTime<Utc>) -> Self {
        Self { logs, began, known: HashMap::new() }
    }

    /// Removes from an app's lines, in the order of reading, those that the store has.
    pub(super) async fn remove_from(&mut self, app: AppId, records: &mut Vec<LogRecord>) -> Result<()> {
        let Some(first) = records.first() else { return Ok(()) };
        let key = (app, first.source, first.process.clone());
        if !self.known.contains_key(&key) {
            let since = records.iter().map(|record| record.at).min().unwrap_or(first.at) - DISORDER;
            let stored = self.stored(&key, since).await?;
            self.known.insert(key.clone(), stored);
        }
        let Some(known) = self.known.get_mut(&key) else { return Ok(()) };
        records.retain(|record| match known.get_mut(&digest(record)) {
            Some(count) if *count > 0 => {
                *count -= 1;
                false
            }
            _ => true,
        });
        Ok(())
    }

    /// Whether lines from this time on cannot be known any more.
    pub(super) fn is_over(&self, at: DateTime<Utc>) -> bool {
        at > self.began + DISORDER
    }

    async fn stored(
        &self,
        (app, source, process): &(AppId, LogSource, String),
        since: DateTime<Utc>,
    ) -> Result<HashMap<u64, u32>> {
        let mut stored = HashMap::new();
        let filter = LogFilter {
            since: Some(since),
            sources: vec![*source],
            process: Some(process.clone()),
            ..LogFilter::default()
        };
        let mut cursor = None;
        loop {
            let query = LogPageQuery { filter: filter.clone(), direction: LogDirection::Forward, cursor, lines: PAGE };
            let page = tokio::time::timeout(LIMIT, self.logs.page(*app, query))
                .await
                .map_err(|_| skypanel_core::Error::System("The log store did not answer in time.".to_owned()))??;
            for line in &page.lines {
                *stored.entry(digest(&line.record)).or_insert(0) += 1;
            }
            cursor = page.next;
            if cursor.is_none() {
                return Ok(stored);
            }
        }
    }
}

fn digest(record: &LogRecord) -> u64 {
    let mut hasher = DefaultHasher::new();
    record.at.timestamp_nanos_opt().hash(&mut hasher);
    record.text.hash(&mut hasher);
    hasher.finish()
}
