//! How far each container of this node has been read: kept in a file, so that a restart goes on there.

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
    positions: BTreeMap<String, Position>,
    changed: bool,
}

impl Positions {
    /// Reads the file at `path`, if there is one.
    pub(super) fn open(path: &Path) -> Self {
        let positions = match std::fs::read(path) {
            Ok(bytes) => serde_json::from_slice(&bytes).unwrap_or_else(|error| {
                tracing::warn!(%error, path = %path.display(), "how far logs were read is not known; reading from their beginning");
                BTreeMap::new()
            }),
            Err(_) => BTreeMap::new(),
        };
        Self { path: path.to_owned(), state: Mutex::new(State { positions, changed: false }) }
    }

    /// How far the container has been read.
    pub(super) fn get(&self, container: &str) -> Option<Position> {
        self.state().positions.get(container).cloned()
    }

    /// Notes that it has been read to there, and all that is before is stored.
    pub(super) fn set(&self, container: &str, position: Position) {
        let mut state = self.state();
        state.changed = true;
        state.positions.insert(container.to_owned(), position);
    }

    /// Forgets the containers that are gone.
    pub(super) fn retain(&self, there: &HashSet<String>) {
        let mut state = self.state();
        let before = state.positions.len();
        state.positions.retain(|container, _| there.contains(container));
        state.changed |= state.positions.len() != before;
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
            serde_json::to_vec(&state.positions)?
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
        std::fs::write(&path, b"{\"one\":").expect("writes");
        assert_eq!(Positions::open(&path).get("one"), None);
    }
}
