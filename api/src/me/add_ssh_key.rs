//! `POST /api/me/ssh-keys`.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use skypanel_core::actions::Actions;
use utoipa::ToSchema;

use super::list_ssh_keys::SshKeyItem;
use crate::error::{ApiError, ErrorBody};
use crate::http::{Caller, ValidJson};

/// Which key to add.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SshKeyRequest {
    /// The line of the `.pub` file.
    #[schema(example = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJySykK18nyfYWW/A+yKBMRbHjc36mgcMmxaKn4S4bFo ada@home")]
    public_key: String,
    /// The key's comment, if left out.
    name: Option<String>,
}

/// Add an SSH key
///
/// A key belongs to one person: it is how a push is told whose it is. Keys that are not safe any more are refused.
#[utoipa::path(
    post, path = "/api/me/ssh-keys", tag = "me", request_body = SshKeyRequest,
    responses(
        (status = CREATED, body = SshKeyItem),
        (status = CONFLICT, body = ErrorBody, description = "The key is another user's."),
    ),
)]
pub(crate) async fn add_ssh_key(
    State(actions): State<Actions>,
    caller: Caller,
    ValidJson(request): ValidJson<SshKeyRequest>,
) -> Result<(StatusCode, Json<SshKeyItem>), ApiError> {
    let key = actions.add_ssh_key(&caller, &request.public_key, request.name.as_deref()).await?;
    Ok((StatusCode::CREATED, Json(key.into())))
}
