//! `GET /api/admin/paas/organizations/{organization}`.

use axum::Json;
use axum::extract::State;
use skypanel_core::actions::Actions;
use skypanel_core::model::OrganizationRef;

use super::AdminOrganizationItem;
use crate::http::{AdminCaller, Answer, PathOf};

/// Show an organisation to an admin
///
/// With its counts, costs and limits.
#[utoipa::path(
    get,
    path = "/api/admin/paas/organizations/{organization}",
    tag = "admin",
    params(("organization" = String, Path, description = "Its name or id")),
    responses((status = OK, body = AdminOrganizationItem))
)]
pub(crate) async fn show_any_organization(
    State(actions): State<Actions>,
    admin: AdminCaller,
    PathOf(organization): PathOf<OrganizationRef>,
) -> Answer<AdminOrganizationItem> {
    Ok(Json(actions.admin_organization(&admin, &organization).await?.into()))
}
