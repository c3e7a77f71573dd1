//! The embedded store: each app's lines in files of its own on this machine. One process writes (the agent's), any
//! number read. What was appended survives the end of the process, and what is older than a second that of the machine.

mod app;
mod block;
mod frame;
mod index;
mod keep;
mod place;
mod retention;
mod segment;

use std::collections::HashMap;
use std::fs::{File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use skypanel_core::clock::Clock;
use skypanel_core::logs::LogRecord;
use skypanel_core::model::AppId;
use skypanel_core::{Error, Result};
use tokio::sync::{Notify, watch};

use app::AppLog;
pub(super) use app::LEAP;
pub(super) use block::Block;
pub(super) use frame::{Found, Frame, MAGIC, decode as decode_frame, level_code, nanoseconds, source_code};
pub(super) use index::{Entry, Index, process_bits};
pub(super) use place::{Files, Kind, file as file_of, of_app, read_from, read_range};

use super::read::Hubs;

const MIB: u64 = 1024 * 1024;

/// How much is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogLimits {
    /// For how long.
    pub retention: Duration,
    /// Most bytes on disk of an app.
    pub app_bytes: u64,
    /// Most bytes on disk of all apps.
    pub total_bytes: u64,
    /// Whether the log itself tells of lines that are removed for their size. Those that were handed on are not lost.
    pub tells: bool,
}

impl Default for LogLimits {
    fn default() -> Self {
        Self { retention: Duration::from_hours(7 * 24), app_bytes: 512 * MIB, total_bytes: 10_240 * MIB, tells: true }
    }
}

/// How a store is opened for writing.
#[derive(Clone, Debug, Default)]
pub struct LogStoreOptions {
    /// The time, by which lines grow too old.
    pub clock: Clock,
    /// How much is kept until [`EmbeddedLogs::set_limits`] says otherwise.
    pub limits: LogLimits,
}

/// The embedded store. Cheap to clone; clones are the same store.
#[derive(Clone)]
pub struct EmbeddedLogs {
    inner: Arc<Inner>,
}

struct Inner {
    root: PathBuf,
    writer: Option<Writer>,
    hubs: Hubs,
}

/// What only the one writer has.
struct Writer {
    clock: Clock,
    limits: Mutex<LogLimits>,
    apps: Mutex<HashMap<AppId, Arc<OpenApp>>>,
    /// Tells those who hand lines on of new ones, whosever they are.
    grown: watch::Sender<()>,
    /// Something waits to be sealed.
    to_seal: Notify,
    /// Whether the machine was started anew since the store was written to, and may have lost lines.
    leap: bool,
    /// Bytes of all apps when they were last counted.
    bytes: AtomicU64,
    _lock: File,
}

/// An app's log, open for writing.
struct OpenApp {
    id: AppId,
    /// None until what an earlier process left was taken over.
    log: Mutex<Option<AppLog>>,
    /// Held by whoever seals or removes segments.
    sealing: Mutex<()>,
    /// Tells followers in this process of new lines.
    appended: watch::Sender<()>,
}

impl std::fmt::Debug for EmbeddedLogs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EmbeddedLogs").field("root", &self.inner.root).finish_non_exhaustive()
    }
}

impl EmbeddedLogs {
    /// Opens the store in `root` for writing; makes it where there is none. Only one process can.
    ///
    /// Nothing is sealed, removed or brought to disk for good unless [`EmbeddedLogs::keep`] runs.
    pub fn open(root: &Path, options: LogStoreOptions) -> Result<Self> {
        let failed = |error| failed(root, "opened", &error);
        place::make_directory(root).map_err(failed)?;
        let lock = place::open_to_write(&root.join("lock")).map_err(failed)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(Error::Conflict(format!(
                    "Another process writes to the logs in {}. Only one agent can run for a data directory.",
                    root.display()
                )));
            }
            Err(TryLockError::Error(error)) => return Err(failed(error)),
        }
        let leap = note_boot(root).map_err(failed)?;
        let LogStoreOptions { clock, limits } = options;
        let writer = Writer {
            clock,
            limits: Mutex::new(limits),
            apps: Mutex::default(),
            grown: watch::Sender::default(),
            to_seal: Notify::new(),
            leap,
            bytes: AtomicU64::new(0),
            _lock: lock,
        };
        Ok(Self { inner: Arc::new(Inner { root: root.to_owned(), writer: Some(writer), hubs: Hubs::default() }) })
    }

    /// The store in `root` for reading only, while another process may write to it.
    pub fn reader(root: &Path) -> Self {
        Self { inner: Arc::new(Inner { root: root.to_owned(), writer: None, hubs: Hubs::default() }) }
    }

    /// Adds lines to an app's log, in this order, all or none. When it answers they are the kernel's: the end of this
    /// process loses none of them. Dropping the future early leaves open whether they were added.
    pub async fn append(&self, app: AppId, records: Vec<LogRecord>) -> Result<()> {
        let logs = self.clone();
        tokio::task::spawn_blocking(move || logs.append_now(app, &records))
            .await
            .map_err(|error| Error::System(format!("Writing logs broke down: {error}.")))?
    }

    /// The same for callers that may wait for the disk.
    pub fn append_now(&self, app: AppId, records: &[LogRecord]) -> Result<()> {
        let writer = self.writer()?;
        let open = writer.app(app);
        let appended = open.with_log(writer, &self.inner.root, |log| {
            let waiting = log.set_aside.len();
            let appended = log.append(records, writer.clock.now());
            if log.set_aside.len() > waiting {
                writer.to_seal.notify_one();
            }
            appended
        });
        appended.map_err(|error| failed(&of_app(&self.inner.root, app), "written", &error))?;
        open.appended.send_replace(());
        writer.grown.send_replace(());
        Ok(())
    }

    /// Changes how much is kept; it counts from the next look on, within a minute.
    pub fn set_limits(&self, limits: LogLimits) -> Result<()> {
        *locked(&self.writer()?.limits) = limits;
        Ok(())
    }

    /// All apps of which something is kept.
    pub fn apps(&self) -> Result<Vec<AppId>> {
        place::apps(&self.inner.root).map_err(|error| failed(&self.inner.root, "listed", &error))
    }

    /// Bytes on disk of all apps, when they were last counted.
    pub fn bytes(&self) -> u64 {
        self.inner.writer.as_ref().map_or(0, |writer| writer.bytes.load(Ordering::Relaxed))
    }

    pub(super) fn root(&self) -> &Path {
        &self.inner.root
    }

    pub(super) fn hubs(&self) -> &Hubs {
        &self.inner.hubs
    }

    /// Hears of new lines of an app; none where another process writes.
    pub(super) fn appended(&self, app: AppId) -> Option<watch::Receiver<()>> {
        Some(self.inner.writer.as_ref()?.app(app).appended.subscribe())
    }

    /// Hears of new lines of all apps; none where another process writes.
    pub(super) fn grown(&self) -> Option<watch::Receiver<()>> {
        Some(self.inner.writer.as_ref()?.grown.subscribe())
    }

    /// The apps that this process knows of, each with the number of its newest line.
    pub(super) fn newest(&self) -> Vec<(AppId, u64)> {
        let apps = self.open_apps().unwrap_or_default();
        apps.iter().filter_map(|open| Some((open.id, locked(&open.log).as_ref()?.newest()))).collect()
    }

    fn writer(&self) -> Result<&Writer> {
        self.inner.writer.as_ref().ok_or_else(|| Error::System("These logs were opened for reading only.".to_owned()))
    }
}

impl Writer {
    fn app(&self, id: AppId) -> Arc<OpenApp> {
        let new =
            || OpenApp { id, log: Mutex::default(), sealing: Mutex::default(), appended: watch::Sender::default() };
        locked(&self.apps).entry(id).or_insert_with(|| Arc::new(new())).clone()
    }
}

impl OpenApp {
    /// Does something with the log; first takes over what an earlier process left of it.
    fn with_log<T>(
        &self,
        writer: &Writer,
        root: &Path,
        act: impl FnOnce(&mut AppLog) -> io::Result<T>,
    ) -> io::Result<T> {
        let mut log = locked(&self.log);
        let log = match &mut *log {
            Some(log) => log,
            none => none.insert(AppLog::recover(of_app(root, self.id), writer.clock.now(), writer.leap)?),
        };
        act(log)
    }
}

/// Notes in the store when the machine was started; answers whether that was since the last time.
fn note_boot(root: &Path) -> io::Result<bool> {
    // Where the kernel does not tell, every start counts.
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let path = root.join("boot");
    let same = std::fs::read_to_string(&path).is_ok_and(|noted| !noted.is_empty() && noted == boot);
    if !same {
        std::fs::write(&path, boot)?;
    }
    Ok(!same)
}

fn failed(path: &Path, what: &str, error: &io::Error) -> Error {
    Error::System(format!(
        "The logs in {} cannot be {what}: {error}. See to it that the disk has room and Skypanel may write there.",
        path.display()
    ))
}

/// What is under these locks is whole at any time, also when a thread broke down.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
