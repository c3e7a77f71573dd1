//! `GET /api/paas/apps/{app}/deployments`.

use axum::Json;
use axum::extract::State;
use skypanel_core::actions::Actions;
use skypanel_core::model::AppRef;

use super::DeploymentItem;
use crate::http::{Answer, Caller, Listed, Page, PathOf};

/// List deployments
///
/// All deployments of an app, newest first: those that failed, too.
#[utoipa::path(
    get,
    path = "/api/paas/apps/{app}/deployments",
    tag = "deployments",
    params(("app" = String, Path, description = "Its slug or id"), Page),
    responses((status = OK, body = Listed<DeploymentItem>))
)]
pub(crate) async fn list_deployments(
    State(actions): State<Actions>,
    caller: Caller,
    PathOf(app): PathOf<AppRef>,
    page: Page,
) -> Answer<Listed<DeploymentItem>> {
    let deployments = actions.deployments(&caller, &app, page.after()?, page.rows()).await?;
    Ok(Json(page.list(deployments, |view| (view.deployment.created_at, view.deployment.id), DeploymentItem::from)))
}
