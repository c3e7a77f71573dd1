//! Whom alerts are told to: an organisation's targets for its owners, the platform's for admins.

mod change;
mod create;
mod list;
mod messages;
mod remove;
mod rotate;
mod test;

use chrono::{DateTime, Utc};
use serde::Serialize;
use skypanel_core::actions::{AlertsOf, TargetWithSecret};
use skypanel_core::model::{NotificationTarget, OrganizationRef, Severity, TargetKind};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use crate::http::{Shared, schema};

/// The routes.
pub(crate) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(list::list_notification_targets, create::create_notification_target))
        .routes(routes!(change::change_notification_target, remove::remove_notification_target))
        .routes(routes!(test::test_notification_target))
        .routes(routes!(rotate::rotate_notification_target))
        .routes(routes!(messages::list_notification_messages))
        .routes(routes!(list::list_platform_targets, create::create_platform_target))
        .routes(routes!(change::change_platform_target, remove::remove_platform_target))
        .routes(routes!(test::test_platform_target))
        .routes(routes!(rotate::rotate_platform_target))
        .routes(routes!(messages::list_platform_messages))
}

/// Somebody, or something, that is told of alerts.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TargetItem {
    id: Uuid,
    /// How it is told.
    #[schema(value_type = schema::TargetKind)]
    kind: TargetKind,
    /// An e-mail address, or of a URL the host: the rest may be a secret.
    #[schema(example = "https://hooks.slack.com/…")]
    address: String,
    /// Only what is at least this grave is told.
    #[schema(value_type = schema::Severity)]
    min_severity: Severity,
    /// The rules whose alerts are told; null for all that are for its owner.
    rules: Option<Vec<String>>,
    /// Whether it is told anything.
    enabled: bool,
    created_at: DateTime<Utc>,
}

impl From<NotificationTarget> for TargetItem {
    fn from(target: NotificationTarget) -> Self {
        Self {
            id: target.id.0,
            kind: target.kind,
            address: target.shown_address,
            min_severity: target.min_severity,
            rules: target.rules,
            enabled: target.enabled,
            created_at: target.created_at,
        }
    }
}

/// A target with the secret of its calls, which is shown this once.
#[derive(Serialize, ToSchema)]
pub(crate) struct TargetSecret {
    #[serde(flatten)]
    target: TargetItem,
    /// What calls are signed with; null for targets that are not called. It is not shown again.
    secret: Option<String>,
}

impl From<TargetWithSecret> for TargetSecret {
    fn from(made: TargetWithSecret) -> Self {
        Self { target: made.target.into(), secret: made.secret.map(|secret| secret.to_string()) }
    }
}

fn of(organization: OrganizationRef) -> AlertsOf {
    AlertsOf::Organization(organization)
}
