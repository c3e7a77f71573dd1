//! `DELETE /api/me/tokens/{id}`.

use axum::extract::State;
use axum::http::StatusCode;
use skypanel_core::actions::Actions;
use skypanel_core::model::TokenId;

use crate::error::ApiError;
use crate::http::{Caller, PathOf};

/// Revoke an API token
///
/// It opens nothing from then on.
#[utoipa::path(
    delete, path = "/api/me/tokens/{id}", tag = "me", params(("id" = Uuid, Path)),
    responses((status = NO_CONTENT, description = "Revoked.")),
)]
pub(crate) async fn revoke_token(
    State(actions): State<Actions>,
    caller: Caller,
    PathOf(id): PathOf<TokenId>,
) -> Result<StatusCode, ApiError> {
    actions.revoke_token(&caller, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
