//! `GET /api/admin/paas/organizations`.

use axum::Json;
use axum::extract::State;
use skypanel_core::actions::Actions;

use super::{AdminOrganizationItem, Search};
use crate::http::{AdminCaller, Answer, Listed, Page, QueryOf};

/// List all organisations
///
/// By name, with their counts and costs.
#[utoipa::path(
    get,
    path = "/api/admin/paas/organizations",
    tag = "admin",
    params(Search, Page),
    responses((status = OK, body = Listed<AdminOrganizationItem>))
)]
pub(crate) async fn list_all_organizations(
    State(actions): State<Actions>,
    admin: AdminCaller,
    QueryOf(query): QueryOf<Search>,
    page: Page,
) -> Answer<Listed<AdminOrganizationItem>> {
    let after: Option<String> = page.after()?;
    let found = actions.admin_organizations(&admin, query.search.as_deref(), after.as_deref(), page.rows()).await?;
    Ok(Json(page.list(found, |organization| organization.name.clone(), AdminOrganizationItem::from)))
}
