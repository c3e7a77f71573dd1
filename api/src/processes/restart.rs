//! `POST /api/paas/apps/{app}/restart`.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use skypanel_core::actions::Actions;
use skypanel_core::model::AppRef;

use crate::error::{ApiError, ErrorBody};
use crate::http::{Caller, PathOf};
use crate::jobs::StartedJob;

/// Restart an app
///
/// Replaces all its processes by new ones of the same release, without losing a request.
#[utoipa::path(
    post,
    path = "/api/paas/apps/{app}/restart",
    tag = "processes",
    params(("app" = String, Path, description = "Its slug or id")),
    responses((status = ACCEPTED, body = StartedJob), (status = PAYMENT_REQUIRED, body = ErrorBody), (status = CONFLICT, body = ErrorBody))
)]
pub(crate) async fn restart_app(
    State(actions): State<Actions>,
    caller: Caller,
    PathOf(app): PathOf<AppRef>,
) -> Result<(StatusCode, Json<StartedJob>), ApiError> {
    let begun = actions.restart(&caller, &app).await?;
    Ok((StatusCode::ACCEPTED, Json(begun.into())))
}
