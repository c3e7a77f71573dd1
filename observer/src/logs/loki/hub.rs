//! One tail for all who follow an app from this process: it is opened with the first follower and closed with the
//! last. Where it may have left lines out, followers are told to ask for them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use skypanel_core::logs::LogFilter;
use skypanel_core::model::AppId;
use skypanel_core::{Error, Result};
use tokio::sync::broadcast::{self, Receiver, Sender, WeakSender};
use tokio::time::{Instant, sleep, timeout};
use tokio_tungstenite::tungstenite::Message;
use tokio_util::task::AbortOnDropHandle;

use super::api::Socket;
use super::entry::{Found, query, read_tailed};
use super::{Inner, LATE};

/// Longest opening a tail may take.
const OPEN_LIMIT: Duration = Duration::from_secs(15);
/// How often a silent connection is asked for a sign of life, and how long that may take to come.
const PING_EVERY: Duration = Duration::from_secs(20);
const SILENCE_LIMIT: Duration = Duration::from_secs(65);
/// Lines that a tail begins with, of those that came while it was being opened.
const TAIL_LINES: usize = 5_000;
/// Tries to open a broken tail again before followers are told, and the time before each.
const ATTEMPTS: u32 = 3;
const AGAIN_AFTER: Duration = Duration::from_secs(1);
/// Pieces that a follower may be behind.
const BEHIND: usize = 64;

/// What a tail tells.
#[derive(Clone, Debug)]
pub(super) enum Piece {
    /// New lines; some may have been told before.
    Lines(Arc<[Found]>),
    /// Some were left out: since this time, or it is not known since when.
    Gap(Option<i64>),
    /// It cannot go on, for this reason.
    End(String),
}

/// An app's tail; locked while it is being opened, so that those who come meanwhile wait for it.
type Slot = Arc<tokio::sync::Mutex<Weak<Hub>>>;

/// The tails of all apps that are followed.
#[derive(Debug, Default)]
pub(super) struct Hubs {
    apps: Mutex<HashMap<AppId, Slot>>,
}

/// The tail of one app; ends with its last follower.
#[derive(Debug)]
pub(super) struct Hub {
    /// Of the task, so that followers notice when that is gone.
    pieces: WeakSender<Piece>,
    _task: AbortOnDropHandle<()>,
}

impl Hub {
    /// The app's tail, open, and what it tells from now on.
    pub(super) async fn join(loki: &Arc<Inner>, app: AppId) -> Result<(Arc<Self>, Receiver<Piece>)> {
        let slot = loki.hubs.slot(app);
        let mut slot = slot.lock().await;
        if let Some(hub) = slot.upgrade()
            && let Some(pieces) = hub.pieces.upgrade()
        {
            return Ok((hub, pieces.subscribe()));
        }
        let socket = open(loki, app).await?;
        let (pieces, receiver) = broadcast::channel(BEHIND);
        let weak = pieces.downgrade();
        let task = tokio::spawn(run(loki.clone(), app, socket, pieces));
        let hub = Arc::new(Self { pieces: weak, _task: AbortOnDropHandle::new(task) });
        *slot = Arc::downgrade(&hub);
        Ok((hub, receiver))
    }
}

impl Hubs {
    /// The app's place, and none any more of apps that nobody follows.
    fn slot(&self, app: AppId) -> Slot {
        let mut apps = self.apps.lock().unwrap_or_else(PoisonError::into_inner);
        // One that cannot be locked is being opened.
        apps.retain(|_, slot| {
            slot.try_lock().map_or(true, |hub| hub.strong_count() > 0) || Arc::strong_count(slot) > 1
        });
        apps.entry(app).or_default().clone()
    }
}

async fn open(loki: &Inner, app: AppId) -> Result<Socket> {
    let query = query(app, &LogFilter::default());
    // It is open before the Loki listens to its own parts.
    let opened = loki.api.tail(&query, loki.now().saturating_sub(LATE), TAIL_LINES);
    timeout(OPEN_LIMIT, opened).await.unwrap_or_else(|_| Err(loki.api.unreachable("It does not answer.")))
}

async fn run(loki: Arc<Inner>, app: AppId, socket: Socket, pieces: Sender<Piece>) {
    let mut socket = Some(socket);
    while let Some(open_socket) = socket.take() {
        let mut failure = listen(&loki, open_socket, &pieces).await;
        tracing::debug!(%failure, %app, "a tail of the Loki ended");
        for _ in 0..ATTEMPTS {
            sleep(AGAIN_AFTER).await;
            match open(&loki, app).await {
                Ok(opened) => {
                    socket = Some(opened);
                    break;
                }
                Err(error) => failure = error,
            }
        }
        // Nobody listens any more when the last follower has just gone, and with it this task.
        let _ = pieces.send(if socket.is_some() { Piece::Gap(None) } else { Piece::End(failure.to_string()) });
    }
}

/// Passes on what a tail tells, until it ends; answers why it did.
async fn listen(loki: &Inner, mut socket: Socket, pieces: &Sender<Piece>) -> Error {
    let ended = |reason: &str| loki.api.unreachable(reason);
    let mut heard = Instant::now();
    loop {
        let message = match timeout(PING_EVERY, socket.next()).await {
            Ok(Some(Ok(message))) => message,
            Ok(Some(Err(error))) => return ended(&format!("{error}.")),
            Ok(None) => return ended("It ended what it was telling."),
            Err(_) if heard.elapsed() > SILENCE_LIMIT => return ended("It is silent."),
            Err(_) => match timeout(PING_EVERY, socket.send(Message::Ping(bytes::Bytes::new()))).await {
                Ok(Ok(())) => continue,
                Ok(Err(error)) => return ended(&format!("{error}.")),
                Err(_) => return ended("It takes nothing."),
            },
        };
        heard = Instant::now();
        if !(message.is_text() || message.is_binary()) {
            continue;
        }
        match read_tailed(&message.into_data()) {
            Ok((found, dropped)) => {
                let _ = pieces.send(Piece::Lines(found.into()));
                if dropped.is_some() {
                    let _ = pieces.send(Piece::Gap(dropped));
                }
            }
            Err(error) => return error,
        }
    }
}
