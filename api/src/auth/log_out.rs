//! `POST /api/auth/logout` and `POST /api/auth/logout-all`.

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};

use crate::error::ApiError;
use crate::http::{Caller, Shared, Visitor, cookies};

/// Log out
///
/// Ends the session of the refresh cookie and makes the browser forget it. Without a session nothing happens.
#[utoipa::path(
    post, path = "/api/auth/logout", tag = "auth", security(()),
    responses((status = NO_CONTENT, description = "Logged out.")),
)]
pub(crate) async fn log_out(
    State(shared): State<Shared>,
    visitor: Visitor,
    headers: HeaderMap,
) -> Result<(StatusCode, HeaderMap), ApiError> {
    if let Some(presented) = cookies::value(&shared, &headers, cookies::REFRESH) {
        shared.actions.log_out(presented, visitor.address, visitor.request_id).await?;
    }
    Ok((StatusCode::NO_CONTENT, cookies::forget(&shared)))
}

/// Log out everywhere
///
/// Ends all sessions of the caller at once, this one too. API tokens and SSH keys stay.
#[utoipa::path(
    post, path = "/api/auth/logout-all", tag = "auth",
    responses((status = NO_CONTENT, description = "All sessions have ended.")),
)]
pub(crate) async fn log_out_everywhere(
    State(shared): State<Shared>,
    caller: Caller,
) -> Result<(StatusCode, HeaderMap), ApiError> {
    shared.actions.log_out_everywhere(&caller).await?;
    Ok((StatusCode::NO_CONTENT, cookies::forget(&shared)))
}
