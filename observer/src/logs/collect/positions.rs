//! How far each container of this node has been read: kept in a file, so that a restart goes on there. After a restart
//! of the machine all is read anew, because the store may have lost its last lines; those it has are known again.

use std::collections::{BTreeMap, HashSet};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use super::lines::Unfinished;
use super::log_files::Place;

/// How often they are written. What was read since is read again after a crash, and known again from the store.
const EVERY: Duration = Duration::from_millis(500);

/// How far a container has been read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Position {
    pub(super) place: Place,
    #[serde(default)]
    pub(super) unfinished: Unfinished,
}

/// The positions in all containers, by their ids.
#[derive(Debug)]
pub(super) struct Positions {
    path: PathBuf,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    written: Written,
    changed: bool,
}

/// What is in the file.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Written {
    /// The kernel's id of the time since the machine was started.
    boot: String,
    positions: BTreeMap<String, Position>,
}

impl Positions {
    /// Reads the file at `path`, if there is one.
    pub(super) fn open(path: &Path) -> Self {
        let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
        let none = || Written { boot: boot.clone(), positions: BTreeMap::new() };
        let written = match std::fs::read(path) {
            Ok(bytes) => serde_json::from_slice(&bytes).unwrap_or_else(|error| {
                tracing::warn!(%error, path = %path.display(), "how far logs were read is not known; reading from their beginning");
                none()
            }),
            Err(_) => none(),
        };
        let written = if written.boot == boot { written } else { none() };
        Self { path: path.to_owned(), state: Mutex::new(State { written, changed: false }) }
    }

    /// How far the container has been read.
    pub(super) fn get(&self, container: &str) -> Option<Position> {
        self.state().written.positions.get(container).cloned()
    }

    /// Notes that it has been read to there, and all that is before is stored.
    pub(super) fn set(&self, container: &str, position: Position) {
        let mut state = self.state();
        state.changed = true;
        state.written.positions.insert(container.to_owned(), position);
    }

    /// Forgets the containers that are gone.
    pub(super) fn retain(&self, there: &HashSet<String>) {
        let mut state = self.state();
        let before = state.written.positions.len();
        state.written.positions.retain(|container, _| there.contains(container));
        state.changed |= state.written.positions.len() != before;
    }

    /// Writes them now and then, and once more when cancelled.
    pub(super) async fn keep(&self, cancel: &CancellationToken) {
        let mut failed = false;
        loop {
            let stopped = cancel.run_until_cancelled(tokio::time::sleep(EVERY)).await.is_none();
            match self.write() {
                Ok(()) => failed = false,
                Err(error) => {
                    if !std::mem::replace(&mut failed, true) {
                        tracing::error!(%error, path = %self.path.display(), "how far logs were read cannot be written; trying again");
                    }
                    self.state().changed = true;
                }
            }
            if stopped {
                return;
            }
        }
    }

    fn write(&self) -> std::io::Result<()> {
        let bytes = {
            let mut state = self.state();
            if !std::mem::take(&mut state.changed) {
                return Ok(());
            }
            serde_json::to_vec(&state.written)?
        };
        let part = self.path.with_extension("part");
        std::fs::File::create(&part)?.write_all(&bytes)?;
        std::fs::rename(&part, &self.path)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Every change of the map is one call, so that a panic cannot leave it half done.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn position(offset: u64) -> Position {
        serde_json::from_value(serde_json::json!({
            "place": { "file": { "inode": 7, "made": 8 }, "offset": offset },
        }))
        .expect("is one")
    }

    #[tokio::test]
    async fn positions_outlive_the_process() {
        let directory = tempfile::tempdir().expect("makes a directory");
        let path = directory.path().join("positions.json");
        let positions = Positions::open(&path);
        positions.set("one", position(1));
        positions.set("two", position(2));
        positions.set("one", position(3));
        positions.retain(&HashSet::from(["one".to_owned()]));
        let cancel = CancellationToken::new();
        cancel.cancel();
        positions.keep(&cancel).await;
        let again = Positions::open(&path);
        assert_eq!((again.get("one"), again.get("two")), (Some(position(3)), None));
        let text = std::fs::read_to_string(&path).expect("reads");
        for unknown in [text.replacen("\"boot\":\"", "\"boot\":\"another", 1), text[..9].to_owned()] {
            std::fs::write(&path, &unknown).expect("writes");
            assert_eq!(Positions::open(&path).get("one"), None, "{unknown}");
        }
    }
}
