//! Deployments: begun, listed, shown with their log, cancelled, rolled back to.

mod archive;
mod cancel;
mod changes;
mod deploy;
mod list;
mod log;
mod purge_cache;
mod redeploy;
mod rollback;
mod show;
mod stream;

use chrono::{DateTime, Utc};
use serde::Serialize;
use skypanel_core::model::{DeploymentStatus, Trigger};
use skypanel_core::store::DeploymentView;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use crate::http::{Shared, schema};

/// The routes.
pub(crate) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(archive::deploy_archive))
        .routes(routes!(cancel::cancel_deployment))
        .routes(routes!(changes::show_deployment_changes))
        .routes(routes!(deploy::deploy_app))
        .routes(routes!(list::list_deployments))
        .routes(routes!(log::show_deployment_log))
        .routes(routes!(purge_cache::purge_cache))
        .routes(routes!(redeploy::redeploy))
        .routes(routes!(rollback::roll_back))
        .routes(routes!(show::show_deployment))
        .routes(routes!(stream::stream_deployment_log))
}

/// A deployment.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DeploymentItem {
    id: Uuid,
    /// Its release number, as in `v12`; null until it has one.
    version: Option<i32>,
    #[schema(value_type = schema::DeploymentStatus)]
    status: DeploymentStatus,
    /// Whether it is what should be running now.
    is_current: bool,
    /// What caused it.
    #[schema(value_type = schema::Trigger)]
    trigger: Trigger,
    /// What it is, such as `Deploy 1a2b3c4`.
    description: Option<String>,
    git_branch: Option<String>,
    /// Full hash of the commit.
    git_commit: Option<String>,
    /// First line of the commit's message.
    git_message: Option<String>,
    /// `Name <email>` of the commit's author.
    git_author: Option<String>,
    /// E-mail address of who caused it; null for the platform and for users who are gone.
    created_by: Option<String>,
    /// Names of the buildpacks used, or `dockerfile`.
    buildpack: Option<String>,
    /// Size of the slug as stored, in bytes.
    slug_bytes: Option<i64>,
    /// The deployment whose artifact it runs again, for rollbacks and changes of config vars.
    parent_id: Option<Uuid>,
    /// That one's release number.
    parent_version: Option<i32>,
    /// Whether it can be rolled back to.
    is_kept: bool,
    /// Whether it can be deployed again: built once more from the same source.
    can_redeploy: bool,
    /// What failed, for programs.
    error_code: Option<String>,
    /// What failed, for people.
    error: Option<String>,
    created_at: DateTime<Utc>,
    finished_at: Option<DateTime<Utc>>,
}

impl From<DeploymentView> for DeploymentItem {
    fn from(view: DeploymentView) -> Self {
        let can_redeploy = view.can_redeploy();
        let deployment = view.deployment;
        Self {
            id: deployment.id.0,
            version: deployment.version.map(|version| version.0),
            status: deployment.status,
            is_current: view.is_current,
            trigger: deployment.trigger,
            is_kept: deployment.status == DeploymentStatus::Succeeded && deployment.artifact().is_some(),
            can_redeploy,
            description: deployment.description,
            git_branch: view.git_branch,
            git_commit: deployment.git_commit,
            git_message: deployment.git_message,
            git_author: deployment.git_author,
            created_by: view.created_by_email,
            buildpack: deployment.buildpack,
            slug_bytes: deployment.slug_bytes,
            parent_id: deployment.parent_id.map(|id| id.0),
            parent_version: view.parent_version.map(|version| version.0),
            error_code: deployment.error_code,
            error: deployment.error,
            created_at: deployment.created_at,
            finished_at: deployment.finished_at,
        }
    }
}

/// A deployment that was queued.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct QueuedDeployment {
    /// Its id, which is also that of its job.
    deployment_id: Uuid,
    /// Deployments that still waited to be built, whose place it took.
    superseded: Vec<Uuid>,
}

impl From<skypanel_core::actions::Started> for QueuedDeployment {
    fn from(started: skypanel_core::actions::Started) -> Self {
        Self {
            deployment_id: started.deployment.0,
            superseded: started.superseded.into_iter().map(|id| id.0).collect(),
        }
    }
}
