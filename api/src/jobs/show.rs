//! `GET /api/paas/jobs/{id}`.

use axum::Json;
use axum::extract::State;
use chrono::{DateTime, Utc};
use serde::Serialize;
use skypanel_core::actions::Actions;
use skypanel_core::model::{DeploymentStatus, StreamId};
use skypanel_core::store::JobState;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::http::{Answer, Caller, PathOf, schema};

/// How far a job is.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct JobAnswer {
    id: Uuid,
    app_id: Uuid,
    /// The app's name.
    app: String,
    /// `queued`, `running` or `done`.
    #[schema(value_type = schema::JobState)]
    state: JobState,
    /// Whether it went well; null until it is done.
    succeeded: Option<bool>,
    /// Where the deployment is, if it is one; null for other jobs, such as a restart or the destruction of an app.
    #[schema(value_type = Option<schema::DeploymentStatus>)]
    deployment_status: Option<DeploymentStatus>,
    created_at: DateTime<Utc>,
    finished_at: Option<DateTime<Utc>>,
}

/// Show a job
///
/// How far something is that was started: a deployment, by its id, or a change to what runs, by the `job_id` it was
/// answered with.
#[utoipa::path(
    get,
    path = "/api/paas/jobs/{id}",
    tag = "jobs",
    params(("id" = Uuid, Path, description = "Id of the job or deployment")),
    responses((status = OK, body = JobAnswer))
)]
pub(crate) async fn show_job(
    State(actions): State<Actions>,
    caller: Caller,
    PathOf(id): PathOf<Uuid>,
) -> Answer<JobAnswer> {
    let job = actions.operation(&caller, StreamId(id)).await?;
    Ok(Json(JobAnswer {
        id: job.id.0,
        app_id: job.application_id.0,
        app: job.slug.to_string(),
        state: job.state(),
        succeeded: job.outcome(),
        deployment_status: job.deployment_status,
        created_at: job.created_at,
        finished_at: job.finished_at,
    }))
}
