//! `DELETE /api/paas/apps/{app}/cache`.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use skypanel_core::actions::Actions;
use skypanel_core::model::AppRef;

use crate::error::ApiError;
use crate::http::{Caller, PathOf};
use crate::jobs::StartedJob;

/// Purge the build cache
///
/// Throws the app's build cache away, so that the next build starts from nothing. What runs is not touched.
#[utoipa::path(
    delete,
    path = "/api/paas/apps/{app}/cache",
    tag = "deployments",
    params(("app" = String, Path, description = "Its slug or id")),
    responses((status = ACCEPTED, body = StartedJob), (status = CONFLICT, body = crate::error::ErrorBody))
)]
pub(crate) async fn purge_cache(
    State(actions): State<Actions>,
    caller: Caller,
    PathOf(app): PathOf<AppRef>,
) -> Result<(StatusCode, Json<StartedJob>), ApiError> {
    Ok((StatusCode::ACCEPTED, Json(actions.purge_cache(&caller, &app).await?.into())))
}
