//! Drops the logs of apps that are gone.

use std::time::Duration;

use skypanel_core::Result;
use skypanel_core::store::Store;
use tokio_util::sync::CancellationToken;

use super::Shared;

/// How often to look.
const EVERY: Duration = Duration::from_mins(1);

/// Looks now and then until cancelled.
pub(super) async fn run(shared: &Shared, store: &Store, cancel: &CancellationToken) {
    while !cancel.is_cancelled() {
        if let Some(Err(error)) = cancel.run_until_cancelled(sweep(shared, store)).await {
            tracing::warn!(%error, "the logs of apps that are gone could not be removed; trying again");
        }
        let _ = cancel.run_until_cancelled(tokio::time::sleep(EVERY)).await;
    }
}

async fn sweep(shared: &Shared, store: &Store) -> Result<()> {
    for app in store.gone_apps(&shared.sink.apps().await?).await? {
        shared.sink.remove(app).await?;
        tracing::info!(%app, "removed the log of an app that is gone");
    }
    Ok(())
}
