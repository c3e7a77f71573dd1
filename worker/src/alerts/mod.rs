//! Alerts: has all rules look, and sends what is news. The store keeps both from being done twice.

use skypanel_core::Result;
use skypanel_core::alerts::{Rule, Watch, rules};
use skypanel_core::jobs::{CheckAlerts, SendNotification};
use skypanel_core::notifications::{Delivered, Notifier};

use crate::{Job, Worker};

impl Job for CheckAlerts {
    async fn run(self, worker: Worker, _attempt: i16) -> Result<()> {
        let looked = Watch::new(worker.store.clone(), all(&worker)).look().await?;
        for (rule, name, news) in &looked.news {
            tracing::info!(%rule, subject = name, %news, "an alert has news");
        }
        for (rule, reason) in &looked.blind {
            tracing::warn!(%rule, reason, "a rule could not look");
        }
        let lost = worker.store.requeue_notifications(worker.store.clock().now()).await?;
        if lost > 0 {
            tracing::info!(messages = lost, "queued messages again whose sending was interrupted");
        }
        Ok(())
    }
}

/// Every rule there is.
fn all(worker: &Worker) -> Vec<Box<dyn Rule>> {
    rules::of_the_store().into_iter().chain(rules::of_the_outside(&worker.outside)).collect()
}

impl Job for SendNotification {
    async fn run(self, worker: Worker, _attempt: i16) -> Result<()> {
        let notifier = Notifier::new(worker.store.clone(), worker.git.resolver());
        let delivered = notifier.deliver(self.notification, self.target).await?;
        if matches!(delivered, Delivered::Retried | Delivered::Failed) {
            tracing::warn!(notification = %self.notification, ?delivered, "a message about alerts was not taken");
        }
        Ok(())
    }
}
