//! `POST /api/organizations/{organization}/notifications` and `POST /api/admin/paas/notifications`.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use skypanel_core::actions::{Actions, AlertsOf};
use skypanel_core::model::{AlertRule, OrganizationRef, Severity, TargetKind};
use utoipa::ToSchema;

use super::{TargetSecret, of};
use crate::error::{ApiError, ErrorBody};
use crate::http::{AdminCaller, Caller, PathOf, ValidJson, schema};

/// A target to make.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct WantedTarget {
    /// How it is told.
    #[schema(value_type = schema::TargetKind)]
    kind: TargetKind,
    /// An e-mail address; for `webhook` and `slack`, a URL.
    #[schema(max_length = 2048, example = "ops@example.com")]
    address: String,
    /// Only what is at least this grave is told; `warning` unless told otherwise.
    #[serde(default = "least")]
    #[schema(value_type = Option<schema::Severity>)]
    min_severity: Severity,
    /// The rules whose alerts are told; null or left out for all that are for its owner.
    #[schema(value_type = Option<Vec<schema::AlertRule>>)]
    rules: Option<Vec<AlertRule>>,
    /// Whether it is told anything; true unless told otherwise.
    #[serde(default = "on")]
    #[schema(default = true)]
    enabled: bool,
}

fn least() -> Severity {
    Severity::Warning
}

fn on() -> bool {
    true
}

impl From<WantedTarget> for skypanel_core::actions::WantedTarget {
    fn from(wanted: WantedTarget) -> Self {
        let WantedTarget { kind, address, min_severity, rules, enabled } = wanted;
        Self { kind, address, min_severity, rules, enabled }
    }
}

/// Make a notification target of an organisation
///
/// For owners. Mail goes to members, and to addresses in domains that an admin allows. URLs must be on the public
/// Internet, or in networks that an admin allows. The secret that calls of a `webhook` are signed with is shown this
/// once. Nothing is sent yet: try it with `test`.
#[utoipa::path(
    post,
    path = "/api/organizations/{organization}/notifications",
    tag = "alerts",
    params(("organization" = String, Path, description = "Name or id.")),
    request_body = WantedTarget,
    responses((status = CREATED, body = TargetSecret), (status = CONFLICT, body = ErrorBody, description = "There are too many."))
)]
pub(crate) async fn create_notification_target(
    State(actions): State<Actions>,
    caller: Caller,
    PathOf(organization): PathOf<OrganizationRef>,
    ValidJson(wanted): ValidJson<WantedTarget>,
) -> Result<(StatusCode, Json<TargetSecret>), ApiError> {
    let made = actions.add_notification_target(&caller, &of(organization), &wanted.into()).await?;
    Ok((StatusCode::CREATED, Json(made.into())))
}

/// Make a notification target of the platform
///
/// It is told of the alerts that are for admins; of alerts of organisations if it names their rules. Any address will do.
#[utoipa::path(
    post,
    path = "/api/admin/paas/notifications",
    tag = "admin",
    request_body = WantedTarget,
    responses((status = CREATED, body = TargetSecret), (status = CONFLICT, body = ErrorBody, description = "There are too many."))
)]
pub(crate) async fn create_platform_target(
    State(actions): State<Actions>,
    admin: AdminCaller,
    ValidJson(wanted): ValidJson<WantedTarget>,
) -> Result<(StatusCode, Json<TargetSecret>), ApiError> {
    let made = actions.add_notification_target(&admin, &AlertsOf::Platform, &wanted.into()).await?;
    Ok((StatusCode::CREATED, Json(made.into())))
}
