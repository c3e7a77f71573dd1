//! `POST /api/me/password`.

use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use skypanel_core::actions::Actions;
use utoipa::ToSchema;

use crate::error::ApiError;
use crate::http::caller::CurrentSession;
use crate::http::{Caller, ValidJson};

/// Both passwords.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PasswordChange {
    current_password: String,
    /// 12 characters or more.
    new_password: String,
    /// Whether all API tokens of the caller end as well.
    #[serde(default)]
    #[schema(default = false)]
    revoke_tokens: bool,
}

/// Change the password
///
/// Ends all other sessions of the caller, and logins of devices that were approved and have not collected their token.
/// With `revoke_tokens` all API tokens end, too: choose it where somebody else may have known the password. SSH keys stay;
/// look through them then.
#[utoipa::path(
    post, path = "/api/me/password", tag = "me", request_body = PasswordChange,
    responses((status = NO_CONTENT, description = "Changed.")),
)]
pub(crate) async fn change_password(
    State(actions): State<Actions>,
    caller: Caller,
    session: CurrentSession,
    ValidJson(change): ValidJson<PasswordChange>,
) -> Result<StatusCode, ApiError> {
    let PasswordChange { current_password, new_password, revoke_tokens } = change;
    actions.change_password(&caller, &current_password, &new_password, session.0, revoke_tokens).await?;
    Ok(StatusCode::NO_CONTENT)
}
