//! `GET /api/paas/jobs/{id}/log`.

use axum::extract::State;
use skypanel_core::actions::Actions;
use skypanel_core::model::StreamId;
use uuid::Uuid;

use crate::error::ApiError;
use crate::http::{Caller, PathOf};

use super::live::{WholeLog, whole_log};

/// Show the log of a job
///
/// All that the job told by now, as text. The header `X-Log-Complete` says whether more is to come.
#[utoipa::path(
    get,
    path = "/api/paas/jobs/{id}/log",
    tag = "jobs",
    params(("id" = Uuid, Path, description = "Id of the job or deployment")),
    responses((status = OK, body = String, content_type = "text/plain"))
)]
pub(crate) async fn show_job_log(
    State(actions): State<Actions>,
    caller: Caller,
    PathOf(id): PathOf<Uuid>,
) -> Result<WholeLog, ApiError> {
    let job = actions.operation(&caller, StreamId(id)).await?;
    Ok(whole_log(actions.store.stream_text(job.id).await?))
}
