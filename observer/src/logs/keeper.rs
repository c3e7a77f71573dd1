//! The agent's care for the embedded store: it is kept in order, within the limits that the settings set.

use std::time::Duration;

use skypanel_core::Result;
use skypanel_core::settings::{LogBackend, Settings};
use skypanel_core::store::Store;
use tokio_util::sync::CancellationToken;

use super::{EmbeddedLogs, LogLimits};

/// How often the settings are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(60);
/// Longest the database may take for that.
const DATABASE_LIMIT: Duration = Duration::from_secs(30);
const MIB: u64 = 1024 * 1024;

impl LogLimits {
    /// What the settings say.
    pub fn of(settings: &Settings) -> Self {
        Self {
            retention: Duration::from_hours(24)
                .saturating_mul(u32::try_from(settings.logs_retention_days).unwrap_or(u32::MAX)),
            app_bytes: settings.logs_max_mb_per_app.saturating_mul(MIB),
            total_bytes: settings.logs_max_mb.saturating_mul(MIB),
            tells: settings.logs_backend == LogBackend::Embedded,
        }
    }
}

/// Takes care of the logs until `stop`.
pub async fn keep_logs(logs: EmbeddedLogs, store: Store, stop: CancellationToken) {
    let looking = async {
        let mut look = tokio::time::interval(LOOK_EVERY);
        look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                _ = look.tick() => {}
            }
            match tokio::time::timeout(DATABASE_LIMIT, look_after(&logs, &store)).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => {
                    tracing::warn!(%error, "it is not known how long to keep which logs; all stay as they are");
                }
                Err(_) => {
                    tracing::warn!("the database does not tell how long to keep which logs; all stay as they are");
                }
            }
        }
    };
    tokio::join!(logs.clone().keep(stop.clone()), looking);
}

async fn look_after(logs: &EmbeddedLogs, store: &Store) -> Result<()> {
    logs.set_limits(LogLimits::of(&store.settings().await?))
}
