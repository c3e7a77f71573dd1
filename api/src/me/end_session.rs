//! `DELETE /api/me/sessions/{id}`.

use axum::extract::State;
use axum::http::StatusCode;
use skypanel_core::actions::Actions;
use skypanel_core::model::SessionId;

use crate::error::ApiError;
use crate::http::{Caller, PathOf};

/// End a session
///
/// At once, wherever it is.
#[utoipa::path(
    delete, path = "/api/me/sessions/{id}", tag = "me", params(("id" = Uuid, Path)),
    responses((status = NO_CONTENT, description = "Ended.")),
)]
pub(crate) async fn end_session(
    State(actions): State<Actions>,
    caller: Caller,
    PathOf(id): PathOf<SessionId>,
) -> Result<StatusCode, ApiError> {
    actions.end_session(&caller, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
