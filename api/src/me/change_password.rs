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
}

/// Change the password
///
/// Ends all other sessions of the caller. API tokens and SSH keys stay.
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
    actions.change_password(&caller, &change.current_password, &change.new_password, session.0).await?;
    Ok(StatusCode::NO_CONTENT)
}
