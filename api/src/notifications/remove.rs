//! `DELETE /api/organizations/{organization}/notifications/{id}` and `DELETE /api/admin/paas/notifications/{id}`.

use axum::extract::State;
use axum::http::StatusCode;
use skypanel_core::actions::{Actions, AlertsOf};
use skypanel_core::model::{OrganizationRef, TargetId};
use uuid::Uuid;

use super::of;
use crate::error::ApiError;
use crate::http::{AdminCaller, Caller, PathOf};

/// Remove a notification target of an organisation
///
/// For owners. Messages to it go as well, those that were not sent yet included.
#[utoipa::path(
    delete,
    path = "/api/organizations/{organization}/notifications/{id}",
    tag = "alerts",
    params(
        ("organization" = String, Path, description = "Name or id."),
        ("id" = Uuid, Path, description = "Id of the target"),
    ),
    responses((status = NO_CONTENT))
)]
pub(crate) async fn remove_notification_target(
    State(actions): State<Actions>,
    caller: Caller,
    PathOf((organization, id)): PathOf<(OrganizationRef, Uuid)>,
) -> Result<StatusCode, ApiError> {
    actions.remove_notification_target(&caller, &of(organization), TargetId(id)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Remove a notification target of the platform
///
/// Messages to it go as well, those that were not sent yet included.
#[utoipa::path(
    delete,
    path = "/api/admin/paas/notifications/{id}",
    tag = "admin",
    params(("id" = Uuid, Path, description = "Id of the target")),
    responses((status = NO_CONTENT))
)]
pub(crate) async fn remove_platform_target(
    State(actions): State<Actions>,
    admin: AdminCaller,
    PathOf(id): PathOf<Uuid>,
) -> Result<StatusCode, ApiError> {
    actions.remove_notification_target(&admin, &AlertsOf::Platform, TargetId(id)).await?;
    Ok(StatusCode::NO_CONTENT)
}
