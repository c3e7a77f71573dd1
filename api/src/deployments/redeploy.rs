//! `POST /api/paas/apps/{app}/deployments/{deployment}/redeploy`.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use skypanel_core::actions::Actions;
use skypanel_core::model::{AppRef, DeploymentId};
use utoipa::ToSchema;
use uuid::Uuid;

use super::QueuedDeployment;
use crate::error::{ApiError, ErrorBody};
use crate::http::{Caller, PathOf, ValidJson};

/// How to build it again.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct WantedAgain {
    /// Build without the build cache.
    #[serde(default)]
    no_cache: bool,
}

/// Deploy again
///
/// Builds and releases once more what a deployment was built from, with the config vars of now: one that failed or was
/// cancelled, or one that went live. The source is kept of the newest deployment and of what is live; of others that were
/// fetched from a repository, the commit is fetched again. Where there is no source any more, and where nothing was built,
/// it is refused with 409. It takes the place of deployments that still wait to be built.
#[utoipa::path(
    post,
    path = "/api/paas/apps/{app}/deployments/{deployment}/redeploy",
    tag = "deployments",
    params(
        ("app" = String, Path, description = "Its slug or id"),
        ("deployment" = Uuid, Path, description = "Id of the deployment"),
    ),
    request_body = WantedAgain,
    responses(
        (status = ACCEPTED, body = QueuedDeployment),
        (status = PAYMENT_REQUIRED, body = ErrorBody),
        (status = CONFLICT, body = ErrorBody),
    )
)]
pub(crate) async fn redeploy(
    State(actions): State<Actions>,
    caller: Caller,
    PathOf((app, id)): PathOf<(AppRef, Uuid)>,
    ValidJson(wanted): ValidJson<WantedAgain>,
) -> Result<(StatusCode, Json<QueuedDeployment>), ApiError> {
    let started = actions.redeploy(&caller, &app, DeploymentId(id), wanted.no_cache).await?;
    Ok((StatusCode::ACCEPTED, Json(started.into())))
}
