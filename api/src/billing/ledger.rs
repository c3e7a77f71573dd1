//! `GET /api/organizations/{organization}/ledger`.

use axum::Json;
use axum::extract::State;
use skypanel_core::actions::Actions;
use skypanel_core::model::OrganizationRef;

use super::LedgerItem;
use crate::http::{Answer, Caller, Listed, Page, PathOf};

/// List the ledger
///
/// Every movement of the wallet, newest first. The balance is their sum.
#[utoipa::path(
    get,
    path = "/api/organizations/{organization}/ledger",
    tag = "billing",
    params(("organization" = String, Path, description = "Its name or id; for admins also the id of one that was deleted"), Page),
    responses((status = OK, body = Listed<LedgerItem>))
)]
pub(crate) async fn list_ledger(
    State(actions): State<Actions>,
    caller: Caller,
    PathOf(organization): PathOf<OrganizationRef>,
    page: Page,
) -> Answer<Listed<LedgerItem>> {
    let organization = actions.organization_with_books(&caller, &organization).await?;
    let entries = actions.ledger(&caller, organization.id, page.after()?, page.rows()).await?;
    Ok(Json(page.list(entries, |entry| entry.id, LedgerItem::from)))
}
