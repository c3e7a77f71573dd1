//! `DELETE /api/auth/token`.

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use skypanel_core::Error;
use skypanel_core::actions::Actions;

use crate::error::ApiError;
use crate::http::{Caller, caller};

/// Revoke the token in use
///
/// Ends the API token that this very call is made with, whatever its scope: what a client does when it logs out.
#[utoipa::path(
    delete, path = "/api/auth/token", tag = "auth",
    responses((status = NO_CONTENT, description = "The token is good for nothing any more.")),
)]
pub(crate) async fn revoke_used_token(
    State(actions): State<Actions>,
    caller: Caller,
    headers: HeaderMap,
) -> Result<StatusCode, ApiError> {
    let presented = caller::bearer(&headers)?
        .ok_or_else(|| Error::Forbidden("This ends API tokens. To end a session, log out.".to_owned()))?;
    actions.revoke_own_token(&caller, presented).await?;
    Ok(StatusCode::NO_CONTENT)
}
