//! `GET /api/paas/apps/{app}/events`.

use axum::Json;
use axum::extract::State;
use skypanel_core::actions::Actions;
use skypanel_core::model::AppRef;

use super::EventItem;
use crate::http::{Answer, Caller, Listed, Page, PathOf};

/// List an app's events
///
/// Releases, failures, failed health checks, changes, suspensions: newest first.
#[utoipa::path(
    get,
    path = "/api/paas/apps/{app}/events",
    tag = "apps",
    params(("app" = String, Path, description = "Its slug or id"), Page),
    responses((status = OK, body = Listed<EventItem>))
)]
pub(crate) async fn list_app_events(
    State(actions): State<Actions>,
    caller: Caller,
    PathOf(app): PathOf<AppRef>,
    page: Page,
) -> Answer<Listed<EventItem>> {
    let events = actions.app_events(&caller, &app, page.after()?, page.rows()).await?;
    Ok(Json(page.list(events, |event| event.id, EventItem::from)))
}
