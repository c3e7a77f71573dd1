//! `POST /api/paas/apps/{app}/repository/deploy-key`.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Serialize;
use skypanel_core::actions::Actions;
use skypanel_core::model::AppRef;
use utoipa::ToSchema;

use crate::error::ApiError;
use crate::http::{Caller, PathOf};

/// A deploy key.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DeployKeyView {
    /// Its public half, `ssh-ed25519 AAAA… skypanel-<app>`.
    public_key: String,
}

/// Make a deploy key
///
/// Makes the app a new key pair (Ed25519) and answers its public half: add it to the repository at its host, for reading.
/// A key the app had before is of no use any more. The private half never leaves Skypanel.
#[utoipa::path(
    post,
    path = "/api/paas/apps/{app}/repository/deploy-key",
    tag = "repositories",
    params(("app" = String, Path, description = "Slug or id of the app")),
    responses((status = CREATED, body = DeployKeyView))
)]
pub(crate) async fn create_deploy_key(
    State(actions): State<Actions>,
    caller: Caller,
    PathOf(app): PathOf<AppRef>,
) -> Result<(StatusCode, Json<DeployKeyView>), ApiError> {
    let public_key = actions.create_deploy_key(&caller, &app).await?;
    Ok((StatusCode::CREATED, Json(DeployKeyView { public_key })))
}
