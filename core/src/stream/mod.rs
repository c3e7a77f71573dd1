//! Live streams: the output of a deployment or operation, kept in chunks in Postgres and announced with
//! `NOTIFY`. A follower, in this process or another, reads from the first chunk on and misses nothing. What is kept is
//! fit for any follower's terminal: of what apps and builds write, only the colours get that far.

mod changes;
mod follower;
mod writer;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use sqlx::PgPool;
use sqlx::postgres::PgListener;
use tokio::sync::broadcast;
use tokio::task::JoinHandle;

pub use self::changes::{Change, Changed, Changes};
pub use self::follower::StreamFollower;
pub use self::writer::StreamWriter;
use crate::Result;
use crate::model::{AppId, StreamId};

/// Channel of the announcements; the payload is the stream's id.
pub(crate) const CHANNEL: &str = "skypanel_streams";
/// Longest the database may take for one answer; then the connection is taken for lost.
const ANSWER_LIMIT: Duration = Duration::from_secs(90);
/// Pause after the first failed try; it doubles up to the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// Makes, writes and follows live streams. One per process; cheap to clone.
#[derive(Clone)]
pub struct Streams {
    pool: PgPool,
    announced: broadcast::Sender<StreamId>,
    changed: broadcast::Sender<Change>,
    _listener: Arc<AbortOnDrop>,
}

struct AbortOnDrop(JoinHandle<()>);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// What a follower gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StreamItem {
    /// The next piece of output, with its number.
    Chunk(i64, Bytes),
    /// The end: nothing follows.
    End {
        /// Whether what was followed went well.
        succeeded: bool,
    },
}

impl Streams {
    /// Starts listening for announcements.
    pub async fn connect(pool: PgPool) -> Result<Self> {
        let mut listener = PgListener::connect_with(&pool).await?;
        listener.listen_all([CHANNEL, changes::CHANNEL]).await?;
        let (announced, _) = broadcast::channel(1024);
        let (changed, _) = broadcast::channel(1024);
        let senders = (announced.clone(), changed.clone());
        let task = tokio::spawn(async move {
            let (announced, changed) = senders;
            // No follower at the moment is fine.
            loop {
                match listener.try_recv().await {
                    Ok(Some(notification)) if notification.channel() == changes::CHANNEL => {
                        let change = Change::parse(notification.payload()).unwrap_or(Change::Unknown);
                        let _ = changed.send(change);
                    }
                    Ok(Some(notification)) => {
                        if let Ok(id) = notification.payload().parse() {
                            let _ = announced.send(StreamId(id));
                        }
                    }
                    // Connected again by itself. Followers of streams look for themselves now and then.
                    Ok(None) => {
                        let _ = changed.send(Change::Unknown);
                    }
                    Err(error) => {
                        tracing::warn!(%error, "lost the connection that live streams are announced on; reconnecting");
                        let _ = changed.send(Change::Unknown);
                        tokio::time::sleep(Duration::from_secs(1)).await;
                    }
                }
            }
        });
        Ok(Self { pool, announced, changed, _listener: Arc::new(AbortOnDrop(task)) })
    }

    /// Makes the stream `id` of an app; one that exists already goes on.
    pub async fn create(&self, id: StreamId, app: AppId) -> Result<()> {
        sqlx::query("INSERT INTO paas_streams (id, application_id) VALUES ($1, $2) ON CONFLICT (id) DO NOTHING")
            .bind(id)
            .bind(app)
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// Opens the stream `id` for writing at its end. One writer at a time, which its app's queue ensures.
    pub async fn writer(&self, id: StreamId) -> Result<StreamWriter> {
        let (next,): (i64,) =
            sqlx::query_as("SELECT COALESCE(max(seq), -1) + 1 FROM paas_stream_chunks WHERE stream_id = $1")
                .bind(id)
                .fetch_one(&self.pool)
                .await?;
        Ok(StreamWriter::start(self.pool.clone(), id, next))
    }

    /// What changes from now on, everybody's.
    pub fn changes(&self) -> Changes {
        Changes(self.changed.subscribe())
    }

    /// Follows the stream `id` from its chunk number `from` on.
    pub fn follow(&self, id: StreamId, from: i64) -> StreamFollower {
        StreamFollower::new(self.pool.clone(), self.announced.subscribe(), id, from)
    }
}

/// Waits for the database's answer, but not for ever.
async fn answer<T>(asked: impl Future<Output = sqlx::Result<T>>) -> sqlx::Result<T> {
    tokio::time::timeout(ANSWER_LIMIT, asked)
        .await
        .unwrap_or_else(|_| Err(sqlx::Error::Io(std::io::ErrorKind::TimedOut.into())))
}
