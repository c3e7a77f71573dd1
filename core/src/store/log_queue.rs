//! What waits to become lines of apps' logs: events, and the live streams of deployments. The agent's collector takes it.

use chrono::{DateTime, Utc};
use sqlx::postgres::PgListener;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::Store;
use super::events::{EventView, VIEW};
use crate::Result;
use crate::model::{AppId, StreamId};
use crate::stream;

/// Channel on which the database tells of new events.
const CHANNEL: &str = "skypanel_logs";
/// Pause before a lost connection is made anew.
const PAUSE: std::time::Duration = std::time::Duration::from_secs(1);

/// A deployment's live stream that is not all in its app's log yet.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct QueuedStream {
    /// Which stream.
    #[sqlx(rename = "stream_id")]
    pub id: StreamId,
    /// The app.
    pub application_id: AppId,
    /// The chunk with the first byte that is not in the log.
    pub seq: i64,
    /// Where in that chunk it is.
    pub bytes: i32,
    /// Whether it is of the release process.
    pub in_release: bool,
    /// Whether nothing more will come.
    pub closed: bool,
}

/// A piece of a live stream.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct StoredChunk {
    /// Its number.
    pub seq: i64,
    /// What it holds.
    pub data: Vec<u8>,
    /// When it was stored.
    pub created_at: DateTime<Utc>,
}

impl Store {
    /// The oldest events of apps that are not in their logs yet.
    pub async fn queued_log_events(&self, rows: i64) -> Result<Vec<EventView>> {
        let sql = format!(
            "{VIEW} WHERE event.application_id IS NOT NULL AND event.id IN (SELECT event_id FROM paas_log_events ORDER BY event_id LIMIT $1)
             ORDER BY event.id"
        );
        Ok(sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(rows).fetch_all(self.pool()).await?)
    }

    /// These events are in the logs.
    pub async fn log_events_written(&self, events: &[i64]) -> Result<()> {
        sqlx::query("DELETE FROM paas_log_events WHERE event_id = ANY ($1)").bind(events).execute(self.pool()).await?;
        Ok(())
    }

    /// All live streams of deployments that are not all in the logs yet.
    pub async fn queued_log_streams(&self) -> Result<Vec<QueuedStream>> {
        let sql = "SELECT queued.stream_id, stream.application_id, queued.seq, queued.bytes, queued.in_release,
                 stream.closed_at IS NOT NULL AS closed
             FROM paas_log_streams AS queued JOIN paas_streams AS stream ON stream.id = queued.stream_id
             WHERE EXISTS (SELECT FROM paas_deployments WHERE id = queued.stream_id)
             ORDER BY stream.created_at, stream.id";
        Ok(sqlx::query_as(sql).fetch_all(self.pool()).await?)
    }

    /// Chunks of a live stream from one on.
    pub async fn chunks_from(&self, stream: StreamId, seq: i64, rows: i64) -> Result<Vec<StoredChunk>> {
        let sql = "SELECT seq, data, created_at FROM paas_stream_chunks WHERE stream_id = $1 AND seq >= $2
             ORDER BY seq LIMIT $3";
        Ok(sqlx::query_as(sql).bind(stream).bind(seq).bind(rows).fetch_all(self.pool()).await?)
    }

    /// A live stream is in the log up to there.
    pub async fn log_stream_written(&self, stream: &QueuedStream) -> Result<()> {
        sqlx::query("UPDATE paas_log_streams SET seq = $2, bytes = $3, in_release = $4 WHERE stream_id = $1")
            .bind(stream.id)
            .bind(stream.seq)
            .bind(stream.bytes)
            .bind(stream.in_release)
            .execute(self.pool())
            .await?;
        Ok(())
    }

    /// All of a live stream is in the log.
    pub async fn log_stream_ended(&self, stream: StreamId) -> Result<()> {
        sqlx::query("DELETE FROM paas_log_streams WHERE stream_id = $1").bind(stream).execute(self.pool()).await?;
        Ok(())
    }

    /// Drops from the queue what has ended and is no deployment's.
    pub async fn drop_foreign_log_streams(&self) -> Result<()> {
        sqlx::query(
            "DELETE FROM paas_log_streams AS queued USING paas_streams AS stream
             WHERE stream.id = queued.stream_id AND stream.closed_at IS NOT NULL
               AND NOT EXISTS (SELECT FROM paas_deployments WHERE id = queued.stream_id)",
        )
        .execute(self.pool())
        .await?;
        Ok(())
    }

    /// Wakes who waits at `changed` when something may have been queued, until `cancel`.
    pub async fn hear_of_log_queue(&self, changed: &Notify, cancel: &CancellationToken) {
        let hear = async || -> Result<()> {
            let mut listener = PgListener::connect_with(self.pool()).await?;
            listener.eager_reconnect(false);
            listener.listen_all([CHANNEL, stream::CHANNEL]).await?;
            changed.notify_one();
            while listener.try_recv().await?.is_some() {
                changed.notify_one();
            }
            Ok(())
        };
        while let Some(lost) = cancel.run_until_cancelled(hear()).await {
            match lost {
                Ok(()) => tracing::warn!("lost the connection that events are told on; reconnecting"),
                Err(error) => tracing::warn!(%error, "events cannot be heard of; trying again"),
            }
            let _ = cancel.run_until_cancelled(tokio::time::sleep(PAUSE)).await;
        }
    }
}
