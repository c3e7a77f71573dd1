//! `POST /api/paas/apps/{app}/deploy`.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use skypanel_core::actions::{Actions, RepositoryDeploy};
use skypanel_core::model::AppRef;
use utoipa::ToSchema;

use super::QueuedDeployment;
use crate::error::{ApiError, ErrorBody};
use crate::http::{Caller, PathOf, ValidJson};

/// What to deploy of the app's repository.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct WantedDeployment {
    /// Full hash of a commit of the app's branch; null for its newest.
    commit: Option<String>,
    /// Build without the build cache.
    #[serde(default)]
    no_cache: bool,
}

/// Deploy from the app's repository
///
/// Fetches, builds and releases the app's Git URL. It takes the place of deployments that still wait to be built.
#[utoipa::path(
    post,
    path = "/api/paas/apps/{app}/deploy",
    tag = "deployments",
    params(("app" = String, Path, description = "Its slug or id")),
    request_body = WantedDeployment,
    responses(
        (status = ACCEPTED, body = QueuedDeployment),
        (status = PAYMENT_REQUIRED, body = ErrorBody),
        (status = CONFLICT, body = ErrorBody),
    )
)]
pub(crate) async fn deploy_app(
    State(actions): State<Actions>,
    caller: Caller,
    PathOf(app): PathOf<AppRef>,
    ValidJson(wanted): ValidJson<WantedDeployment>,
) -> Result<(StatusCode, Json<QueuedDeployment>), ApiError> {
    let commit = wanted.commit.as_deref().map(str::parse).transpose()?;
    let what = RepositoryDeploy { commit, no_cache: wanted.no_cache };
    let started = actions.deploy_from_repository(&caller, &app, what).await?;
    Ok((StatusCode::ACCEPTED, Json(started.into())))
}
