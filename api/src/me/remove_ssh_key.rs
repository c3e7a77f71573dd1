//! `DELETE /api/me/ssh-keys/{fingerprint}`.

use axum::extract::State;
use axum::http::StatusCode;
use skypanel_core::actions::Actions;

use crate::error::ApiError;
use crate::http::{Caller, PathOf};

/// Remove an SSH key
///
/// It opens nothing from then on; connections that are open stay open.
#[utoipa::path(
    delete, path = "/api/me/ssh-keys/{fingerprint}", tag = "me",
    params(("fingerprint" = String, Path, description = "As listed, percent-encoded: it may hold slashes.")),
    responses((status = NO_CONTENT, description = "Removed.")),
)]
pub(crate) async fn remove_ssh_key(
    State(actions): State<Actions>,
    caller: Caller,
    PathOf(fingerprint): PathOf<String>,
) -> Result<StatusCode, ApiError> {
    actions.remove_ssh_key(&caller, &fingerprint).await?;
    Ok(StatusCode::NO_CONTENT)
}
