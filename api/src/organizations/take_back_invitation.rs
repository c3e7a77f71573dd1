//! `DELETE /api/organizations/{organization}/invitations/{id}`.

use axum::extract::State;
use axum::http::StatusCode;
use skypanel_core::actions::Actions;
use skypanel_core::model::{InvitationId, OrganizationRef};

use crate::error::ApiError;
use crate::http::{Caller, PathOf};

/// Take an invitation back
///
/// For owners. Its link opens nothing from then on.
#[utoipa::path(
    delete, path = "/api/organizations/{organization}/invitations/{id}", tag = "organizations",
    params(("organization" = String, Path, description = "Name or id."), ("id" = Uuid, Path)),
    responses((status = NO_CONTENT, description = "Taken back.")),
)]
pub(crate) async fn take_back_invitation(
    State(actions): State<Actions>,
    caller: Caller,
    PathOf((name, id)): PathOf<(OrganizationRef, InvitationId)>,
) -> Result<StatusCode, ApiError> {
    actions.take_back_invitation(&caller, &name, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
