//! Whose turn it is: pushes to one app run one after the other, so that each sees the refs the one before
//! it left. Without this the second of two pushes would be released and then refused by Git.
//!
//! First in line in this process, then against other receivers on the same database.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use skypanel_core::Result;
use skypanel_core::locks::{Lock, Locks};
use skypanel_core::model::AppId;
use tokio::sync::{Mutex as AsyncMutex, OwnedMutexGuard};

/// How often it is looked whether a push to another receiver has ended.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// The turns of all apps.
pub(crate) struct Turns {
    here: Mutex<HashMap<AppId, Arc<AsyncMutex<()>>>>,
    everywhere: Locks,
}

/// The right to push to an app, until dropped. The lock goes first, so that the next in line finds it free.
pub(crate) struct Turn {
    _lock: Lock,
    _guard: OwnedMutexGuard<()>,
}

impl Turns {
    pub(crate) fn new(everywhere: Locks) -> Self {
        Self { here: Mutex::default(), everywhere }
    }

    /// Takes the turn at once, if nobody has it.
    pub(crate) async fn try_take(&self, app: AppId) -> Result<Option<Turn>> {
        let Ok(guard) = self.of(app).try_lock_owned() else { return Ok(None) };
        let lock = self.everywhere.try_take(&name(app)).await?;
        Ok(lock.map(|lock| Turn { _lock: lock, _guard: guard }))
    }

    /// Waits for the turn; first come, first served among those who came to this receiver. Giving up is dropping
    /// the future.
    pub(crate) async fn take(&self, app: AppId) -> Result<Turn> {
        let guard = self.of(app).lock_owned().await;
        let name = name(app);
        loop {
            if let Some(lock) = self.everywhere.try_take(&name).await? {
                return Ok(Turn { _lock: lock, _guard: guard });
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    fn of(&self, app: AppId) -> Arc<AsyncMutex<()>> {
        let mut turns = self.here.lock().unwrap_or_else(PoisonError::into_inner);
        // Turns that nobody holds or waits for are forgotten here, so the map stays as small as what runs.
        turns.retain(|_, turn| Arc::strong_count(turn) > 1);
        Arc::clone(turns.entry(app).or_default())
    }
}

fn name(app: AppId) -> String {
    format!("skypanel.push:{app}")
}
