//! The reading side of a live stream.

use std::time::Duration;

use sqlx::PgPool;
use tokio::sync::broadcast;
use tokio::time::Instant;

use super::{FIRST_PAUSE, LONGEST_PAUSE, StreamItem, answer};
use crate::model::StreamId;
use crate::{Error, Result};

/// Most chunks a follower reads at once.
const READ_BATCH: i64 = 64;
/// A follower looks this often even when nothing is announced: an announcement may be lost with its connection.
const RECHECK: Duration = Duration::from_secs(2);
/// Longest the database may be away before a follower gives up. The writer does not, so that whoever follows
/// again finds everything.
const AWAY_LIMIT: Duration = Duration::from_mins(5);

/// Reads one live stream from a given chunk to its end.
pub struct StreamFollower {
    pool: PgPool,
    announced: broadcast::Receiver<StreamId>,
    id: StreamId,
    next: i64,
    ready: std::vec::IntoIter<(i64, Vec<u8>)>,
    ended: bool,
    /// Since when the database has been away, and the pause before the next try.
    away: Option<(Instant, Duration)>,
}

/// What a look into the database found.
enum Found {
    Chunks(Vec<(i64, Vec<u8>)>),
    End { succeeded: bool },
    NothingYet,
    NoStream,
}

impl StreamFollower {
    pub(super) fn new(pool: PgPool, announced: broadcast::Receiver<StreamId>, id: StreamId, from: i64) -> Self {
        Self { pool, announced, id, next: from, ready: Vec::new().into_iter(), ended: false, away: None }
    }

    /// The next item; none after [`StreamItem::End`]. Safe to drop and call again (no item is lost). A database
    /// that is away is waited for; after five minutes that is an error.
    pub async fn next(&mut self) -> Result<Option<StreamItem>> {
        loop {
            if let Some((seq, data)) = self.ready.next() {
                self.next = seq + 1;
                return Ok(Some(StreamItem::Chunk(seq, data.into())));
            }
            if self.ended {
                return Ok(None);
            }
            let found = match answer(self.look()).await {
                Ok(found) => found,
                Err(error) => {
                    self.bear(error).await?;
                    continue;
                }
            };
            self.away = None;
            match found {
                Found::Chunks(chunks) => self.ready = chunks.into_iter(),
                Found::End { succeeded } => {
                    self.ended = true;
                    return Ok(Some(StreamItem::End { succeeded }));
                }
                Found::NothingYet => self.wait().await,
                Found::NoStream => return Err(Error::NotFound("This output is not kept any more.".to_owned())),
            }
        }
    }

    async fn look(&self) -> sqlx::Result<Found> {
        // First whether it is closed, then the chunks: so none that came before the end is missed.
        let state: Option<(Option<bool>,)> = sqlx::query_as("SELECT succeeded FROM paas_streams WHERE id = $1")
            .bind(self.id)
            .fetch_optional(&self.pool)
            .await?;
        let Some((closed,)) = state else { return Ok(Found::NoStream) };
        let chunks: Vec<(i64, Vec<u8>)> = sqlx::query_as(
            "SELECT seq, data FROM paas_stream_chunks WHERE stream_id = $1 AND seq >= $2 ORDER BY seq LIMIT $3",
        )
        .bind(self.id)
        .bind(self.next)
        .bind(READ_BATCH)
        .fetch_all(&self.pool)
        .await?;
        Ok(match closed {
            _ if !chunks.is_empty() => Found::Chunks(chunks),
            Some(succeeded) => Found::End { succeeded },
            None => Found::NothingYet,
        })
    }

    /// Waits a while after a failure, unless there have been failures for too long.
    async fn bear(&mut self, error: sqlx::Error) -> Result<()> {
        let (since, pause) = self.away.unwrap_or((Instant::now(), FIRST_PAUSE));
        // A closed pool is Skypanel's end.
        if since.elapsed() > AWAY_LIMIT || matches!(error, sqlx::Error::PoolClosed) {
            return Err(error.into());
        }
        if self.away.is_none() {
            tracing::warn!(%error, stream = %self.id, "a live stream cannot be read; trying again");
        }
        self.away = Some((since, (pause * 2).min(LONGEST_PAUSE)));
        tokio::time::sleep(pause).await;
        Ok(())
    }

    async fn wait(&mut self) {
        let announced = async {
            loop {
                match self.announced.recv().await {
                    Ok(id) if id == self.id => return,
                    // Another stream's.
                    Ok(_) => {}
                    // Missed some: one may have been ours.
                    Err(broadcast::error::RecvError::Lagged(_)) => return,
                    Err(broadcast::error::RecvError::Closed) => std::future::pending().await,
                }
            }
        };
        let _ = tokio::time::timeout(RECHECK, announced).await;
    }
}
