//! `GET /api/organizations/{organization}/events`.

use axum::Json;
use axum::extract::State;
use skypanel_core::actions::Actions;
use skypanel_core::model::OrganizationRef;

use super::EventItem;
use crate::http::{Answer, Caller, Listed, Page, PathOf};

/// List an organisation's events
///
/// What happened to any of its apps, and to itself, such as warnings of a low balance: newest first. Events of an app
/// go with the app.
#[utoipa::path(
    get,
    path = "/api/organizations/{organization}/events",
    tag = "organizations",
    params(("organization" = String, Path, description = "Name or id."), Page),
    responses((status = OK, body = Listed<EventItem>))
)]
pub(crate) async fn list_organization_events(
    State(actions): State<Actions>,
    caller: Caller,
    PathOf(organization): PathOf<OrganizationRef>,
    page: Page,
) -> Answer<Listed<EventItem>> {
    let events = actions.organization_events(&caller, &organization, page.after()?, page.rows()).await?;
    Ok(Json(page.list(events, |event| event.id, EventItem::from)))
}
