//! Whose turn it is: pushes to one app run one after the other, so that each sees the refs the one before
//! it left. Without this the second of two pushes would be released and then refused by Git.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use skypanel_core::model::AppId;
use tokio::sync::{Mutex as AsyncMutex, OwnedMutexGuard};

/// The turns of all apps.
#[derive(Default)]
pub(crate) struct Turns(Mutex<HashMap<AppId, Arc<AsyncMutex<()>>>>);

/// The right to push to an app, until dropped.
pub(crate) struct Turn {
    _guard: OwnedMutexGuard<()>,
}

impl Turns {
    /// Takes the turn at once, if nobody has it.
    pub(crate) fn try_take(&self, app: AppId) -> Option<Turn> {
        self.of(app).try_lock_owned().ok().map(|guard| Turn { _guard: guard })
    }

    /// Waits for the turn; first come, first served. Giving up is dropping the future.
    pub(crate) async fn take(&self, app: AppId) -> Turn {
        Turn { _guard: self.of(app).lock_owned().await }
    }

    fn of(&self, app: AppId) -> Arc<AsyncMutex<()>> {
        let mut turns = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Turns that nobody holds or waits for are forgotten here, so the map stays as small as what runs.
        turns.retain(|_, turn| Arc::strong_count(turn) > 1);
        Arc::clone(turns.entry(app).or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn one_at_a_time_per_app_and_forgotten_afterwards() {
        let turns = Turns::default();
        let (one, other) = (AppId::new(), AppId::new());
        let first = turns.try_take(one).expect("free");
        assert!(turns.try_take(one).is_none());
        let second = turns.try_take(other).expect("another app");
        drop(first);
        drop(turns.take(one).await);
        drop(second);
        drop(turns.try_take(AppId::new()));
        assert!(turns.0.lock().expect("not poisoned").len() <= 1);
    }
}
