//! `POST /api/organizations/{organization}/notifications/{id}/rotate` and
//! `POST /api/admin/paas/notifications/{id}/rotate`.

use axum::Json;
use axum::extract::State;
use skypanel_core::actions::{Actions, AlertsOf};
use skypanel_core::model::{OrganizationRef, TargetId};
use uuid::Uuid;

use super::{TargetSecret, of};
use crate::http::{AdminCaller, Answer, Caller, PathOf};

/// Give a webhook of an organisation a new secret
///
/// For owners, and for targets of the kind `webhook`: its calls are signed with the new secret at once.
#[utoipa::path(
    post,
    path = "/api/organizations/{organization}/notifications/{id}/rotate",
    tag = "alerts",
    params(
        ("organization" = String, Path, description = "Name or id."),
        ("id" = Uuid, Path, description = "Id of the target"),
    ),
    responses((status = OK, body = TargetSecret))
)]
pub(crate) async fn rotate_notification_target(
    State(actions): State<Actions>,
    caller: Caller,
    PathOf((organization, id)): PathOf<(OrganizationRef, Uuid)>,
) -> Answer<TargetSecret> {
    Ok(Json(actions.rotate_notification_target(&caller, &of(organization), TargetId(id)).await?.into()))
}

/// Give a webhook of the platform a new secret
///
/// For targets of the kind `webhook`: its calls are signed with the new secret at once.
#[utoipa::path(
    post,
    path = "/api/admin/paas/notifications/{id}/rotate",
    tag = "admin",
    params(("id" = Uuid, Path, description = "Id of the target")),
    responses((status = OK, body = TargetSecret))
)]
pub(crate) async fn rotate_platform_target(
    State(actions): State<Actions>,
    admin: AdminCaller,
    PathOf(id): PathOf<Uuid>,
) -> Answer<TargetSecret> {
    Ok(Json(actions.rotate_notification_target(&admin, &AlertsOf::Platform, TargetId(id)).await?.into()))
}
