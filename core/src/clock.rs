//! Where the time comes from: the system, or a test's own hands.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, SubsecRound as _, Utc};

/// A source of the time. Cheap to clone; clones of a settable clock show the same time.
#[derive(Clone, Debug, Default)]
pub struct Clock {
    set: Option<Arc<Mutex<DateTime<Utc>>>>,
}

impl Clock {
    /// The system's clock.
    pub fn system() -> Self {
        Self::default()
    }

    /// Whether it is the system's.
    pub fn is_system(&self) -> bool {
        self.set.is_none()
    }

    /// A clock that stands at `now` until it is told to go on.
    pub fn standing_at(now: DateTime<Utc>) -> Self {
        Self { set: Some(Arc::new(Mutex::new(now))) }
    }

    /// The time, to the microsecond: what Postgres keeps, so that a stored time equals the one that was stored.
    pub fn now(&self) -> DateTime<Utc> {
        let now = match &self.set {
            Some(set) => *set.lock().unwrap_or_else(PoisonError::into_inner),
            None => Utc::now(),
        };
        now.trunc_subsecs(6)
    }

    /// Moves a settable clock forward; the system's goes by itself.
    pub fn advance(&self, by: Duration) {
        if let Some(set) = &self.set {
            let mut now = set.lock().unwrap_or_else(PoisonError::into_inner);
            *now += by;
        }
    }

    /// Sets a settable clock; the system's stays as it is.
    pub fn set(&self, to: DateTime<Utc>) {
        if let Some(set) = &self.set {
            *set.lock().unwrap_or_else(PoisonError::into_inner) = to;
        }
    }
}
