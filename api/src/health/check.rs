//! One look at something that Skypanel depends on, and what was seen at the last one.

use std::time::{Duration, Instant};

use serde::Serialize;
use tokio::sync::Mutex;
use utoipa::ToSchema;

/// Longest one dependency may take to answer.
const LIMIT: Duration = Duration::from_secs(5);

/// The outcome of one check.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct Check {
    /// `ok`, `failed`, or `off` for what is not set up here and so was not looked at.
    #[schema(example = "ok")]
    status: &'static str,
    /// How long its answer took.
    milliseconds: u64,
    /// How long ago that was.
    age_seconds: u64,
}

impl Check {
    /// Of what is not there to be looked at.
    pub(super) const OFF: Self = Self { status: "off", milliseconds: 0, age_seconds: 0 };

    /// Does `work`, for a bounded time. Reasons go to the log only. None where there is nothing to look at.
    pub(super) async fn of<T, E: std::error::Error>(
        what: &str,
        work: impl Future<Output = Result<Option<T>, E>>,
    ) -> Self {
        let started = Instant::now();
        let status = match tokio::time::timeout(LIMIT, work).await {
            Ok(Ok(Some(_))) => "ok",
            Ok(Ok(None)) => return Self::OFF,
            Ok(Err(error)) => {
                tracing::warn!(what, %error, "a health check failed");
                "failed"
            }
            Err(_) => {
                tracing::warn!(what, limit = ?LIMIT, "a health check got no answer in time");
                "failed"
            }
        };
        Self { status, milliseconds: u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX), age_seconds: 0 }
    }

    /// The same, looked at that long ago.
    pub(super) fn aged(self, age: Duration) -> Self {
        Self { age_seconds: age.as_secs(), ..self }
    }

    pub(super) fn is_ok(&self) -> bool {
        self.status == "ok"
    }

    pub(super) fn is_failed(&self) -> bool {
        self.status == "failed"
    }
}

/// What was seen at the last look, given again for a while: a crowd that asks must not load what it asks about.
pub(super) struct Kept<T> {
    time: Duration,
    last: Mutex<Option<Seen<T>>>,
}

struct Seen<T> {
    at: Instant,
    /// What the settings said then.
    settings: u64,
    what: T,
}

impl<T: Clone> Kept<T> {
    /// Kept for `time`.
    pub(super) fn new(time: Duration) -> Self {
        Self { time, last: Mutex::new(None) }
    }

    /// What was seen lately, with its age; or what `look` sees now, for all who ask meanwhile. What was seen before the
    /// settings changed, which gives them another number, does not count.
    pub(super) async fn get(&self, settings: u64, look: impl Future<Output = T>) -> (T, Duration) {
        let mut last = self.last.lock().await;
        if let Some(seen) = last.as_ref()
            && seen.settings == settings
            && seen.at.elapsed() < self.time
        {
            return (seen.what.clone(), seen.at.elapsed());
        }
        let what = look.await;
        *last = Some(Seen { at: Instant::now(), settings, what: what.clone() });
        (what, Duration::ZERO)
    }
}
