//! `PATCH /api/organizations/{organization}/notifications/{id}` and `PATCH /api/admin/paas/notifications/{id}`.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Deserializer};
use skypanel_core::actions::{Actions, AlertsOf};
use skypanel_core::model::{AlertRule, OrganizationRef, Severity, TargetId};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{TargetItem, of};
use crate::http::{AdminCaller, Answer, Caller, PathOf, ValidJson, schema};

/// What to change; what is left out stays as it is.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(clippy::option_option, reason = "left out, null and a list are three different wishes")]
pub(crate) struct TargetChange {
    /// Where it is, of the same kind.
    #[schema(max_length = 2048)]
    address: Option<String>,
    /// Only what is at least this grave is told.
    #[schema(value_type = Option<schema::Severity>)]
    min_severity: Option<Severity>,
    /// The rules whose alerts are told; null for all that are for its owner.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<Vec<schema::AlertRule>>)]
    rules: Option<Option<Vec<AlertRule>>>,
    /// Whether it is told anything.
    enabled: Option<bool>,
}

/// Tells null, which is a value here, from what is left out.
#[expect(clippy::option_option, reason = "left out, null and a list are three different wishes")]
fn given<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<Vec<AlertRule>>>, D::Error> {
    Option::<Vec<AlertRule>>::deserialize(deserializer).map(Some)
}

impl From<TargetChange> for skypanel_core::actions::TargetChange {
    fn from(change: TargetChange) -> Self {
        let TargetChange { address, min_severity, rules, enabled } = change;
        Self { address, min_severity, rules, enabled }
    }
}

/// Change a notification target of an organisation
///
/// For owners. Its secret stays.
#[utoipa::path(
    patch,
    path = "/api/organizations/{organization}/notifications/{id}",
    tag = "alerts",
    params(
        ("organization" = String, Path, description = "Name or id."),
        ("id" = Uuid, Path, description = "Id of the target"),
    ),
    request_body = TargetChange,
    responses((status = OK, body = TargetItem))
)]
pub(crate) async fn change_notification_target(
    State(actions): State<Actions>,
    caller: Caller,
    PathOf((organization, id)): PathOf<(OrganizationRef, Uuid)>,
    ValidJson(change): ValidJson<TargetChange>,
) -> Answer<TargetItem> {
    let changed = actions.change_notification_target(&caller, &of(organization), TargetId(id), &change.into()).await?;
    Ok(Json(changed.into()))
}

/// Change a notification target of the platform
///
/// Its secret stays.
#[utoipa::path(
    patch,
    path = "/api/admin/paas/notifications/{id}",
    tag = "admin",
    params(("id" = Uuid, Path, description = "Id of the target")),
    request_body = TargetChange,
    responses((status = OK, body = TargetItem))
)]
pub(crate) async fn change_platform_target(
    State(actions): State<Actions>,
    admin: AdminCaller,
    PathOf(id): PathOf<Uuid>,
    ValidJson(change): ValidJson<TargetChange>,
) -> Answer<TargetItem> {
    let changed = actions.change_notification_target(&admin, &AlertsOf::Platform, TargetId(id), &change.into()).await?;
    Ok(Json(changed.into()))
}
