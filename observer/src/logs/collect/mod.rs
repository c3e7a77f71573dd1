//! Collects what runs on this node writes, in the agent: the output of processes from the engine's log files, requests
//! from the edge's, and, for the whole platform, what happens to apps and what their builds write. All of it goes line
//! by line into the store, once, whatever is killed meanwhile.

mod containers;
mod entry;
mod follower;
mod level;
mod limits;
mod lines;
mod log_files;
mod names;
mod notices;
mod output;
mod positions;
mod queue;
mod requests;
mod seen;
mod sink;
mod sweep;
mod watch;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bollard::Docker;
use chrono::Utc;
use skypanel_core::clock::Clock;
use skypanel_core::logs::{LogLevel, LogRecord};
use skypanel_core::model::AppId;
use skypanel_core::store::Store;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

pub use self::level::level_of;
pub use self::sink::LogSink;

use self::containers::Containers;
use self::limits::Limits;
use self::names::Names;
use self::positions::Positions;
use self::watch::Watcher;

/// Containers whose files are read at the same moment. More would take the processor from everything else.
const AT_ONCE: usize = 2;
/// Longest an append may take before it is taken for lost.
const APPEND_LIMIT: Duration = Duration::from_mins(2);
/// First and longest pause after the store failed.
const RETRY: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));
/// Longest the engine may take to say where its files are, and the pause before it is asked again.
const ENGINE_LIMIT: Duration = Duration::from_secs(10);

/// Where things are on this node.
#[derive(Clone, Debug)]
pub struct LogCollectorOptions {
    /// Whose containers are collected.
    pub installation: String,
    /// Skypanel's data directory; in its `observer/` lies how far logs have been read.
    pub data_dir: PathBuf,
}

/// Collects the logs of this node.
pub struct LogCollector {
    engine: Docker,
    store: Store,
    sink: Arc<dyn LogSink>,
    clock: Clock,
    options: LogCollectorOptions,
}

/// What the parts of the collector share.
struct Shared {
    engine: Docker,
    installation: String,
    /// The directory of the engine's own files.
    root: PathBuf,
    sink: Arc<dyn LogSink>,
    limits: Limits,
    names: Names,
    positions: Positions,
    watcher: Arc<Watcher>,
    /// Turns at reading, given out in the order they were asked for.
    turns: Arc<Semaphore>,
    clock: Clock,
}

impl LogCollector {
    /// One that reads this engine's containers and writes to this sink.
    pub fn new(
        engine: Docker,
        store: Store,
        sink: Arc<dyn LogSink>,
        clock: Clock,
        options: LogCollectorOptions,
    ) -> Self {
        Self { engine, store, sink, clock, options }
    }

    /// Collects until cancelled.
    pub async fn run(self, cancel: CancellationToken) {
        // Lines have the system's time, whatever clock tests set.
        let began = Utc::now();
        let Some(shared) = self.prepare(&cancel).await else { return };
        let store = &self.store;
        // Positions are written once more when nobody moves them any longer.
        let read = CancellationToken::new();
        let collect = async {
            tokio::join!(
                Containers::new(Arc::clone(&shared), began).run(&cancel),
                shared.watcher.run(&cancel),
                notices::follow_settings(&shared, store, &cancel),
                notices::tell(&shared, &cancel),
                sweep::run(&shared, store, &cancel),
                queue::run(&shared, store, &cancel),
            );
            read.cancel();
        };
        tokio::join!(collect, shared.positions.keep(&read));
    }

    async fn prepare(&self, cancel: &CancellationToken) -> Option<Arc<Shared>> {
        let root = cancel.run_until_cancelled(self.engine_root()).await?;
        let directory = self.options.data_dir.join("observer");
        let made = std::fs::create_dir_all(&directory);
        let watcher = made.and_then(|()| Watcher::new());
        let watcher = match watcher {
            Ok(watcher) => watcher,
            Err(error) => {
                tracing::error!(%error, directory = %directory.display(), "logs are not collected: this node cannot be prepared for it");
                return None;
            }
        };
        let allowance = limits::Allowance::from(&self.store.settings().await.unwrap_or_default());
        Some(Arc::new(Shared {
            engine: self.engine.clone(),
            installation: self.options.installation.clone(),
            root,
            sink: Arc::clone(&self.sink),
            limits: Limits::new(allowance),
            names: Names::new(self.store.clone()),
            positions: Positions::open(&directory.join("log-positions.json")),
            watcher,
            turns: Arc::new(Semaphore::new(AT_ONCE)),
            clock: self.clock.clone(),
        }))
    }

    /// The directory of the engine's own files, as soon as it answers.
    async fn engine_root(&self) -> PathBuf {
        loop {
            match tokio::time::timeout(ENGINE_LIMIT, self.engine.info()).await {
                Ok(Ok(info)) => return info.docker_root_dir.unwrap_or_else(|| "/var/lib/docker".to_owned()).into(),
                Ok(Err(error)) => {
                    tracing::warn!(%error, "the engine does not say where its log files are; asking again");
                }
                Err(_) => tracing::warn!("the engine did not say in time where its log files are; asking again"),
            }
            tokio::time::sleep(ENGINE_LIMIT).await;
        }
    }
}

impl Shared {
    /// Where the engine keeps what a container writes.
    fn directory(&self, container: &str) -> PathBuf {
        self.root.join("containers").join(Path::new(container)).join("local-logs")
    }

    /// Adds lines to an app's log, however often that has to be tried.
    async fn append(&self, app: AppId, records: Vec<LogRecord>) {
        let mut pause = RETRY.0;
        loop {
            match tokio::time::timeout(APPEND_LIMIT, self.sink.append(app, records.clone())).await {
                Ok(Ok(())) => return,
                Ok(Err(error)) => tracing::warn!(%error, %app, "lines of an app cannot be stored; trying again"),
                Err(_) => tracing::warn!(%app, "lines of an app were not stored in time; trying again"),
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(RETRY.1);
        }
    }

    /// Skypanel's own word in an app's log.
    fn system_record(&self, level: LogLevel, text: String) -> LogRecord {
        LogRecord::system(self.clock.now(), level, text)
    }
}
