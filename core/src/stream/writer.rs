//! The writing side of a live stream: gathers what comes into chunks and stores them in order, however often the
//! database has to be asked.

use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use sqlx::PgPool;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::{CHANNEL, FIRST_PAUSE, LONGEST_PAUSE, answer};
use crate::model::StreamId;
use crate::terminal::Sanitizer;
use crate::{Error, Result};

/// Most bytes in one chunk, and in one message to the task that stores.
const MAX_CHUNK: usize = 64 * 1024;
/// Most messages that wait to be stored. With [`MAX_CHUNK`] it bounds a stream's memory: 16 MiB.
const MAX_WAITING: usize = 256;
/// Most bytes a stream keeps; what is over is dropped with a word to the reader.
const MAX_STREAM_BYTES: usize = 32 * 1024 * 1024;
/// While output comes the database is asked for as long as it takes; this long once nothing more comes.
const END_LIMIT: Duration = Duration::from_secs(30);

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
    task: Arc<tokio::sync::Mutex<Option<JoinHandle<Written>>>>,
    pool: PgPool,
    id: StreamId,
    ended: CancellationToken,
    _ends_with_the_last: Arc<DropGuard>,
}

impl StreamWriter {
    /// Writes the stream `id` from its chunk number `next` on.
    pub(super) fn start(pool: PgPool, id: StreamId, next: i64) -> Self {
        let (sender, receiver) = mpsc::channel(MAX_WAITING);
        let ended = CancellationToken::new();
        let chunks = Chunks { pool: pool.clone(), id, next, ended: ended.clone(), give_up: None };
        let task = Arc::new(tokio::sync::Mutex::new(Some(tokio::spawn(chunks.write(receiver)))));
        Self { sender, task, pool, id, _ends_with_the_last: Arc::new(ended.clone().drop_guard()), ended }
    }

    /// Which stream this writes to.
    pub fn id(&self) -> StreamId {
        self.id
    }

    /// Adds output as it comes; of control sequences only colours are kept. Waits when the database is slower than the output, and while it is away.
    pub async fn write(&self, bytes: impl Into<Bytes>) {
        let mut bytes = bytes.into();
        while !bytes.is_empty() {
            let piece = bytes.split_to(bytes.len().min(MAX_CHUNK));
            // The writing task ends before its writers only when nobody reads this any more.
            let _ = self.sender.send(Message::Output(piece)).await;
        }
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

    /// Stores what is left and marks the end. Followers get [`StreamItem::End`](super::StreamItem::End). A database
    /// that is away is waited for, 30 s for what is left and 30 s for the end. What could not be stored is
    /// told in the log, and to the followers if they can still be told.
    pub async fn close(self, succeeded: bool) -> Result<()> {
        self.ended.cancel();
        let _ = self.sender.send(Message::Finish).await;
        let written = match self.task.lock().await.take() {
            Some(task) => {
                task.await.map_err(|_| Error::System("The log could not be stored to its end.".to_owned()))?
            }
            None => Written::default(),
        };
        if written.taken_over {
            return Ok(());
        }
        let words = match written.lost {
            0 => String::new(),
            lost => prefixed(
                " !     ",
                &format!("The database was away for too long: {lost} bytes of output are missing here."),
            ),
        };
        let give_up = Instant::now() + END_LIMIT;
        let mut pause = FIRST_PAUSE;
        loop {
            let Err(error) = answer(self.mark_end(succeeded, written.next, &words)).await else { return Ok(()) };
            if Instant::now() > give_up || matches!(error, sqlx::Error::PoolClosed) {
                return Err(error.into());
            }
            tracing::warn!(%error, stream = %self.id, "the end of a live stream could not be stored; trying again");
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// Stores what is left, so that another writer can go on with the stream.
    pub async fn leave(self) {
        self.ended.cancel();
        let _ = self.sender.send(Message::Finish).await;
        if let Some(task) = self.task.lock().await.take() {
            // What a task that panicked had is lost with it.
            let _ = task.await;
        }
    }

    async fn mark_end(&self, succeeded: bool, next: i64, words: &str) -> sqlx::Result<()> {
        sqlx::query(
            "WITH closed AS (
                UPDATE paas_streams SET closed_at = now(), succeeded = $2 WHERE id = $1 AND closed_at IS NULL RETURNING id
             ), told AS (
                INSERT INTO paas_stream_chunks (stream_id, seq, data) SELECT id, $4, $5 FROM closed WHERE length($5) > 0
                ON CONFLICT DO NOTHING
             ) SELECT pg_notify($3, id::text) FROM closed",
        )
        .bind(self.id)
        .bind(succeeded)
        .bind(CHANNEL)
        .bind(next)
        .bind(words.as_bytes())
        .execute(&self.pool)
        .await?;
        Ok(())
    }
}

fn prefixed(prefix: &str, text: &str) -> String {
    // What returns to a line's beginning must not write over the prefix.
    let lines = text.lines().flat_map(|line| line.trim_end_matches('\r').split('\r'));
    lines.flat_map(|line| [prefix, line, "\n"]).collect()
}

/// How the writing went.
#[derive(Debug, Default)]
struct Written {
    /// Number of the chunk that would have come next.
    next: i64,
    /// Bytes that could not be stored.
    lost: usize,
    /// Another writer goes on with the stream, and ends it.
    taken_over: bool,
}

/// What became of a chunk.
enum Fate {
    Stored,
    /// Another writer has stored something else under its number: this one's worker was taken for dead.
    TakenOver,
    /// The app was deleted meanwhile, and its streams with it.
    NoStream,
    /// The database stayed away.
    Lost,
}

/// The task that stores a stream's chunks, one after the other.
struct Chunks {
    pool: PgPool,
    id: StreamId,
    next: i64,
    ended: CancellationToken,
    /// Until when the database is asked; set once nothing more comes.
    give_up: Option<Instant>,
}

impl Chunks {
    async fn write(mut self, mut receiver: mpsc::Receiver<Message>) -> Written {
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
                match self.store(&gathering.buffer[..length]).await {
                    Fate::Stored => {
                        let _ = gathering.buffer.split_to(length);
                        self.next += 1;
                    }
                    Fate::TakenOver => {
                        tracing::warn!(stream = %self.id, "another worker goes on with a live stream; this one leaves it");
                        return Written { taken_over: true, ..Written::default() };
                    }
                    Fate::NoStream => return Written::default(),
                    Fate::Lost => {
                        let lost = gathering.left(&mut receiver);
                        tracing::error!(stream = %self.id, bytes = lost, "output was lost: the database stayed away");
                        return Written { next: self.next, lost, taken_over: false };
                    }
                }
            }
        }
        Written { next: self.next, ..Written::default() }
    }

    /// Stores the next chunk, however often that has to be tried.
    async fn store(&mut self, chunk: &[u8]) -> Fate {
        let mut pause = FIRST_PAUSE;
        loop {
            let error = match answer(self.try_to_store(chunk)).await {
                Ok(fate) => return fate,
                Err(error) => error,
            };
            tracing::warn!(%error, stream = %self.id, "a chunk of a live stream could not be stored; trying again");
            let resume = Instant::now() + pause;
            if self.give_up.is_none() {
                tokio::select! {
                    () = self.ended.cancelled() => self.give_up = Some(Instant::now() + END_LIMIT),
                    () = tokio::time::sleep_until(resume) => {}
                }
            }
            if self.give_up.is_some_and(|at| Instant::now() > at) || matches!(error, sqlx::Error::PoolClosed) {
                return Fate::Lost;
            }
            tokio::time::sleep_until(resume).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    async fn try_to_store(&self, chunk: &[u8]) -> sqlx::Result<Fate> {
        let stored = sqlx::query(
            "WITH stored AS (
                INSERT INTO paas_stream_chunks (stream_id, seq, data) VALUES ($1, $2, $3)
                ON CONFLICT DO NOTHING RETURNING stream_id
             ) SELECT pg_notify($4, stream_id::text) FROM stored",
        )
        .bind(self.id)
        .bind(self.next)
        .bind(chunk)
        .bind(CHANNEL)
        .execute(&self.pool)
        .await;
        match stored {
            Ok(done) if done.rows_affected() > 0 => return Ok(Fate::Stored),
            Ok(_) => {}
            Err(sqlx::Error::Database(error)) if error.is_foreign_key_violation() => return Ok(Fate::NoStream),
            Err(error) => return Err(error),
        }
        // There is such a chunk: ours, if only the answer to an earlier try was lost.
        let ours: Option<(bool,)> =
            sqlx::query_as("SELECT data = $3 FROM paas_stream_chunks WHERE stream_id = $1 AND seq = $2")
                .bind(self.id)
                .bind(self.next)
                .bind(chunk)
                .fetch_optional(&self.pool)
                .await?;
        Ok(match ours {
            Some((true,)) => Fate::Stored,
            Some((false,)) => Fate::TakenOver,
            None => Fate::NoStream,
        })
    }
}

/// What is to be stored next.
#[derive(Default)]
struct Gathering {
    buffer: BytesMut,
    /// Bytes of output so far.
    total: usize,
    finished: bool,
    sanitizer: Sanitizer,
    /// What the sanitizer let through of one piece.
    clean: Vec<u8>,
}

impl Gathering {
    fn add(&mut self, message: Message) {
        match message {
            Message::Finish => {
                self.finished = true;
                self.sanitize(b"", true);
            }
            // Nothing that came before paints or swallows them.
            Message::Words(words) => {
                self.sanitize(b"", true);
                self.sanitize(&words, true);
            }
            Message::Output(_) if self.total > MAX_STREAM_BYTES => {}
            Message::Output(output) => {
                self.total += output.len();
                if self.total > MAX_STREAM_BYTES {
                    self.sanitize(b"", true);
                    self.buffer
                        .extend_from_slice(b"\n !     The log is longer than 32 MiB; the rest of it is not kept.\n");
                } else {
                    self.sanitize(&output, false);
                }
            }
        }
    }

    /// Adds what may be shown of the next piece; `ends` what it leaves open.
    fn sanitize(&mut self, bytes: &[u8], ends: bool) {
        self.clean.clear();
        self.sanitizer.add(bytes, &mut self.clean);
        if ends {
            self.sanitizer.end(&mut self.clean);
        }
        self.buffer.extend_from_slice(&self.clean);
    }

    /// Takes what still waits, and answers how many bytes are left.
    fn left(&mut self, receiver: &mut mpsc::Receiver<Message>) -> usize {
        receiver.close();
        while let Ok(message) = receiver.try_recv() {
            self.add(message);
        }
        self.buffer.len()
    }
}
