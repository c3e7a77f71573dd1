//! An app that goes to another organisation, and runs on there.

use serde_json::json;

use super::organizations_admin::lock;
use super::{Actions, Actor};
use crate::model::{AppRef, AppStatus, OrganizationRef, SuspensionReason};
use crate::store::deployments::{self, Cancelled};
use crate::store::{Access, AppView, AuditEntry, app_views, apps, audit, events, quotas, suspension, usage};
use crate::{Error, Result};

impl Actions {
    /// Moves an app to another organisation, of which the actor must be an owner as well. It runs on; what is being
    /// built is cancelled. What it used until now stays the old organisation's. Neither may be suspended, and the new one
    /// must have room and money for it.
    pub async fn transfer_app(&self, actor: &Actor, app: &AppRef, to: &OrganizationRef) -> Result<AppView> {
        let found = self.app_of(actor, app, Access::Own).await?;
        let heir = self.organization_for(actor, to, Access::Own).await.map_err(|error| match error {
            Error::NotFound(_) => Error::field("organization", "You are in no organisation of that name or id."),
            other => other,
        })?;
        let from = found.organization_id;
        if heir.id == from {
            return Err(Error::field("organization", "The app is there already. Choose another organisation."));
        }
        // Before the transaction, which takes one connection for itself.
        let settings = self.store.settings().await?;
        let now = self.clock.now();
        let mut transaction = self.store.pool().begin().await?;
        // In order, like all who hold several.
        let mut held = [from, heir.id];
        held.sort();
        for organization in held {
            lock(&mut transaction, organization).await?;
        }
        let locked = apps::lock(&mut transaction, found.id).await?;
        if locked.status == AppStatus::Deleting || locked.organization_id != from {
            return Err(Error::Conflict(format!("The app \"{}\" was moved or destroyed meanwhile.", locked.slug)));
        }
        suspension::ensure_not_suspended(&mut transaction, from).await?;
        suspension::ensure_may_run(&mut transaction, heir.id).await?;
        quotas::check_room(&mut transaction, heir.id, &settings, 1).await?;
        let cost_before = usage::burn(&mut transaction, heir.id, None).await?;
        let before = app_views::view(&mut transaction, locked.id).await?;
        // What is built was begun with the secrets, and for the wallet, of the organisation that it leaves.
        let reason = ("CANCELLED", "Cancelled: the app moved to another organisation. Deploy again.");
        deployments::cancel(&mut transaction, locked.id, Cancelled::All, reason, now).await?;
        self.store.reassign_app(&mut transaction, locked.id, from, heir.id, now).await?;
        events::follow(&mut transaction, locked.id, heir.id).await?;
        let message = format!("Moved here from {}", before.organization_name);
        events::record(&mut transaction, locked.id, actor.user_id(), "transfer", &message, now).await?;
        for reason in [SuspensionReason::Admin, SuspensionReason::Wallet] {
            suspension::release(&mut transaction, heir.id, reason, now).await?;
        }
        let cost = usage::burn(&mut transaction, heir.id, None).await?;
        if cost > cost_before {
            suspension::ensure_an_hour(&mut transaction, heir.id, cost, now).await?;
        }
        let view = app_views::view(&mut transaction, locked.id).await?;
        // Both organisations' logs tell of it.
        for organization in [from, heir.id] {
            let entry = AuditEntry {
                action: "app.transfer",
                organization: Some(organization),
                target_kind: "app",
                target: &locked.id.to_string(),
                before: json!({ "organization": before.organization_name }),
                after: json!({ "organization": view.organization_name }),
            };
            audit::record(&mut transaction, actor, now, entry).await?;
        }
        transaction.commit().await?;
        Ok(view)
    }
}
