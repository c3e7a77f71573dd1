//! Deployments: begun, looked at, cancelled, rolled back to.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::change::AppChange;
use super::{Actions, Actor};
use crate::model::{
    AppRef, Application, Deployment, DeploymentId, DeploymentStatus, NewDeployment, ReleaseVersion, StageTiming,
    StreamId, Trigger,
};
use crate::settings::Settings;
use crate::store::deployments::{Cancelled, cancel};
use crate::store::{Access, DeploymentView, Operation, repositories};
use crate::stream::StreamFollower;
use crate::{Error, Result};

/// How many releases are looked through for the one before the current.
const LOOK_BACK: u32 = 200;

/// A deployment as its page shows it.
#[derive(Clone, Debug)]
pub struct Shown {
    /// Its app.
    pub app: Application,
    /// The deployment.
    pub view: DeploymentView,
    /// Its stages, in order of time.
    pub stages: Vec<StageTiming>,
}

/// A rollback that was begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RolledBack {
    /// The deployment that it is.
    pub deployment: DeploymentId,
    /// The release that it runs again.
    pub to: ReleaseVersion,
}

impl AppChange<'_> {
    /// Queues a deployment of the app whose source, if it has one, is stored.
    pub(super) async fn deploy(&mut self, new: &NewDeployment, settings: &Settings) -> Result<()> {
        repositories::queue(&mut self.transaction, &self.app, new, None, settings, self.now).await?;
        let after = json!({
            "deployment": new.id, "trigger": new.trigger, "description": new.description, "git_commit": new.git_commit,
        });
        self.audit("app.deploy", Value::Null, after).await
    }

    /// Cancels deployments of the app that have not ended, and writes down each. Answers them as they were.
    pub(super) async fn cancel(&mut self, which: Cancelled<'_>, reason: &str) -> Result<Vec<Deployment>> {
        let reason = ("CANCELLED", reason);
        let cancelled = cancel(&mut self.transaction, self.app.id, which, reason, self.now).await?;
        for deployment in &cancelled {
            let what = deployment.description.as_deref().unwrap_or("a build");
            let state = |status| json!({ "deployment": deployment.id, "status": status });
            self.audit("deployment.cancel", state(deployment.status), state(DeploymentStatus::Cancelled)).await?;
            self.tell("cancel", &format!("Cancelled: {what}")).await?;
        }
        Ok(cancelled)
    }
}

impl Actions {
    /// Deployments of an app, newest first, from before the one `before` on.
    pub async fn deployments(
        &self,
        actor: &Actor,
        app: &AppRef,
        before: Option<(DateTime<Utc>, DeploymentId)>,
        rows: i64,
    ) -> Result<Vec<DeploymentView>> {
        let app = self.app_of(actor, app, Access::Read).await?;
        self.store.deployment_views(app.id, before, rows).await
    }

    /// A deployment of an app.
    pub async fn deployment(&self, actor: &Actor, app: &AppRef, id: DeploymentId) -> Result<Shown> {
        let app = self.app_of(actor, app, Access::Read).await?;
        let view = self.store.deployment_view(app.id, id).await?;
        let stages = self.store.stages(id).await?;
        Ok(Shown { app, view, stages })
    }

    /// The log of a deployment as far as it is written, and whether that is all of it.
    pub async fn deployment_log(&self, actor: &Actor, app: &AppRef, id: DeploymentId) -> Result<(Vec<u8>, bool)> {
        let app = self.app_of(actor, app, Access::Read).await?;
        let deployment = self.store.deployment_view(app.id, id).await?.deployment;
        self.store.stream_text(deployment.id.into()).await
    }

    /// What was started under that id: a deployment, or an operation such as a restart.
    pub async fn operation(&self, actor: &Actor, id: StreamId) -> Result<Operation> {
        let missing = || Error::NotFound("There is no job of that id that you have access to.".to_owned());
        let operation = self.store.operation(id).await?;
        actor.check(operation.organization_id, Access::Read, missing)?;
        Ok(operation)
    }

    /// The live output of a deployment or operation from its chunk number `from` on.
    pub async fn follow(&self, actor: &Actor, id: StreamId, from: i64) -> Result<StreamFollower> {
        self.operation(actor, id).await?;
        Ok(self.streams.follow(id, from))
    }

    /// Cancels a deployment of an app, queued or running, or all of them for none. Answers those that were, as they
    /// were; none where all had ended before.
    pub async fn cancel_deployment(
        &self,
        actor: &Actor,
        app: &AppRef,
        only: Option<DeploymentId>,
    ) -> Result<Vec<Deployment>> {
        if let Some(only) = only {
            let found = self.app_of(actor, app, Access::Change).await?;
            self.store.deployment_view(found.id, only).await?;
        }
        let mut change = self.change(actor, app, Access::Change).await?;
        let ids: Vec<DeploymentId> = only.into_iter().collect();
        let which = if only.is_some() { Cancelled::These(&ids) } else { Cancelled::All };
        let who = actor.identity.as_ref().map_or("Skypanel", |identity| identity.user.email.as_str());
        let cancelled = change.cancel(which, &format!("Cancelled by {who}.")).await?;
        change.commit().await?;
        Ok(cancelled)
    }

    /// Runs an earlier release of an app again, with the config vars of now and without a build: that of a version,
    /// or the newest kept one before the current.
    pub async fn rollback(&self, actor: &Actor, app: &AppRef, to: Option<ReleaseVersion>) -> Result<RolledBack> {
        let found = self.app_of(actor, app, Access::Change).await?;
        let target = match to {
            Some(version) => self.kept_release(&found, version).await?,
            None => self.previous_release(&found).await?,
        };
        let version = target.version.ok_or_else(|| Error::Conflict("That is no release.".to_owned()))?;
        let new = NewDeployment {
            id: DeploymentId::new(),
            application_id: found.id,
            trigger: Trigger::Rollback,
            git_branch: None,
            git_commit: target.git_commit,
            git_message: target.git_message,
            git_author: target.git_author,
            no_cache: false,
            description: format!("Rollback to {version}"),
            parent_id: Some(target.id),
            created_by: actor.user_id(),
        };
        self.begin(actor, app, &new).await?;
        Ok(RolledBack { deployment: new.id, to: version })
    }

    /// Begins a deployment whose source, if it has one, is stored.
    pub async fn begin(&self, actor: &Actor, app: &AppRef, new: &NewDeployment) -> Result<()> {
        let settings = self.store.settings().await?;
        let mut change = self.change(actor, app, Access::Change).await?;
        change.deploy(new, &settings).await?;
        change.commit().await?;
        Ok(())
    }

    async fn kept_release(&self, app: &Application, version: ReleaseVersion) -> Result<Deployment> {
        let release = self.store.release(app.id, version).await?;
        if app.current_deployment_id == Some(release.id) {
            return Err(Error::Conflict(format!("{version} is what runs now.")));
        }
        if release.pruned_at.is_some() {
            return Err(Error::Conflict(format!(
                "{version} is not kept any more: only the newest releases are. Push its commit again instead."
            )));
        }
        if release.status != DeploymentStatus::Succeeded || release.artifact().is_none() {
            return Err(Error::Conflict(format!("{version} never went live, so there is nothing to go back to.")));
        }
        Ok(release)
    }

    /// The newest release before the current one that can be run again.
    async fn previous_release(&self, app: &Application) -> Result<Deployment> {
        let releases = self.store.releases(app.id, LOOK_BACK).await?;
        let current = releases.iter().find(|release| app.current_deployment_id == Some(release.id));
        let below = current.and_then(|release| release.version);
        let found = releases.into_iter().find(|release| {
            app.current_deployment_id != Some(release.id)
                && below.is_none_or(|below| release.version < Some(below))
                && release.status == DeploymentStatus::Succeeded
                && release.artifact().is_some()
        });
        found.ok_or_else(|| {
            Error::Conflict(format!(
                "{} has no earlier release that is kept. The command releases lists them.",
                app.slug
            ))
        })
    }
}
