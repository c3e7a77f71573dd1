//! `GET /api/organizations/{organization}/audit`.

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use skypanel_core::actions::Actions;
use skypanel_core::model::OrganizationRef;
use utoipa::IntoParams;

use super::list::AuditItem;
use crate::http::{Answer, Caller, Listed, Page, PathOf, QueryOf};

/// Which lines to list.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct OrganizationAuditQuery {
    /// What was done, such as `app.scale`; with a dot at its end, all that begins so.
    #[param(max_length = 100, example = "member.")]
    action: Option<String>,
}

/// List what was done in an organisation
///
/// Every change of its apps, members, invitations and money, newest first, for its owners. What people do to their own
/// accounts, such as making a token, is none of it. Of the platform's admins it is not told where they did it from.
#[utoipa::path(
    get,
    path = "/api/organizations/{organization}/audit",
    tag = "organizations",
    params(("organization" = String, Path, description = "Name or id."), OrganizationAuditQuery, Page),
    responses((status = OK, body = Listed<AuditItem>))
)]
pub(crate) async fn list_organization_audit(
    State(actions): State<Actions>,
    caller: Caller,
    PathOf(organization): PathOf<OrganizationRef>,
    QueryOf(query): QueryOf<OrganizationAuditQuery>,
    page: Page,
) -> Answer<Listed<AuditItem>> {
    let lines = actions.organization_audit(&caller, &organization, query.action, page.after()?, page.rows()).await?;
    Ok(Json(page.list(lines, |line| line.id, AuditItem::from)))
}
