//! `POST /api/paas/apps/{app}/start`.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use skypanel_core::actions::Actions;
use skypanel_core::model::AppRef;

use crate::error::{ApiError, ErrorBody};
use crate::http::{Caller, PathOf};
use crate::jobs::StartedJob;

/// Start an app
///
/// Starts the current release, with what was changed while it was stopped.
#[utoipa::path(
    post,
    path = "/api/paas/apps/{app}/start",
    tag = "processes",
    params(("app" = String, Path, description = "Its slug or id")),
    responses((status = ACCEPTED, body = StartedJob), (status = PAYMENT_REQUIRED, body = ErrorBody), (status = CONFLICT, body = ErrorBody))
)]
pub(crate) async fn start_app(
    State(actions): State<Actions>,
    caller: Caller,
    PathOf(app): PathOf<AppRef>,
) -> Result<(StatusCode, Json<StartedJob>), ApiError> {
    let begun = actions.start(&caller, &app).await?;
    Ok((StatusCode::ACCEPTED, Json(begun.into())))
}
