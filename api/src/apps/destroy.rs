//! `DELETE /api/paas/apps/{app}`.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use skypanel_core::actions::Actions;
use skypanel_core::model::AppRef;
use utoipa::ToSchema;

use crate::error::ApiError;
use crate::http::{Caller, PathOf, ValidJson};
use crate::jobs::StartedJob;

/// The typed confirmation.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Confirmation {
    /// The app's slug once more.
    confirm: String,
}

/// Destroy an app
///
/// Removes an app with its services, network, releases, config vars, caches, repository and logs, for owners only. It
/// cannot be undone. What is being built is cancelled. The removal goes on after the answer; its job can be followed,
/// also once the app is gone. What it used stays in usage and invoices.
#[utoipa::path(
    delete,
    path = "/api/paas/apps/{app}",
    tag = "apps",
    params(("app" = String, Path, description = "Its slug or id")),
    request_body = Confirmation,
    responses((status = ACCEPTED, body = StartedJob), (status = CONFLICT, body = crate::error::ErrorBody))
)]
pub(crate) async fn destroy_app(
    State(actions): State<Actions>,
    caller: Caller,
    PathOf(app): PathOf<AppRef>,
    ValidJson(confirmation): ValidJson<Confirmation>,
) -> Result<(StatusCode, Json<StartedJob>), ApiError> {
    let begun = actions.destroy_app(&caller, &app, &confirmation.confirm).await?;
    Ok((StatusCode::ACCEPTED, Json(begun.into())))
}
