//! What admins of the platform do with the queue: look, and have what failed tried again.

use serde_json::json;

use super::plans::admin;
use super::{Actions, Actor};
use crate::Result;
use crate::store::{AuditEntry, QueuedJob, QueuedJobState, audit, queued_jobs};

impl Actions {
    /// Jobs of the queue, newest first, from before the job `before` on; with `state`, those that are there.
    pub async fn queued_jobs(
        &self,
        actor: &Actor,
        state: Option<QueuedJobState>,
        before: Option<i64>,
        rows: i64,
    ) -> Result<Vec<QueuedJob>> {
        admin(actor)?;
        self.store.queued_jobs(state, before, rows).await
    }

    /// Has a job tried at once, with all its tries anew.
    pub async fn retry_job(&self, actor: &Actor, job: i64) -> Result<()> {
        admin(actor)?;
        let mut transaction = self.store.pool().begin().await?;
        let before = queued_jobs::retry(&mut transaction, job).await?;
        let entry = AuditEntry {
            action: "job.retry",
            organization: None,
            target_kind: "job",
            target: &job.to_string(),
            before: json!({ "task": before.task, "state": before.state.as_str(), "attempts": before.attempts }),
            after: json!({ "task": before.task, "state": QueuedJobState::Waiting.as_str(), "attempts": 0 }),
        };
        audit::record(&mut transaction, actor, self.clock.now(), entry).await?;
        transaction.commit().await?;
        Ok(())
    }
}
