//! `POST /api/paas/apps/{app}/rollback`.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use skypanel_core::actions::Actions;
use skypanel_core::model::{AppRef, ReleaseVersion};
use utoipa::ToSchema;

use super::QueuedDeployment;
use crate::error::{ApiError, ErrorBody};
use crate::http::{Caller, PathOf, ValidJson};

/// What to go back to.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct WantedRelease {
    /// Its release number; null for the newest kept release before the current.
    #[schema(minimum = 1, example = 12)]
    version: Option<i32>,
}

/// Roll back
///
/// Runs an earlier release again, with the config vars of now and without a build. It becomes a release of its own.
#[utoipa::path(
    post,
    path = "/api/paas/apps/{app}/rollback",
    tag = "deployments",
    params(("app" = String, Path, description = "Its slug or id")),
    request_body = WantedRelease,
    responses(
        (status = ACCEPTED, body = QueuedDeployment),
        (status = PAYMENT_REQUIRED, body = ErrorBody),
        (status = CONFLICT, body = ErrorBody),
    )
)]
pub(crate) async fn roll_back(
    State(actions): State<Actions>,
    caller: Caller,
    PathOf(app): PathOf<AppRef>,
    ValidJson(wanted): ValidJson<WantedRelease>,
) -> Result<(StatusCode, Json<QueuedDeployment>), ApiError> {
    let begun = actions.rollback(&caller, &app, wanted.version.map(ReleaseVersion)).await?;
    Ok((StatusCode::ACCEPTED, Json(QueuedDeployment { deployment_id: begun.deployment.0, superseded: Vec::new() })))
}
