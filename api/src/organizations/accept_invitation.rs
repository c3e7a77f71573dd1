//! `POST /api/me/invitations/accept`.

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use skypanel_core::actions::Actions;
use utoipa::ToSchema;

use super::list::OrganizationItem;
use crate::error::ErrorBody;
use crate::http::{Answer, Caller, ValidJson};

/// Which invitation.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Acceptance {
    /// As in the invitation's link.
    token: String,
}

/// Accept an invitation
///
/// For someone who has an account with the invited e-mail address. Who has none signs up with the invitation.
#[utoipa::path(
    post, path = "/api/me/invitations/accept", tag = "organizations", request_body = Acceptance,
    responses(
        (status = OK, body = OrganizationItem),
        (status = NOT_FOUND, body = ErrorBody, description = "The invitation is unknown, used, taken back or too old."),
    ),
)]
pub(crate) async fn accept_invitation(
    State(actions): State<Actions>,
    caller: Caller,
    ValidJson(acceptance): ValidJson<Acceptance>,
) -> Answer<OrganizationItem> {
    let (organization, role) = actions.accept_invitation(&caller, &acceptance.token).await?;
    Ok(Json(OrganizationItem::new(organization, role)))
}
