//! `DELETE /api/me/totp`.

use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use skypanel_core::actions::Actions;
use utoipa::ToSchema;

use crate::error::{ApiError, ErrorBody};
use crate::http::{Caller, ValidJson};

/// Proof that it is the caller, and not somebody at their open browser.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RemovalRequest {
    password: String,
    /// A code of the app, or a recovery code.
    code: String,
}

/// Remove the second factor
///
/// With the password and a code. Logins need the password only from then on; recovery codes end.
#[utoipa::path(
    delete, path = "/api/me/totp", tag = "me", request_body = RemovalRequest,
    responses(
        (status = NO_CONTENT, description = "Removed."),
        (status = CONFLICT, body = ErrorBody, description = "There is none."),
    ),
)]
pub(crate) async fn remove_second_factor(
    State(actions): State<Actions>,
    caller: Caller,
    ValidJson(request): ValidJson<RemovalRequest>,
) -> Result<StatusCode, ApiError> {
    actions.remove_second_factor(&caller, &request.password, &request.code).await?;
    Ok(StatusCode::NO_CONTENT)
}
