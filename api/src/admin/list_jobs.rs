//! `GET /api/admin/paas/jobs`.

use axum::Json;
use axum::extract::State;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use skypanel_core::actions::Actions;
use skypanel_core::store::{QueuedJob, QueuedJobState};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::http::{AdminCaller, Answer, Listed, Page, QueryOf, schema};

/// Which jobs to list.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct JobsQuery {
    /// Only those that are there.
    #[param(value_type = Option<schema::QueuedJobState>)]
    state: Option<QueuedJobState>,
}

/// A job of the queue.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct QueuedJobItem {
    /// Goes up with every job.
    id: i64,
    /// What is to be done, such as `deploy`.
    task: String,
    /// The queue whose jobs run one after the other; null where it is in none.
    queue: Option<String>,
    /// Of which app; null where it is about none.
    app_id: Option<Uuid>,
    /// The app's name; null once it is gone.
    app: Option<String>,
    /// `waiting`: it could begin. `later`: it is not its time yet, or it failed and is tried again. `failed`: all its
    /// tries failed.
    #[schema(value_type = schema::QueuedJobState)]
    state: QueuedJobState,
    /// Tries until now.
    attempts: i16,
    /// Tries in all.
    max_attempts: i16,
    /// Why the last try failed.
    last_error: Option<String>,
    created_at: DateTime<Utc>,
    /// Not before this time.
    run_at: DateTime<Utc>,
    /// Since when a worker is at it.
    started_at: Option<DateTime<Utc>>,
}

impl From<QueuedJob> for QueuedJobItem {
    fn from(job: QueuedJob) -> Self {
        Self {
            id: job.id,
            task: job.task,
            queue: job.queue,
            app_id: job.application_id.map(|id| id.0),
            app: job.slug.map(|slug| slug.to_string()),
            state: job.state,
            attempts: job.attempts,
            max_attempts: job.max_attempts,
            last_error: job.last_error,
            created_at: job.created_at,
            run_at: job.run_at,
            started_at: job.locked_at,
        }
    }
}

/// List the jobs of the queue
///
/// What waits, runs, or failed for good, newest first. What is done is not kept there.
#[utoipa::path(
    get,
    path = "/api/admin/paas/jobs",
    tag = "admin",
    params(JobsQuery, Page),
    responses((status = OK, body = Listed<QueuedJobItem>))
)]
pub(crate) async fn list_queued_jobs(
    State(actions): State<Actions>,
    admin: AdminCaller,
    QueryOf(query): QueryOf<JobsQuery>,
    page: Page,
) -> Answer<Listed<QueuedJobItem>> {
    let jobs = actions.queued_jobs(&admin, query.state, page.after()?, page.rows()).await?;
    Ok(Json(page.list(jobs, |job| job.id, QueuedJobItem::from)))
}
