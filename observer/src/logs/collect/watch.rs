//! Tells when the engine wrote to a container's log files.

use std::collections::HashMap;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustix::fs::inotify::{self, CreateFlags, ReadFlags, WatchFlags};
use rustix::io::Errno;
use tokio::io::unix::AsyncFd;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// Pause after events were heard: a flood would wake us for each of its lines.
const GATHER: Duration = Duration::from_millis(5);

/// Watches directories.
pub(super) struct Watcher {
    inotify: AsyncFd<OwnedFd>,
    watched: Mutex<HashMap<i32, Arc<Notify>>>,
}

/// A directory that is watched until this is dropped.
pub(super) struct Watch {
    number: i32,
    changed: Arc<Notify>,
    watcher: Arc<Watcher>,
}

impl Watcher {
    /// One that watches nothing yet. Must be called in a runtime.
    #[expect(
        deprecated,
        reason = "what is unsound with types that lie about their descriptor is sound with an owned one"
    )]
    pub(super) fn new() -> io::Result<Arc<Self>> {
        let inotify = AsyncFd::new(inotify::init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC)?)?;
        Ok(Arc::new(Self { inotify, watched: Mutex::default() }))
    }

    /// Watches the files in a directory, which nobody else may watch here.
    pub(super) fn watch(self: &Arc<Self>, directory: &Path) -> io::Result<Watch> {
        let wanted = WatchFlags::MODIFY | WatchFlags::CREATE | WatchFlags::ONLYDIR;
        let mut watched = self.watched();
        let number = inotify::add_watch(self.inotify.get_ref(), directory, wanted)?;
        let changed = Arc::new(Notify::new());
        watched.insert(number, Arc::clone(&changed));
        Ok(Watch { number, changed, watcher: Arc::clone(self) })
    }

    /// Wakes who waits, until cancelled.
    pub(super) async fn run(&self, cancel: &CancellationToken) {
        let wake = async {
            loop {
                let heard = self.hear().await;
                if let Err(error) = heard {
                    tracing::error!(%error, "changes of log files cannot be heard; looking now and then");
                    return std::future::pending().await;
                }
                tokio::time::sleep(GATHER).await;
            }
        };
        let _: Option<()> = cancel.run_until_cancelled(wake).await;
    }

    async fn hear(&self) -> io::Result<()> {
        let mut ready = self.inotify.readable().await?;
        let mut buffer = [MaybeUninit::uninit(); 16 * 1024];
        let mut events = inotify::Reader::new(ready.get_inner(), &mut buffer);
        loop {
            match events.next() {
                Ok(event) if event.events().contains(ReadFlags::QUEUE_OVERFLOW) => {
                    self.watched().values().for_each(|changed| changed.notify_one());
                }
                Ok(event) => {
                    if let Some(changed) = self.watched().get(&event.wd()) {
                        changed.notify_one();
                    }
                }
                Err(Errno::WOULDBLOCK) => break,
                Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        ready.clear_ready();
        Ok(())
    }

    fn watched(&self) -> MutexGuard<'_, HashMap<i32, Arc<Notify>>> {
        // Every change of the map is one call, so that a panic cannot leave it half done.
        self.watched.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Watch {
    /// Returns when something was written since this was called last.
    pub(super) async fn changed(&self) {
        self.changed.notified().await;
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let mut watched = self.watcher.watched();
        watched.remove(&self.number);
        // Fails where the directory is gone, and the watch with it.
        let _ = inotify::remove_watch(self.watcher.inotify.get_ref(), self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn who_waits_for_a_directory_hears_of_its_files_alone() {
        let [one, other] = [(); 2].map(|()| tempfile::tempdir().expect("makes a directory"));
        let watcher = Watcher::new().expect("starts");
        let watch = watcher.watch(one.path()).expect("watches");
        let of_other = watcher.watch(other.path()).expect("watches");
        assert!(watcher.watch(&one.path().join("missing")).is_err());
        let cancel = CancellationToken::new();
        let running = tokio::spawn({
            let (watcher, cancel) = (Arc::clone(&watcher), cancel.clone());
            async move { watcher.run(&cancel).await }
        });
        for text in ["one", "two"] {
            std::fs::write(one.path().join("file"), text).expect("writes");
            tokio::time::timeout(Duration::from_secs(10), watch.changed()).await.expect("is heard");
        }
        assert!(tokio::time::timeout(Duration::from_millis(50), of_other.changed()).await.is_err());
        drop((watch, of_other));
        assert!(watcher.watched().is_empty());
        cancel.cancel();
        running.await.expect("ends");
    }
}
