//! One reader for all who follow an app: it reads each new line once and hands it to everyone. Who is too slow misses
//! some and reads them from disk, so that nobody waits for anybody.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use skypanel_core::logs::LogLine;
use skypanel_core::model::AppId;
use skypanel_core::{Error, Result};
use tokio::sync::{broadcast, watch};
use tokio_util::task::AbortOnDropHandle;

use super::tail::{Grown, Tail};
use crate::logs::store::{EmbeddedLogs, of_app};

/// How often the file is looked at where another process writes to it.
const POLL: Duration = Duration::from_millis(20);
/// The same where the writer tells: only for what it may not have told.
const RARE_POLL: Duration = Duration::from_secs(1);
/// Time to let lines gather, so that a flood is not read line by line.
const GATHER: Duration = Duration::from_millis(2);
/// How long to leave a file alone that could not be read.
const AFTER_FAILURE: Duration = Duration::from_secs(1);
/// Pieces that a follower may be behind.
const BEHIND: usize = 64;

/// New lines, with their numbers.
pub(super) type Piece = Arc<[(u64, Arc<LogLine>)]>;

/// The readers of all apps that are followed from this process.
#[derive(Debug, Default)]
pub(in crate::logs) struct Hubs {
    apps: Mutex<HashMap<AppId, Weak<Hub>>>,
}

/// The reader of one app; ends with its last follower.
#[derive(Debug)]
pub(super) struct Hub {
    pieces: broadcast::Sender<Piece>,
    _task: AbortOnDropHandle<()>,
}

impl Hub {
    /// The app's reader and what it reads from now on. Lines that were there before this answers may be missing.
    pub(super) async fn join(logs: &EmbeddedLogs, app: AppId) -> Result<(Arc<Self>, broadcast::Receiver<Piece>)> {
        if let Some(hub) = logs.hubs().running(app) {
            let receiver = hub.pieces.subscribe();
            return Ok((hub, receiver));
        }
        let directory = of_app(logs.root(), app);
        let appended = logs.appended(app);
        let tail = blocking(move || Tail::at_end(&directory)).await?;
        let tail = tail.map_err(|error| Error::System(format!("The logs cannot be read: {error}.")))?;
        let (pieces, receiver) = broadcast::channel(BEHIND);
        let task = tokio::spawn(run(tail, appended, pieces.clone()));
        let hub = Arc::new(Self { pieces, _task: AbortOnDropHandle::new(task) });
        logs.hubs().add(app, &hub);
        Ok((hub, receiver))
    }
}

impl Hubs {
    fn running(&self, app: AppId) -> Option<Arc<Hub>> {
        self.apps.lock().unwrap_or_else(PoisonError::into_inner).get(&app)?.upgrade()
    }

    /// Two that began at the same time both go on; later followers join the second.
    fn add(&self, app: AppId, hub: &Arc<Hub>) {
        let mut apps = self.apps.lock().unwrap_or_else(PoisonError::into_inner);
        apps.retain(|_, hub| hub.strong_count() > 0);
        apps.insert(app, Arc::downgrade(hub));
    }
}

async fn run(mut tail: Tail, mut appended: Option<watch::Receiver<()>>, pieces: broadcast::Sender<Piece>) {
    loop {
        let read = blocking(move || {
            let grown = tail.grown();
            (tail, grown)
        });
        let Ok((back, grown)) = read.await else { return };
        tail = back;
        match grown {
            Ok(Grown { lines, has_more }) => {
                if !lines.is_empty() {
                    // Nobody listens any more when the last follower has just gone, and with it this task.
                    let _ = pieces.send(lines.into());
                }
                if !has_more {
                    wait(&mut appended).await;
                }
            }
            Err(error) => {
                tracing::warn!(%error, "new lines of a log cannot be read");
                tokio::time::sleep(AFTER_FAILURE).await;
            }
        }
    }
}

/// Until there may be more.
async fn wait(appended: &mut Option<watch::Receiver<()>>) {
    let Some(told) = appended else { return tokio::time::sleep(POLL).await };
    match tokio::time::timeout(RARE_POLL, told.changed()).await {
        Ok(Ok(())) => tokio::time::sleep(GATHER).await,
        Ok(Err(_)) => *appended = None,
        Err(_) => {}
    }
}

async fn blocking<T: Send + 'static>(read: impl FnOnce() -> T + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(read)
        .await
        .map_err(|error| Error::System(format!("Reading the logs broke down: {error}.")))
}
