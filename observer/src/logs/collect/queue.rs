//! Takes events and live streams from the queue into the logs of their apps. One agent of all does so at a time.

use std::sync::Arc;
use std::time::Duration;

use chrono::{TimeDelta, Utc};
use skypanel_core::Result;
use skypanel_core::locks::Locks;
use skypanel_core::logs::{LogLevel, LogRecord, LogSource};
use skypanel_core::model::AppId;
use skypanel_core::store::{EventView, QueuedStream, Store};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::Shared;
use super::output;
use super::seen::Seen;

/// The lock that the agent holds which takes from the queue.
const LOCK: &str = "log queue";
/// How often to look when nothing is heard.
const RECHECK: Duration = Duration::from_secs(1);
/// Most events and chunks of a live stream taken at once.
const EVENTS: i64 = 200;
const CHUNKS: i64 = 32;

/// Takes from the queue until cancelled.
pub(super) async fn run(shared: &Shared, store: &Store, cancel: &CancellationToken) {
    let changed = Notify::new();
    tokio::join!(store.hear_of_log_queue(&changed, cancel), drain(shared, store, &changed, cancel));
}

async fn drain(shared: &Shared, store: &Store, changed: &Notify, cancel: &CancellationToken) {
    let locks = Locks::new(store.pool());
    let mut held = None;
    let mut queue = Queue { shared, store, seen: None };
    while !cancel.is_cancelled() {
        if held.is_none() {
            match locks.try_take(LOCK).await {
                Ok(lock) => held = lock,
                Err(error) => tracing::warn!(%error, "what happens to apps is missing in their logs; trying again"),
            }
            // Whoever had it before may have ended in the middle.
            queue.seen = Some(Seen::new(Arc::clone(&shared.sink), Utc::now()));
        }
        if held.is_some()
            && let Some(Err(error)) = cancel.run_until_cancelled(queue.take()).await
        {
            tracing::warn!(%error, "what happens to apps is missing in their logs; trying again");
        }
        let wake = async {
            tokio::select! {
                () = changed.notified(), if held.is_some() => {}
                () = tokio::time::sleep(RECHECK) => {}
            }
        };
        cancel.run_until_cancelled(wake).await;
    }
}

struct Queue<'a> {
    shared: &'a Shared,
    store: &'a Store,
    /// What the agent before may have stored without taking it out.
    seen: Option<Seen>,
}

impl Queue<'_> {
    async fn take(&mut self) -> Result<()> {
        self.take_events().await?;
        let streams = self.store.queued_log_streams().await?;
        for stream in streams {
            self.take_output(stream).await?;
        }
        self.store.drop_foreign_log_streams().await
    }

    async fn take_events(&mut self) -> Result<()> {
        loop {
            let events = self.store.queued_log_events(EVENTS).await?;
            if events.is_empty() {
                return Ok(());
            }
            let ids: Vec<i64> = events.iter().map(|event| event.id).collect();
            for event in events {
                let Some(app) = event.application_id else { continue };
                self.append(app, vec![record_of(&event)]).await?;
            }
            self.store.log_events_written(&ids).await?;
        }
    }

    async fn take_output(&mut self, mut stream: QueuedStream) -> Result<()> {
        loop {
            let chunks = self.store.chunks_from(stream.id, stream.seq, CHUNKS).await?;
            let are_all = chunks.len() < usize::try_from(CHUNKS).unwrap_or(usize::MAX);
            let is_end = are_all && stream.closed;
            let before = stream.clone();
            let records = output::lines(&mut stream, &chunks, is_end);
            // The store is asked about lines of one source.
            for run in records.chunk_by(|one, next| one.source == next.source) {
                self.append(stream.application_id, run.to_vec()).await?;
            }
            if is_end {
                return self.store.log_stream_ended(stream.id).await;
            }
            if stream != before {
                self.store.log_stream_written(&stream).await?;
            }
            if are_all {
                return Ok(());
            }
        }
    }

    async fn append(&mut self, app: AppId, mut records: Vec<LogRecord>) -> Result<()> {
        if let Some(seen) = &mut self.seen {
            if records.first().is_some_and(|record| seen.is_over(record.at)) {
                self.seen = None;
            } else {
                seen.remove_from(app, &mut records).await?;
            }
        }
        if !records.is_empty() {
            self.shared.append(app, records).await;
        }
        Ok(())
    }
}

/// The line of an event.
fn record_of(event: &EventView) -> LogRecord {
    let level = match event.kind.as_str() {
        "failure" | "crash" | "give_up" => LogLevel::Error,
        "health" | "suspend" | "low_balance" => LogLevel::Warn,
        _ => LogLevel::Info,
    };
    let by = event.email.as_ref().map(|email| format!(" by {email}")).unwrap_or_default();
    LogRecord {
        // Those of one transaction have one time; this keeps them in order.
        at: event.created_at + TimeDelta::nanoseconds(event.id.rem_euclid(1_000)),
        source: LogSource::System,
        process: LogSource::System.as_str().to_owned(),
        level: Some(level),
        continues: false,
        text: format!("{}{by}", event.message).into(),
    }
}
