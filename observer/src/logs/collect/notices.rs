//! Tells apps in their own logs what was dropped of them, and goes by the settings that say how much is too much.

use std::time::{Duration, Instant};

use skypanel_core::logs::LogLevel;
use skypanel_core::store::Store;
use tokio_util::sync::CancellationToken;

use super::Shared;
use super::limits::{Allowance, Dropped};

/// How often to look whether there is something to tell.
const EVERY: Duration = Duration::from_secs(1);
/// How often to look at the settings when no change was told.
const RECHECK: Duration = Duration::from_secs(30);

/// Tells until cancelled, and then what has not been told.
pub(super) async fn tell(shared: &Shared, cancel: &CancellationToken) {
    loop {
        let stopped = cancel.run_until_cancelled(tokio::time::sleep(EVERY)).await.is_none();
        for dropped in shared.limits.dropped(Instant::now(), stopped) {
            let record = shared.system_record(LogLevel::Warn, notice(dropped, &shared.limits.allowance()));
            if stopped {
                let _ = tokio::time::timeout(EVERY, shared.append(dropped.app, vec![record])).await;
            } else if cancel.run_until_cancelled(shared.append(dropped.app, vec![record])).await.is_none() {
                return;
            }
        }
        if stopped {
            return;
        }
    }
}

fn notice(dropped: Dropped, allowance: &Allowance) -> String {
    let (lines, is) = if dropped.lines == 1 { ("line", "is") } else { ("lines", "are") };
    format!(
        "{} {lines} {is} missing here: the app logs more than the {} lines or {} KiB a second that it may. Log less, such as a \
         sample of what repeats.",
        dropped.lines,
        allowance.lines_per_second,
        allowance.bytes_per_second >> 10,
    )
}

/// Goes by the settings as they are, until cancelled.
pub(super) async fn follow_settings(shared: &Shared, store: &Store, cancel: &CancellationToken) {
    let mut changes = store.settings_changes();
    while !cancel.is_cancelled() {
        match store.settings().await {
            Ok(settings) => shared.limits.set(Allowance::from(&settings)),
            Err(error) => tracing::warn!(%error, "how much apps may log cannot be read; going by what it was"),
        }
        let _ = cancel.run_until_cancelled(tokio::time::timeout(RECHECK, changes.changed())).await;
    }
}
