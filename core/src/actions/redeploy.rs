//! Deploying again: a new deployment that builds what an earlier one was built from.

use serde_json::{Value, json};

use super::deploy_from_source::Started;
use super::{Actions, Actor};
use crate::model::{AppRef, Deployment, DeploymentId, DeploymentSource, NewDeployment, Trigger};
use crate::store::{Access, DeploymentView, repositories, sources};
use crate::{Error, Result};

/// What the description of a deployment ends with that was deployed again.
const AGAIN: &str = " again";

impl Actions {
    /// Builds and releases once more what a deployment of the app was built from: one that went live, because something
    /// outside of it changed, or one that did not. Refused while it has not ended, where it built nothing, and once its
    /// source is given up.
    pub async fn redeploy(&self, actor: &Actor, app: &AppRef, id: DeploymentId, no_cache: bool) -> Result<Started> {
        let found = self.app_of(actor, app, Access::Change).await?;
        let view = self.store.deployment_view(found.id, id).await?;
        ensure_built_and_ended(&view.deployment)?;
        // Its commit, where it is known, and not what is the newest of its branch by now.
        let source = self.store.deployment_source(id).await?.map(|source| DeploymentSource {
            git_commit: view.deployment.git_commit.as_deref().and_then(|text| text.parse().ok()).or(source.git_commit),
            ..source
        });
        let is_stored = match view.deployment.source_id {
            Some(_) => self.blobs.size(&view.deployment.source_key()).await?.is_some(),
            None => false,
        };
        if !is_stored && source.is_none() {
            return Err(gone(&view.deployment));
        }
        let new = again(&view, no_cache, actor);
        let settings = self.store.settings().await?;
        let mut change = self.change(actor, app, Access::Change).await?;
        let connection = &mut change.transaction;
        let now = change.now;
        let superseded = repositories::queue(connection, &change.app, &new, source.as_ref(), &settings, now).await?;
        // It may have been given up since it was looked at.
        if !sources::build_from(connection, new.id, id).await? && source.is_none() {
            return Err(gone(&view.deployment));
        }
        let after = json!({
            "deployment": new.id, "trigger": new.trigger, "description": new.description, "git_commit": new.git_commit,
            "again": id,
        });
        change.audit("app.deploy", Value::Null, after).await?;
        change.commit().await?;
        Ok(Started { deployment: new.id, stream: new.id.into(), superseded })
    }
}

fn ensure_built_and_ended(deployment: &Deployment) -> Result<()> {
    if !deployment.trigger.builds() {
        return Err(Error::Conflict(
            "That deployment built nothing: it ran again what was built before. Roll back to its release instead, or \
             deploy again the one that was built."
                .to_owned(),
        ));
    }
    if !deployment.status.is_final() {
        return Err(Error::Conflict(
            "That deployment has not ended yet. Wait for its end, or cancel it first.".to_owned(),
        ));
    }
    Ok(())
}

fn gone(deployment: &Deployment) -> Error {
    let kept = "only those of the newest deployment and of what is live are";
    let bring = if deployment.git_commit.is_some() { "Push its commit again" } else { "Upload it again" };
    Error::Conflict(match deployment.version.filter(|_| deployment.artifact().is_some()) {
        Some(version) => format!(
            "The source of {version} is not kept any more: {kept}. {bring}, or roll back to {version}, which needs no build."
        ),
        None => format!("That deployment's source is not kept any more: {kept}. {bring}."),
    })
}

fn again(view: &DeploymentView, no_cache: bool, actor: &Actor) -> NewDeployment {
    let earlier = &view.deployment;
    let what = earlier.description.as_deref().unwrap_or("Deploy");
    NewDeployment {
        id: DeploymentId::new(),
        application_id: earlier.application_id,
        trigger: Trigger::Api,
        git_branch: view.git_branch.clone(),
        git_commit: earlier.git_commit.clone(),
        git_message: earlier.git_message.clone(),
        git_author: earlier.git_author.clone(),
        no_cache,
        description: format!("{}{AGAIN}", what.strip_suffix(AGAIN).unwrap_or(what)),
        parent_id: None,
        created_by: actor.user_id(),
    }
}
