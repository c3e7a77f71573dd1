//! `POST /api/admin/paas/jobs/{job}/retry`.

use axum::extract::State;
use axum::http::StatusCode;
use skypanel_core::actions::Actions;

use crate::error::{ApiError, ErrorBody};
use crate::http::{AdminCaller, PathOf};

/// Try a job again
///
/// At once, with all its tries anew: one that failed for good, or one that is to be tried later.
#[utoipa::path(
    post,
    path = "/api/admin/paas/jobs/{job}/retry",
    tag = "admin",
    params(("job" = i64, Path, description = "Its id")),
    responses(
        (status = NO_CONTENT),
        (status = CONFLICT, description = "A worker is at it.", body = ErrorBody)
    )
)]
pub(crate) async fn retry_job(
    State(actions): State<Actions>,
    admin: AdminCaller,
    PathOf(job): PathOf<i64>,
) -> Result<StatusCode, ApiError> {
    actions.retry_job(&admin, job).await?;
    Ok(StatusCode::NO_CONTENT)
}
