//! `POST /api/organizations/{organization}/invitations`.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use skypanel_core::model::{OrganizationRef, Role};
use utoipa::ToSchema;

use super::list_invitations::InvitationItem;
use crate::error::{ApiError, ErrorBody};
use crate::http::{Caller, PathOf, Shared, ValidJson, schema};

/// Whom to invite.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct InvitationRequest {
    #[schema(example = "grace@example.com")]
    email: String,
    #[schema(value_type = schema::Role)]
    role: Role,
}

/// A new invitation, with what it is accepted with.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct NewInvitation {
    /// Shown this once: only its hash is kept.
    token: String,
    /// The link to pass on.
    url: String,
    #[serde(flatten)]
    item: InvitationItem,
}

/// Invite someone
///
/// For owners. The answer holds a link, good for seven days, to be passed on to the invited person; a second
/// invitation to the same address takes the place of the first. Skypanel sends no mail, so the address is not verified:
/// whoever has the link and no account yet makes one under that address. It gives no right but membership here.
#[utoipa::path(
    post, path = "/api/organizations/{organization}/invitations", tag = "organizations", request_body = InvitationRequest,
    params(("organization" = String, Path, description = "Name or id.")),
    responses(
        (status = CREATED, body = NewInvitation),
        (status = CONFLICT, body = ErrorBody, description = "They are a member already, or too many are invited."),
    ),
)]
pub(crate) async fn invite_member(
    State(shared): State<Shared>,
    caller: Caller,
    PathOf(name): PathOf<OrganizationRef>,
    ValidJson(request): ValidJson<InvitationRequest>,
) -> Result<(StatusCode, Json<NewInvitation>), ApiError> {
    let (invitation, credential) = shared.actions.invite(&caller, &name, &request.email, request.role).await?;
    let token = credential.as_str().to_owned();
    // Behind the #, so that no server and no log on the way sees it.
    let url = format!("{}/invitation#{token}", shared.options.public_url);
    Ok((StatusCode::CREATED, Json(NewInvitation { token, url, item: invitation.into() })))
}
