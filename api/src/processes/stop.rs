//! `POST /api/paas/apps/{app}/stop`.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use skypanel_core::actions::Actions;
use skypanel_core::model::AppRef;

use crate::error::{ApiError, ErrorBody};
use crate::http::{Caller, PathOf};
use crate::jobs::StartedJob;

/// Stop an app
///
/// Ends all its processes until it is started again. One that is stopped already stays so.
#[utoipa::path(
    post,
    path = "/api/paas/apps/{app}/stop",
    tag = "processes",
    params(("app" = String, Path, description = "Its slug or id")),
    responses((status = ACCEPTED, body = StartedJob), (status = CONFLICT, body = ErrorBody))
)]
pub(crate) async fn stop_app(
    State(actions): State<Actions>,
    caller: Caller,
    PathOf(app): PathOf<AppRef>,
) -> Result<(StatusCode, Json<StartedJob>), ApiError> {
    let begun = actions.stop(&caller, &app).await?;
    Ok((StatusCode::ACCEPTED, Json(begun.into())))
}
