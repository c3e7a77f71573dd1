//! What a deployment changes beside the release before it, for whoever may read the app's repository.

use super::{Actions, Actor};
use crate::Result;
use crate::model::{AppRef, Changes, Deployment, DeploymentId, NoChanges, ReleaseVersion, Trigger};
use crate::store::Access;

/// What a deployment changes, as its page shows it.
#[derive(Clone, Debug)]
pub struct ShownChanges {
    /// Its commit.
    pub commit: Option<String>,
    /// Release number of what the app ran before.
    pub base_version: Option<ReleaseVersion>,
    /// The commit of that.
    pub base_commit: Option<String>,
    /// What changed, or why that is not known.
    pub changes: Result<Changes, NoChanges>,
}

impl Actions {
    /// What a deployment of an app changes. Asks for the same access as fetching the repository: it is a part of it.
    pub async fn deployment_changes(&self, actor: &Actor, app: &AppRef, id: DeploymentId) -> Result<ShownChanges> {
        let app = self.app_of(actor, app, Access::Read).await?;
        let deployment = self.store.deployment_view(app.id, id).await?.deployment;
        let stored = self.store.stored_changes(id).await?;
        let (mut base_version, mut base_commit) = (None, None);
        let changes = match stored {
            Some(stored) => {
                (base_version, base_commit) = (stored.base_version, stored.base_commit);
                match stored.changes {
                    Some(changes) => Ok(changes.0),
                    None => Err(stored.missing.unwrap_or(NoChanges::NotKept)),
                }
            }
            None => Err(self.why_none(&deployment).await?),
        };
        Ok(ShownChanges { commit: deployment.git_commit, base_version, base_commit, changes })
    }

    /// Why nothing was written down of a deployment.
    async fn why_none(&self, deployment: &Deployment) -> Result<NoChanges> {
        if matches!(deployment.trigger, Trigger::Rollback | Trigger::Config) {
            return Ok(NoChanges::RunsAgain);
        }
        if deployment.git_commit.is_none() && self.store.deployment_source(deployment.id).await?.is_none() {
            return Ok(NoChanges::Archive);
        }
        Ok(if deployment.status.is_final() { NoChanges::NotKept } else { NoChanges::NotYet })
    }
}
