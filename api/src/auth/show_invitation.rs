//! `POST /api/auth/invitation`.

use axum::Json;
use axum::extract::State;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use skypanel_core::actions::Actions;
use skypanel_core::model::Role;
use utoipa::ToSchema;

use crate::error::ErrorBody;
use crate::http::{Answer, ValidJson, Visitor, schema};

/// Which invitation.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct InvitationLink {
    /// As in the invitation's link.
    token: String,
}

/// What somebody is invited to.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ShownInvitation {
    /// Name of the organisation.
    organization: String,
    /// What they would be there.
    #[schema(value_type = schema::Role)]
    role: Role,
    /// The address that was invited.
    email: String,
    /// Whether there is an account for that address: its owner logs in, who has none signs up.
    has_account: bool,
    /// When the invitation ends by itself.
    expires_at: DateTime<Utc>,
}

/// Look at an invitation
///
/// For whoever has its link, before it is accepted. It changes nothing; that it is no GET keeps the token out of logs.
#[utoipa::path(
    post, path = "/api/auth/invitation", tag = "auth", request_body = InvitationLink, security(()),
    responses(
        (status = OK, body = ShownInvitation),
        (status = NOT_FOUND, body = ErrorBody, description = "The invitation is unknown, used, taken back or too old."),
    ),
)]
pub(crate) async fn show_invitation(
    State(actions): State<Actions>,
    visitor: Visitor,
    ValidJson(link): ValidJson<InvitationLink>,
) -> Answer<ShownInvitation> {
    let (invitation, organization, has_account) = actions.invitation_of(&link.token, visitor.address).await?;
    Ok(Json(ShownInvitation {
        organization: organization.name,
        role: invitation.role,
        email: invitation.email,
        has_account,
        expires_at: invitation.expires_at,
    }))
}
