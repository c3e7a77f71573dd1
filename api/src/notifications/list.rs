//! `GET /api/organizations/{organization}/notifications` and `GET /api/admin/paas/notifications`.

use axum::Json;
use axum::extract::State;
use skypanel_core::actions::{Actions, AlertsOf};
use skypanel_core::model::OrganizationRef;

use super::{TargetItem, of};
use crate::http::{AdminCaller, Answer, Caller, Listed, PathOf};

/// List an organisation's notification targets
///
/// Whom its alerts are told to, oldest first. For owners.
#[utoipa::path(
    get,
    path = "/api/organizations/{organization}/notifications",
    tag = "alerts",
    params(("organization" = String, Path, description = "Name or id.")),
    responses((status = OK, body = Listed<TargetItem>))
)]
pub(crate) async fn list_notification_targets(
    State(actions): State<Actions>,
    caller: Caller,
    PathOf(organization): PathOf<OrganizationRef>,
) -> Answer<Listed<TargetItem>> {
    let targets = actions.notification_targets(&caller, &of(organization)).await?;
    Ok(Json(Listed::whole(targets.into_iter().map(TargetItem::from).collect())))
}

/// List the platform's notification targets
///
/// Whom alerts of the platform are told to, oldest first.
#[utoipa::path(
    get,
    path = "/api/admin/paas/notifications",
    tag = "admin",
    responses((status = OK, body = Listed<TargetItem>))
)]
pub(crate) async fn list_platform_targets(
    State(actions): State<Actions>,
    admin: AdminCaller,
) -> Answer<Listed<TargetItem>> {
    let targets = actions.notification_targets(&admin, &AlertsOf::Platform).await?;
    Ok(Json(Listed::whole(targets.into_iter().map(TargetItem::from).collect())))
}
