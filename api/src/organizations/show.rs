//! `GET /api/organizations/{organization}`.

use axum::Json;
use axum::extract::State;
use skypanel_core::actions::Actions;
use skypanel_core::model::{OrganizationRef, Role};
use skypanel_core::store::Access;

use super::list::OrganizationItem;
use crate::http::{Answer, Caller, PathOf};

/// Show an organisation
///
/// By its name or id, to its members.
#[utoipa::path(
    get, path = "/api/organizations/{organization}", tag = "organizations",
    params(("organization" = String, Path, description = "Name or id.")),
    responses((status = OK, body = OrganizationItem)),
)]
pub(crate) async fn show_organization(
    State(actions): State<Actions>,
    caller: Caller,
    PathOf(name): PathOf<OrganizationRef>,
) -> Answer<OrganizationItem> {
    let organization = actions.organization_for(&caller, &name, Access::Read).await?;
    let role = caller.role_in(organization.id).unwrap_or(Role::Viewer);
    Ok(Json(OrganizationItem::new(organization, role)))
}
