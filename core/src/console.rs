//! What transports need of the container engine while a user watches: logs, process states, one-off
//! processes. Implemented by the deployer and handed in, so that transports know no engine.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures_util::stream::BoxStream;
use tokio::sync::{mpsc, oneshot};

use crate::model::{Application, Node, ProcessType};
use crate::{Error, Result};

/// A line an app wrote.
#[derive(Clone, Debug)]
pub struct LogLine {
    /// When the engine got it.
    pub at: DateTime<Utc>,
    /// Process and replica, such as `web.1`.
    pub process: String,
    /// The line without its end, as the app wrote it.
    pub text: Bytes,
}

/// Which lines to read.
#[derive(Clone, Debug)]
pub struct LogQuery {
    /// At most this many of the newest lines.
    pub lines: u32,
    /// Whether to go on with new lines as they come.
    pub follow: bool,
    /// Only this process type.
    pub process: Option<ProcessType>,
}

/// A replica as it is now.
#[derive(Clone, Debug)]
pub struct ProcessState {
    /// Process type.
    pub process: ProcessType,
    /// Number of the replica, from 1.
    pub replica: u64,
    /// The engine's word: `running`, `starting`, `failed`, …
    pub state: String,
    /// Since when.
    pub since: Option<DateTime<Utc>>,
    /// Why it failed, if it did.
    pub error: Option<String>,
    /// The last time that a process of this replica failed, as far as the engine still knows.
    pub last_failure: Option<ProcessFailure>,
}

impl ProcessState {
    /// How long it has been running at `now`; none where it does not run.
    pub fn uptime(&self, now: DateTime<Utc>) -> Option<Duration> {
        let since = self.since.filter(|_| self.state == "running")?;
        Some((now - since).to_std().unwrap_or_default())
    }
}

/// That a process failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProcessFailure {
    /// When.
    pub at: DateTime<Utc>,
    /// Why, in the engine's words.
    pub reason: String,
}

/// The edge of a host, as far as it does not fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Edge {
    /// It answers requests.
    Serves,
    /// This host has none: its processes run apart from the machines that serve apps.
    Absent,
}

/// A one-off process to start.
#[derive(Clone, Debug)]
pub struct OneOff {
    /// The command line, as the user typed it; it runs through bash inside the app's container only.
    pub command: String,
    /// Terminal type, columns and rows, when the client has a terminal.
    pub terminal: Option<Terminal>,
}

/// The client's terminal.
#[derive(Clone, Debug)]
pub struct Terminal {
    /// `TERM`.
    pub term: String,
    /// Width in characters.
    pub columns: u16,
    /// Height in characters.
    pub rows: u16,
}

/// A piece of what a process wrote.
#[derive(Clone, Debug)]
pub enum Output {
    /// On its standard output, or its terminal.
    Stdout(Bytes),
    /// On its standard error.
    Stderr(Bytes),
}

/// A running one-off process. Dropping it removes the container.
#[derive(Debug)]
pub struct OneOffSession {
    /// What the user types; closing it is end of input.
    pub input: mpsc::Sender<Bytes>,
    /// What the process writes; ends when it does.
    pub output: mpsc::Receiver<Output>,
    /// New columns and rows of the terminal.
    pub resize: mpsc::Sender<(u16, u16)>,
    /// Exit status.
    pub exit: oneshot::Receiver<i32>,
}

/// In place of an engine, for processes that have none.
#[derive(Clone, Copy, Debug)]
pub struct NoConsole;

#[async_trait]
impl Console for NoConsole {
    async fn logs(&self, _app: &Application, _query: LogQuery) -> Result<BoxStream<'static, Result<LogLine>>> {
        Err(absent())
    }

    async fn processes(&self, _app: &Application) -> Result<Vec<ProcessState>> {
        Err(absent())
    }

    async fn run(&self, _app: &Application, _one_off: OneOff) -> Result<OneOffSession> {
        Err(absent())
    }
}

fn absent() -> Error {
    Error::Upstream("No engine can be asked from here.".to_owned())
}

/// The engine as transports see it.
#[async_trait]
pub trait Console: Send + Sync + 'static {
    /// Lines of an app's processes, oldest first.
    async fn logs(&self, app: &Application, query: LogQuery) -> Result<BoxStream<'static, Result<LogLine>>>;

    /// The app's replicas as they are now.
    async fn processes(&self, app: &Application) -> Result<Vec<ProcessState>>;

    /// The machines of the Swarm, by name.
    async fn nodes(&self) -> Result<Vec<Node>> {
        Err(Error::Upstream("No Swarm manager can be asked from here.".to_owned()))
    }

    /// Whether the edge of this host serves; the error says why it does not.
    async fn edge(&self) -> Result<Edge> {
        Ok(Edge::Absent)
    }

    /// Starts a one-off process of the app's current release with its current config vars.
    async fn run(&self, app: &Application, one_off: OneOff) -> Result<OneOffSession>;
}
