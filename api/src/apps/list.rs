//! `GET /api/paas/apps`.

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use skypanel_core::actions::Actions;
use skypanel_core::model::{AppSlug, AppStatus, OrganizationRef};
use utoipa::IntoParams;

use super::AppItem;
use crate::http::{Answer, Caller, Listed, Page, QueryOf, schema};

/// Which apps to list.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Which {
    /// Only those of this organisation, by name or id.
    #[param(value_type = Option<String>)]
    organization: Option<OrganizationRef>,
    /// Only those in this status.
    #[param(value_type = Option<schema::AppStatus>)]
    status: Option<AppStatus>,
}

/// List apps
///
/// The apps of the caller's organisations, by name.
#[utoipa::path(
    get,
    path = "/api/paas/apps",
    tag = "apps",
    params(Which, Page),
    responses((status = OK, body = Listed<AppItem>))
)]
pub(crate) async fn list_apps(
    State(actions): State<Actions>,
    caller: Caller,
    QueryOf(which): QueryOf<Which>,
    page: Page,
) -> Answer<Listed<AppItem>> {
    let after: Option<AppSlug> = page.after()?;
    let apps = actions.apps(&caller, which.organization.as_ref(), which.status, after.as_ref(), page.rows()).await?;
    Ok(Json(page.list(apps, |view| view.app.slug.clone(), AppItem::from)))
}
