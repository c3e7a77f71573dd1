//! `PUT /api/organizations/{organization}/members/{user}`.

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use skypanel_core::actions::Actions;
use skypanel_core::model::{OrganizationRef, Role, UserId};
use utoipa::ToSchema;

use super::list_members::MemberItem;
use crate::error::ErrorBody;
use crate::http::{Answer, Caller, PathOf, ValidJson, schema};

/// The new role.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RoleRequest {
    #[schema(value_type = schema::Role)]
    role: Role,
}

/// Change a member's role
///
/// For owners. The last owner stays one.
#[utoipa::path(
    put, path = "/api/organizations/{organization}/members/{user}", tag = "organizations", request_body = RoleRequest,
    params(("organization" = String, Path, description = "Name or id."), ("user" = Uuid, Path)),
    responses(
        (status = OK, body = MemberItem),
        (status = CONFLICT, body = ErrorBody, description = "There would be no owner any more."),
    ),
)]
pub(crate) async fn set_member_role(
    State(actions): State<Actions>,
    caller: Caller,
    PathOf((name, user)): PathOf<(OrganizationRef, UserId)>,
    ValidJson(request): ValidJson<RoleRequest>,
) -> Answer<MemberItem> {
    Ok(Json(actions.set_role(&caller, &name, user, request.role).await?.into()))
}
