//! Live streams: the output of a deployment or operation, kept in chunks in Postgres and announced with
//! `NOTIFY`. A follower, in this process or another, reads from the first chunk on and misses nothing.

use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use sqlx::PgPool;
use sqlx::postgres::PgListener;
use tokio::sync::{broadcast, mpsc};
use tokio::task::JoinHandle;

use crate::model::{AppId, StreamId};
use crate::{Error, Result};

/// Channel of the announcements; the payload is the stream's id.
const CHANNEL: &str = "skypanel_streams";
/// Most bytes in one chunk.
const MAX_CHUNK: usize = 64 * 1024;
/// Most chunks a follower reads at once.
const READ_BATCH: i64 = 64;
/// A follower looks this often even when nothing is announced: an announcement may be lost with its connection.
const RECHECK: Duration = Duration::from_secs(2);
/// Most bytes a stream keeps; what is over is dropped with a word to the reader.
const MAX_STREAM_BYTES: usize = 32 * 1024 * 1024;

/// Makes, writes and follows live streams. One per process; cheap to clone.
#[derive(Clone)]
pub struct Streams {
    pool: PgPool,
    announced: broadcast::Sender<StreamId>,
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
        listener.listen(CHANNEL).await?;
        let (announced, _) = broadcast::channel(1024);
        let sender = announced.clone();
        let task = tokio::spawn(async move {
            loop {
                match listener.recv().await {
                    Ok(notification) => {
                        if let Ok(id) = notification.payload().parse() {
                            // No follower at the moment is fine.
                            let _ = sender.send(StreamId(id));
                        }
                    }
                    Err(error) => {
                        tracing::warn!(%error, "lost the connection that live streams are announced on; reconnecting");
                        tokio::time::sleep(Duration::from_secs(1)).await;
                    }
                }
            }
        });
        Ok(Self { pool, announced, _listener: Arc::new(AbortOnDrop(task)) })
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
        let (sender, receiver) = mpsc::channel(256);
        let task = tokio::spawn(write_chunks(self.pool.clone(), id, next, receiver));
        Ok(StreamWriter { sender, task: Arc::new(tokio::sync::Mutex::new(Some(task))), pool: self.pool.clone(), id })
    }

    /// Follows the stream `id` from its chunk number `from` on.
    pub fn follow(&self, id: StreamId, from: i64) -> StreamFollower {
        StreamFollower {
            pool: self.pool.clone(),
            announced: self.announced.subscribe(),
            id,
            next: from,
            ready: Vec::new().into_iter(),
            ended: false,
        }
    }
}

/// What goes to the task that stores a stream.
enum Message {
    Output(Bytes),
    /// Skypanel's own words, which are kept however long the output was: the reason of a failure comes last.
    Words(Bytes),
    /// Nothing more comes, even if clones of the writer are still held.
    Finish,
}

/// Writes to one live stream. Clones write to the same one.
#[derive(Clone)]
pub struct StreamWriter {
    sender: mpsc::Sender<Message>,
    task: Arc<tokio::sync::Mutex<Option<JoinHandle<()>>>>,
    pool: PgPool,
    id: StreamId,
}

impl StreamWriter {
    /// Which stream this writes to.
    pub fn id(&self) -> StreamId {
        self.id
    }

    /// Adds raw output. Waits when the database is slower than the output.
    pub async fn write(&self, bytes: impl Into<Bytes>) {
        // The writing task ends only with the runtime; then nobody reads this any more.
        let _ = self.sender.send(Message::Output(bytes.into())).await;
    }

    /// Adds a step: `-----> text`.
    pub async fn step(&self, text: &str) {
        self.say(format!("-----> {text}\n")).await;
    }

    /// Adds a detail of the step: seven spaces before each line.
    pub async fn detail(&self, text: &str) {
        self.write(prefixed("       ", text)).await;
    }

    /// Adds an error: ` !     ` before each line.
    pub async fn error(&self, text: &str) {
        self.say(prefixed(" !     ", text)).await;
    }

    async fn say(&self, text: String) {
        let _ = self.sender.send(Message::Words(text.into())).await;
    }

    /// Stores what is left and marks the end. Followers get [`StreamItem::End`].
    pub async fn close(self, succeeded: bool) -> Result<()> {
        let Self { sender, task, pool, id } = self;
        let _ = sender.send(Message::Finish).await;
        if let Some(task) = task.lock().await.take() {
            task.await.map_err(|_| Error::System("The log could not be stored to its end.".to_owned()))?;
        }
        sqlx::query(
            "WITH closed AS (
                UPDATE paas_streams SET closed_at = now(), succeeded = $2 WHERE id = $1 AND closed_at IS NULL RETURNING id
             ) SELECT pg_notify($3, id::text) FROM closed",
        )
        .bind(id)
        .bind(succeeded)
        .bind(CHANNEL)
        .execute(&pool)
        .await?;
        Ok(())
    }
}

fn prefixed(prefix: &str, text: &str) -> String {
    text.lines().flat_map(|line| [prefix, line, "\n"]).collect()
}

async fn write_chunks(pool: PgPool, id: StreamId, mut seq: i64, mut receiver: mpsc::Receiver<Message>) {
    let mut gathering = Gathering::default();
    while !gathering.finished {
        gathering.add(receiver.recv().await.unwrap_or(Message::Finish));
        // While the last chunk was being stored more may have come: store it as one.
        while !gathering.finished && gathering.buffer.len() < MAX_CHUNK {
            let Ok(message) = receiver.try_recv() else { break };
            gathering.add(message);
        }
        while !gathering.buffer.is_empty() {
            let length = gathering.buffer.len().min(MAX_CHUNK);
            store_chunk(&pool, id, seq, &gathering.buffer.split_to(length)).await;
            seq += 1;
        }
    }
}

/// What is to be stored next.
#[derive(Default)]
struct Gathering {
    buffer: BytesMut,
    /// Bytes of output so far.
    total: usize,
    finished: bool,
}

impl Gathering {
    fn add(&mut self, message: Message) {
        match message {
            Message::Finish => self.finished = true,
            Message::Words(words) => self.buffer.extend_from_slice(&words),
            Message::Output(_) if self.total > MAX_STREAM_BYTES => {}
            Message::Output(output) => {
                self.total += output.len();
                if self.total > MAX_STREAM_BYTES {
                    self.buffer
                        .extend_from_slice(b"\n !     The log is longer than 32 MiB; the rest of it is not kept.\n");
                } else {
                    self.buffer.extend_from_slice(&output);
                }
            }
        }
    }
}

async fn store_chunk(pool: &PgPool, id: StreamId, seq: i64, chunk: &[u8]) {
    for pause_ms in [0, 100, 1_000, 5_000] {
        tokio::time::sleep(Duration::from_millis(pause_ms)).await;
        let stored = sqlx::query(
            "WITH stored AS (
                INSERT INTO paas_stream_chunks (stream_id, seq, data) VALUES ($1, $2, $3)
                ON CONFLICT DO NOTHING RETURNING stream_id
             ) SELECT pg_notify($4, stream_id::text) FROM stored",
        )
        .bind(id)
        .bind(seq)
        .bind(chunk)
        .bind(CHANNEL)
        .execute(pool)
        .await;
        match stored {
            Ok(_) => return,
            // The app was deleted meanwhile, and its streams with it.
            Err(sqlx::Error::Database(error)) if error.is_foreign_key_violation() => return,
            Err(error) => tracing::warn!(%error, stream = %id, "a chunk of a live stream could not be stored"),
        }
    }
}

/// Reads one live stream from a given chunk to its end.
pub struct StreamFollower {
    pool: PgPool,
    announced: broadcast::Receiver<StreamId>,
    id: StreamId,
    next: i64,
    ready: std::vec::IntoIter<(i64, Vec<u8>)>,
    ended: bool,
}

impl StreamFollower {
    /// The next item; none after [`StreamItem::End`]. Safe to drop and call again (no item is lost).
    pub async fn next(&mut self) -> Result<Option<StreamItem>> {
        loop {
            if let Some((seq, data)) = self.ready.next() {
                self.next = seq + 1;
                return Ok(Some(StreamItem::Chunk(seq, data.into())));
            }
            if self.ended {
                return Ok(None);
            }
            // First whether it is closed, then the chunks: so none that came before the end is missed.
            let state: Option<(Option<bool>,)> = sqlx::query_as("SELECT succeeded FROM paas_streams WHERE id = $1")
                .bind(self.id)
                .fetch_optional(&self.pool)
                .await?;
            let Some((closed,)) = state else {
                return Err(Error::NotFound("This output is not kept any more.".to_owned()));
            };
            let chunks: Vec<(i64, Vec<u8>)> = sqlx::query_as(
                "SELECT seq, data FROM paas_stream_chunks WHERE stream_id = $1 AND seq >= $2 ORDER BY seq LIMIT $3",
            )
            .bind(self.id)
            .bind(self.next)
            .bind(READ_BATCH)
            .fetch_all(&self.pool)
            .await?;
            if !chunks.is_empty() {
                self.ready = chunks.into_iter();
                continue;
            }
            if let Some(succeeded) = closed {
                self.ended = true;
                return Ok(Some(StreamItem::End { succeeded }));
            }
            self.wait().await;
        }
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
