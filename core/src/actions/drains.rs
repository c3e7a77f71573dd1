//! Log drains: where an app's lines are forwarded to.

use serde_json::{Value, json};

use super::change::AppChange;
use super::{Actions, Actor};
use crate::model::{AppRef, DrainAddress, LogDrain, LogDrainId};
use crate::store::{Access, AuditEntry, audit, drains};
use crate::{Error, Result};

/// Most drains of an app.
const MAX_DRAINS: i64 = 5;

impl Actions {
    /// An app's drains.
    pub async fn log_drains(&self, actor: &Actor, app: &AppRef) -> Result<Vec<LogDrain>> {
        let app = self.app_of(actor, app, Access::Read).await?;
        self.store.log_drains(app.id).await
    }

    /// Has an app's lines forwarded from now on. The host must be one that may be connected to.
    pub async fn add_log_drain(&self, actor: &Actor, app: &AppRef, url: &str) -> Result<LogDrain> {
        // Before the host is looked up for somebody who may not add any.
        let of = self.app_of(actor, app, Access::Change).await?;
        let address: DrainAddress = url.parse()?;
        let guard = self.git.guard(&self.store.settings().await?);
        guard.addresses(&address.host).await.map_err(|error| Error::field("url", error.to_string()))?;
        let mut change = self.change(actor, &AppRef::Id(of.id), Access::Change).await?;
        if drains::count(&mut change.transaction, change.app.id).await? >= MAX_DRAINS {
            return Err(Error::Conflict(format!(
                "The app has {MAX_DRAINS} log drains, which is the most there can be. Remove one first."
            )));
        }
        let (by, now) = (actor.user_id(), change.now);
        let drain = self.store.add_log_drain(&mut change.transaction, &change.app, &address, by, now).await?;
        record(&mut change, "drain.create", &drain, (Value::Null, shown(&drain))).await?;
        change.tell("drain", &format!("Added the log drain {address}")).await?;
        change.commit().await?;
        Ok(drain)
    }

    /// Ends the forwarding of an app's lines to a drain.
    pub async fn remove_log_drain(&self, actor: &Actor, app: &AppRef, drain: LogDrainId) -> Result<LogDrain> {
        let mut change = self.change(actor, app, Access::Change).await?;
        let removed = drains::remove(&mut change.transaction, change.app.id, drain).await?;
        record(&mut change, "drain.remove", &removed, (shown(&removed), Value::Null)).await?;
        change.tell("drain", &format!("Removed the log drain {}", removed.shown_address)).await?;
        change.commit().await?;
        Ok(removed)
    }
}

/// A drain as the audit log tells of it.
fn shown(drain: &LogDrain) -> Value {
    json!({ "address": drain.shown_address })
}

async fn record(
    change: &mut AppChange<'_>,
    action: &'static str,
    drain: &LogDrain,
    (before, after): (Value, Value),
) -> Result<()> {
    let entry = AuditEntry {
        action,
        organization: Some(change.app.organization_id),
        target_kind: "drain",
        target: &drain.id.to_string(),
        before,
        after,
    };
    audit::record(&mut change.transaction, change.actor, change.now, entry).await
}
