//! Follows what one container writes, from its log files into the store, until it has ended and all was read.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use skypanel_core::logs::{LogLevel, LogRecord};
use skypanel_core::model::AppId;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::Shared;
use super::entry::Entry;
use super::lines::{Lines, Unfinished};
use super::log_files::{LogFiles, Read};
use super::names::Owner;
use super::positions::Position;
use super::requests::Requests;
use super::seen::Seen;
use super::watch::Watch;

/// After the first of some new lines, so that those which come together are stored together.
const GATHER: Duration = Duration::from_millis(10);
/// How often to look when nothing is heard.
const RECHECK: Duration = Duration::from_secs(5);
/// How often to look for the files of a container that is being started.
const NOT_THERE_YET: Duration = Duration::from_millis(50);
/// Pause after the disk or the store failed.
const RETRY: Duration = Duration::from_secs(2);
/// How often the store is asked what it has already.
const TRIES: u32 = 5;

/// A container whose output is collected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Container {
    pub(super) id: String,
    pub(super) kind: Kind,
}

/// Whose output it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A process of an app, such as `web.1`.
    Task {
        app: AppId,
        process: String,
    },
    Edge,
}

/// How far the life of a container is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    Running,
    /// It writes no more: what is there is all.
    Ended,
}

/// One container's follower.
pub(super) struct Follower {
    shared: Arc<Shared>,
    container: Container,
    stage: watch::Receiver<Stage>,
    /// What the process before has stored, where it may have.
    seen: Option<Seen>,
}

/// Lines by whose they are.
type Batch = Vec<(Owner, Vec<LogRecord>)>;

/// Makes lines of entries.
enum Shape {
    Task { app: AppId, lines: Lines },
    Edge(Requests),
}

impl Follower {
    pub(super) fn new(
        shared: Arc<Shared>,
        container: Container,
        stage: watch::Receiver<Stage>,
        seen: Option<Seen>,
    ) -> Self {
        Self { shared, container, stage, seen }
    }

    /// Follows until the container has ended and was read, or until cancelled. Answers whether it was read to its end.
    pub(super) async fn run(mut self, cancel: CancellationToken) -> bool {
        let position = self.shared.positions.get(&self.container.id);
        let unfinished = position.as_ref().map(|position| position.unfinished.clone()).unwrap_or_default();
        let mut shape = match &self.container.kind {
            Kind::Task { app, process } => Shape::Task { app: *app, lines: Lines::new(process.clone(), unfinished) },
            Kind::Edge => Shape::Edge(Requests::default()),
        };
        let Some(opened) = cancel.run_until_cancelled(self.open(position)).await else { return false };
        let Some((watch, mut files)) = opened else { return true };
        loop {
            // Before reading: what is written until the end is there when the end is told.
            let ended = *self.stage.borrow_and_update() == Stage::Ended;
            let read = cancel.run_until_cancelled(self.read(files, shape)).await;
            let Some(Some(read)) = read else { return false };
            (files, shape) = (read.files, read.shape);
            let (lost, batch) = match read.found {
                Ok(found) => found,
                Err(error) => {
                    tracing::warn!(%error, container = self.container.id, "a log file cannot be read; trying again");
                    if cancel.run_until_cancelled(tokio::time::sleep(RETRY)).await.is_none() {
                        return false;
                    }
                    continue;
                }
            };
            let Some(batch) = batch else {
                if ended {
                    return true;
                }
                if cancel.run_until_cancelled(self.wait(&watch)).await.is_none() {
                    return false;
                }
                continue;
            };
            let position = Position { place: files.place(), unfinished: shape.unfinished() };
            if cancel.run_until_cancelled(self.store(batch, lost)).await.is_none() {
                return false;
            }
            self.shared.positions.set(&self.container.id, position);
        }
    }

    /// Opens the container's files, as soon as there are some; none if there never will be.
    async fn open(&mut self, position: Option<Position>) -> Option<(Watch, LogFiles)> {
        let directory = self.shared.directory(&self.container.id);
        let place = position.map(|position| position.place);
        let mut told = false;
        loop {
            let ended = *self.stage.borrow_and_update() == Stage::Ended;
            let opened = self.shared.watcher.watch(&directory).and_then(|watch| {
                let files = LogFiles::open(&directory, place)?;
                Ok((watch, files))
            });
            let pause = match opened {
                Ok(opened) => return Some(opened),
                Err(_) if ended => return None,
                Err(error) if error.kind() == io::ErrorKind::NotFound => NOT_THERE_YET,
                Err(error) => {
                    if !std::mem::replace(&mut told, true) {
                        tracing::error!(
                            %error, directory = %directory.display(),
                            "the output of a container cannot be read, so it is missing in its app's log; trying again"
                        );
                    }
                    RETRY
                }
            };
            let _ = tokio::time::timeout(pause, self.stage.changed()).await;
        }
    }

    /// Reads on where the disk is waited for, when it is this container's turn.
    async fn read(&self, mut files: LogFiles, mut shape: Shape) -> Option<Reading> {
        let turn = Arc::clone(&self.shared.turns).acquire_owned().await.ok()?;
        let read = tokio::task::spawn_blocking(move || {
            let found = files.read().map(|Read { entries, lost }| {
                let batch = (lost || !entries.is_empty()).then(|| shape.lines(entries));
                (lost, batch)
            });
            drop(turn);
            Reading { files, shape, found }
        });
        // Fails where it panicked, or the runtime ends.
        read.await.ok()
    }

    async fn wait(&mut self, watch: &Watch) {
        tokio::select! {
            () = watch.changed() => {}
            changed = self.stage.changed() => {
                // Nobody can tell the end any more where we are being stopped.
                if changed.is_err() {
                    std::future::pending::<()>().await;
                }
                return;
            }
            () = tokio::time::sleep(RECHECK) => return,
        }
        tokio::time::sleep(GATHER).await;
    }

    /// Stores what is new and not too much, however often that has to be tried.
    async fn store(&mut self, batch: Batch, lost: bool) {
        for (owner, mut records) in batch {
            let Some(app) = self.shared.names.app(&owner).await else { continue };
            self.remove_seen(app, &mut records).await;
            self.shared.limits.admit(app, &mut records, Instant::now());
            if !records.is_empty() {
                self.shared.append(app, records).await;
            }
        }
        match &self.container.kind {
            Kind::Task { app, process } if lost => {
                let text = format!(
                    "Lines of {process} may be missing here: it wrote more than is kept on its node before they were read."
                );
                let notice = self.shared.system_record(LogLevel::Warn, text);
                self.shared.append(*app, vec![notice]).await;
            }
            Kind::Edge if lost => tracing::warn!(
                "some requests may be missing in the logs: the edge wrote more than is kept before it was read"
            ),
            _ => {}
        }
    }

    async fn remove_seen(&mut self, app: AppId, records: &mut Vec<LogRecord>) {
        let Some(seen) = &mut self.seen else { return };
        if records.first().is_some_and(|record| seen.is_over(record.at)) {
            self.seen = None;
            return;
        }
        for _ in 0..TRIES {
            match seen.remove_from(app, records).await {
                Ok(()) => return,
                Err(error) => {
                    tracing::warn!(%error, %app, "what is stored of an app's log cannot be read; trying again");
                    tokio::time::sleep(RETRY).await;
                }
            }
        }
        tracing::warn!(%app, "lines that were stored before the restart may be in the log twice");
    }
}

/// What a turn at reading gives back.
struct Reading {
    files: LogFiles,
    shape: Shape,
    /// Whether lines may be missing, and the lines; none where there is nothing new.
    found: io::Result<(bool, Option<Batch>)>,
}

impl Shape {
    fn lines(&mut self, entries: Vec<Entry>) -> Batch {
        match self {
            Self::Task { app, lines } => {
                vec![(Owner::App(*app), entries.into_iter().map(|entry| lines.line(entry)).collect())]
            }
            Self::Edge(requests) => requests.lines(entries),
        }
    }

    fn unfinished(&self) -> Unfinished {
        match self {
            Self::Task { lines, .. } => lines.unfinished().clone(),
            Self::Edge(_) => Unfinished::default(),
        }
    }
}
