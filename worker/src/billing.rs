//! Billing: settle the hours that are over. The store does it; this says when, and tells the operator.

use skypanel_core::Result;
use skypanel_core::jobs::SettleUsage;

use crate::{Job, Worker};

impl Job for SettleUsage {
    async fn run(self, worker: Worker, _attempt: i16) -> Result<()> {
        let settled = worker.store.settle_usage().await?;
        if settled.app_hours > 0 {
            tracing::info!(app_hours = settled.app_hours, charged = %settled.charged, "settled usage");
        }
        if !settled.suspended.is_empty() || !settled.resumed.is_empty() {
            tracing::info!(
                suspended = settled.suspended.len(),
                resumed = settled.resumed.len(),
                "brought apps in step with wallets"
            );
        }
        Ok(())
    }
}
