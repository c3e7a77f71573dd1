//! Locks that hold across processes: PostgreSQL's advisory locks, on one connection of their own. They go with that
//! connection, however the process ends, and take no place in the pool. Receivers guard pushes to one app with them.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection as _, PgConnection, PgPool};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::{Error, Result};

/// Longest the database may take for one answer.
const ANSWER_LIMIT: Duration = Duration::from_secs(10);
/// How often the connection is looked after while locks are held: with it they would be gone.
const CHECK_EVERY: Duration = Duration::from_secs(10);
/// By these a server finds out in a minute, and not in two hours, that a whole machine is gone. Of no effect on a
/// Unix socket, whose end is always noticed.
const KEEPALIVE: [(&str, &str); 3] =
    [("tcp_keepalives_idle", "30"), ("tcp_keepalives_interval", "10"), ("tcp_keepalives_count", "3")];

/// Takes locks by name. One per process; cheap to clone.
#[derive(Clone)]
pub struct Locks {
    asks: mpsc::UnboundedSender<Ask>,
    _session: Arc<AbortOnDrop>,
}

struct AbortOnDrop(JoinHandle<()>);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// A lock that is held until this is dropped.
#[derive(Debug)]
pub struct Lock {
    name: String,
    asks: mpsc::UnboundedSender<Ask>,
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Where the session has ended the lock has, too.
        let _ = self.asks.send(Ask::Give(std::mem::take(&mut self.name)));
    }
}

#[derive(Debug)]
enum Ask {
    Take(String, oneshot::Sender<Result<Option<Lock>>>),
    Give(String),
}

impl Locks {
    /// Locks in the database that `pool` leads to. Connects with the first lock.
    pub fn new(pool: &PgPool) -> Self {
        let (asks, receiver) = mpsc::unbounded_channel();
        let session = Session {
            options: pool.connect_options().as_ref().clone().options(KEEPALIVE),
            connection: None,
            held: HashSet::new(),
            asks: asks.downgrade(),
        };
        Self { asks, _session: Arc::new(AbortOnDrop(tokio::spawn(session.run(receiver)))) }
    }

    /// Takes the lock of that name at once; none if anybody has it, here or elsewhere.
    pub async fn try_take(&self, name: &str) -> Result<Option<Lock>> {
        let (answer, answered) = oneshot::channel();
        let ended = || Error::System("The locks of this process are gone: it is stopping.".to_owned());
        self.asks.send(Ask::Take(name.to_owned(), answer)).map_err(|_| ended())?;
        answered.await.map_err(|_| ended())?
    }
}

/// The connection and what is held on it, in a task of its own.
struct Session {
    options: PgConnectOptions,
    connection: Option<PgConnection>,
    held: HashSet<String>,
    asks: mpsc::WeakUnboundedSender<Ask>,
}

impl Session {
    async fn run(mut self, mut asks: mpsc::UnboundedReceiver<Ask>) {
        loop {
            tokio::select! {
                ask = asks.recv() => match ask {
                    Some(Ask::Take(name, answer)) => {
                        let taken = self.take(name).await;
                        // A lock that nobody waits for any more is dropped, and so given back.
                        let _ = answer.send(taken);
                    }
                    Some(Ask::Give(name)) => self.give(&name).await,
                    None => return,
                },
                () = tokio::time::sleep(CHECK_EVERY), if !self.held.is_empty() => self.check().await,
            }
        }
    }

    async fn take(&mut self, name: String) -> Result<Option<Lock>> {
        // To the database all that this session asks for is one and the same holder's.
        if self.held.contains(&name) {
            return Ok(None);
        }
        let Some(asks) = self.asks.upgrade() else { return Ok(None) };
        let taken = match self.lock(&name).await {
            // The connection may have been lost since it was used last.
            Err(_) => self.lock(&name).await?,
            Ok(taken) => taken,
        };
        Ok(taken.then(|| {
            self.held.insert(name.clone());
            Lock { name, asks }
        }))
    }

    async fn give(&mut self, name: &str) {
        self.held.remove(name);
        if self.connection.is_some()
            && let Err(error) = self.ask("SELECT pg_advisory_unlock(hashtextextended($1, 0))", name).await
        {
            tracing::warn!(%error, "a lock was given back with its whole connection");
        }
    }

    async fn check(&mut self) {
        if let Err(error) = self.ask("SELECT $1 IS NOT NULL", "").await {
            tracing::warn!(%error, "lost the connection that locks are held on; taking them anew");
            if let Err(error) = self.connect().await {
                tracing::warn!(%error, "the connection for locks cannot be made anew; trying again");
            }
        }
    }

    async fn lock(&mut self, name: &str) -> sqlx::Result<bool> {
        self.ask("SELECT pg_try_advisory_lock(hashtextextended($1, 0))", name).await
    }

    /// Asks a question about a name. A connection on which that fails is dropped.
    async fn ask(&mut self, sql: &'static str, name: &str) -> sqlx::Result<bool> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => self.connected().await?,
        };
        let yes = within(sqlx::query_scalar(sql).bind(name).fetch_one(&mut connection)).await?;
        self.connection = Some(connection);
        Ok(yes)
    }

    async fn connect(&mut self) -> sqlx::Result<()> {
        self.connection = Some(self.connected().await?);
        Ok(())
    }

    /// A new connection that holds again what the one before it held.
    async fn connected(&self) -> sqlx::Result<PgConnection> {
        let mut connection = within(PgConnection::connect_with(&self.options)).await?;
        for name in &self.held {
            let sql = "SELECT pg_try_advisory_lock(hashtextextended($1, 0))";
            let taken: bool = within(sqlx::query_scalar(sql).bind(name).fetch_one(&mut connection)).await?;
            if !taken {
                tracing::warn!(lock = %name, "another process took a lock while the connection to it was lost");
            }
        }
        Ok(connection)
    }
}

async fn within<T>(asked: impl Future<Output = sqlx::Result<T>>) -> sqlx::Result<T> {
    timeout(ANSWER_LIMIT, asked).await.unwrap_or_else(|_| Err(sqlx::Error::Io(std::io::ErrorKind::TimedOut.into())))
}
