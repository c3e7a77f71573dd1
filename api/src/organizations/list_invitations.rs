//! `GET /api/organizations/{organization}/invitations`.

use axum::Json;
use axum::extract::State;
use chrono::{DateTime, Utc};
use serde::Serialize;
use skypanel_core::actions::Actions;
use skypanel_core::model::{Invitation, OrganizationRef, Role};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::http::{Answer, Caller, Listed, PathOf, schema};

/// An invitation that nobody has accepted yet.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct InvitationItem {
    id: Uuid,
    email: String,
    #[schema(value_type = schema::Role)]
    role: Role,
    created_at: DateTime<Utc>,
    expires_at: DateTime<Utc>,
}

impl From<Invitation> for InvitationItem {
    fn from(invitation: Invitation) -> Self {
        Self {
            id: invitation.id.0,
            email: invitation.email,
            role: invitation.role,
            created_at: invitation.created_at,
            expires_at: invitation.expires_at,
        }
    }
}

/// List invitations
///
/// Those that can be accepted, oldest first. For owners.
#[utoipa::path(
    get, path = "/api/organizations/{organization}/invitations", tag = "organizations",
    params(("organization" = String, Path, description = "Name or id.")),
    responses((status = OK, body = Listed<InvitationItem>)),
)]
pub(crate) async fn list_invitations(
    State(actions): State<Actions>,
    caller: Caller,
    PathOf(name): PathOf<OrganizationRef>,
) -> Answer<Listed<InvitationItem>> {
    let invitations = actions.invitations(&caller, &name).await?;
    Ok(Json(Listed::whole(invitations.into_iter().map(InvitationItem::from).collect())))
}
