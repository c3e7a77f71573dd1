//! A change to one app in the making: its transaction, the app as it is while nobody else can change it, and what is
//! written down about the change.

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::{Postgres, Transaction};

use super::{Actions, Actor};
use crate::jobs;
use crate::model::{AppRef, AppStatus, Application, Money, StreamId, SuspensionReason};
use crate::store::{Access, AuditEntry, apps, audit, crashes, deployments, events, metering, suspension, usage};
use crate::{Error, Result};

/// See the module. Dropped without [`AppChange::commit`] it leaves everything as it was.
pub(super) struct AppChange<'a> {
    pub(super) transaction: Transaction<'static, Postgres>,
    pub(super) actor: &'a Actor,
    /// As it was before.
    pub(super) app: Application,
    pub(super) now: DateTime<Utc>,
    /// What the organisation cost an hour before, where it was asked whether something may run.
    cost_before: Option<Money>,
}

impl Actions {
    /// Begins a change to the app, if the actor may have `access` to it.
    pub(super) async fn change<'a>(&self, actor: &'a Actor, app: &AppRef, access: Access) -> Result<AppChange<'a>> {
        let found = self.app_of(actor, app, access).await?;
        let mut transaction = self.store.pool().begin().await?;
        let locked = apps::lock_with_organization(&mut transaction, &found).await?;
        if locked.status == AppStatus::Deleting {
            return Err(Error::Conflict(format!("The app \"{}\" is being destroyed.", locked.slug)));
        }
        Ok(AppChange { transaction, actor, app: locked, now: self.clock.now(), cost_before: None })
    }
}

impl AppChange<'_> {
    /// Refuses what would make something run while the app or its organisation is suspended, or that one's wallet is
    /// empty.
    pub(super) async fn ensure_may_run(&mut self) -> Result<()> {
        suspension::ensure_may_run(&mut self.transaction, self.app.organization_id).await?;
        self.cost_before = Some(usage::burn(&mut self.transaction, self.app.organization_id, None).await?);
        if self.app.status != AppStatus::Suspended {
            return Ok(());
        }
        let why = why_suspended(&self.app);
        Err(Error::Forbidden(format!("The app \"{}\" is suspended. {why}", self.app.slug)))
    }

    /// Writes the change into the audit log.
    pub(super) async fn audit(&mut self, action: &'static str, before: Value, after: Value) -> Result<()> {
        let entry = AuditEntry {
            action,
            organization: Some(self.app.organization_id),
            target_kind: "app",
            target: &self.app.id.to_string(),
            before,
            after,
        };
        audit::record(&mut self.transaction, self.actor, self.now, entry).await
    }

    /// Tells the app's people about it, such as kind `scale`, message `Scaled to web=2`.
    pub(super) async fn tell(&mut self, kind: &str, message: &str) -> Result<()> {
        events::record(&mut self.transaction, self.app.id, self.actor.user_id(), kind, message, self.now).await
    }

    /// Whether something of the app is to run, so that a change has to be rolled out: at once, or behind a first release
    /// that is under way and may have read the old state of things.
    pub(super) async fn is_to_run(&mut self) -> Result<bool> {
        match self.app.status {
            AppStatus::Stopped | AppStatus::Suspended | AppStatus::Deleting => Ok(false),
            _ if self.app.current_deployment_id.is_some() => Ok(true),
            // What has not begun reads everything when it does.
            AppStatus::Inactive => Ok(false),
            _ => deployments::is_under_way(&mut self.transaction, self.app.id).await,
        }
    }

    /// Enqueues what makes the app run as the store says; answers the stream of its progress.
    pub(super) async fn apply(&mut self) -> Result<StreamId> {
        let streams = jobs::apply_within(&mut self.transaction, &[self.app.id]).await?;
        streams.first().copied().ok_or_else(|| Error::System("The job could not be queued.".to_owned()))
    }

    /// The same for a change after which what was given up is worth another try.
    pub(super) async fn apply_anew(&mut self) -> Result<StreamId> {
        if crashes::has_given_up(&mut self.transaction, self.app.id).await? {
            self.ensure_may_run().await?;
        }
        crashes::try_again(&mut self.transaction, self.app.id).await?;
        self.apply().await
    }

    /// Makes the change happen, with what it costs from now on; refuses what costs more than the wallet has for an hour. Answers the app as it is now.
    pub(super) async fn commit(mut self) -> Result<Application> {
        metering::record(&mut self.transaction, self.app.id, self.now).await?;
        if let Some(before) = self.cost_before {
            let organization = self.app.organization_id;
            let after = usage::burn(&mut self.transaction, organization, None).await?;
            if after > before {
                suspension::ensure_an_hour(&mut self.transaction, organization, after, self.now).await?;
            }
        }
        let app = apps::lock(&mut self.transaction, self.app.id).await?;
        self.transaction.commit().await?;
        Ok(app)
    }
}

/// Why an app is suspended and what helps.
pub(super) fn why_suspended(app: &Application) -> &'static str {
    match app.suspended_reason {
        Some(SuspensionReason::Wallet) => "Its organisation's wallet is empty; a top-up starts it again.",
        Some(SuspensionReason::Admin) => "An admin of the platform suspended its organisation.",
        None => "Ask an owner or the operator why.",
    }
}
