//! `GET /api/organizations/{organization}/notifications/{id}/messages` and
//! `GET /api/admin/paas/notifications/{id}/messages`.

use axum::Json;
use axum::extract::State;
use chrono::{DateTime, Utc};
use serde::Serialize;
use skypanel_core::actions::{Actions, AlertsOf};
use skypanel_core::model::{Notification, NotificationId, NotificationState, OrganizationRef, TargetId};
use utoipa::ToSchema;
use uuid::Uuid;

use super::of;
use crate::http::{AdminCaller, Answer, Caller, Listed, Page, PathOf, schema};

/// A message to a target.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct MessageItem {
    id: Uuid,
    /// How far it is.
    #[schema(value_type = schema::NotificationState)]
    state: NotificationState,
    /// Whether it only tried the target.
    is_test: bool,
    /// What it tells, a line each.
    #[schema(example = json!(["fired: app_deploys_failing shop"]))]
    tells: Vec<String>,
    /// How often it was tried.
    attempts: i32,
    created_at: DateTime<Utc>,
    /// When it is tried next, while it waits.
    next_try_at: Option<DateTime<Utc>>,
    /// When it was taken, or given up.
    ended_at: Option<DateTime<Utc>>,
    /// What came of the last try, in words.
    answer: Option<String>,
}

impl From<Notification> for MessageItem {
    fn from(message: Notification) -> Self {
        Self {
            id: message.id.0,
            state: message.state,
            is_test: message.is_test,
            tells: message.tells,
            attempts: message.attempts,
            created_at: message.created_at,
            next_try_at: message.next_try_at,
            ended_at: message.ended_at,
            answer: message.answer,
        }
    }
}

type After = Option<(DateTime<Utc>, NotificationId)>;

/// List the messages to a notification target of an organisation
///
/// Newest first. For owners.
#[utoipa::path(
    get,
    path = "/api/organizations/{organization}/notifications/{id}/messages",
    tag = "alerts",
    params(
        ("organization" = String, Path, description = "Name or id."),
        ("id" = Uuid, Path, description = "Id of the target"),
        Page,
    ),
    responses((status = OK, body = Listed<MessageItem>))
)]
pub(crate) async fn list_notification_messages(
    State(actions): State<Actions>,
    caller: Caller,
    PathOf((organization, id)): PathOf<(OrganizationRef, Uuid)>,
    page: Page,
) -> Answer<Listed<MessageItem>> {
    let after: After = page.after()?;
    let rows = actions.notification_messages(&caller, &of(organization), TargetId(id), after, page.rows()).await?;
    Ok(Json(page.list(rows, |row| (row.created_at, row.id), MessageItem::from)))
}

/// List the messages to a notification target of the platform
///
/// Newest first.
#[utoipa::path(
    get,
    path = "/api/admin/paas/notifications/{id}/messages",
    tag = "admin",
    params(("id" = Uuid, Path, description = "Id of the target"), Page),
    responses((status = OK, body = Listed<MessageItem>))
)]
pub(crate) async fn list_platform_messages(
    State(actions): State<Actions>,
    admin: AdminCaller,
    PathOf(id): PathOf<Uuid>,
    page: Page,
) -> Answer<Listed<MessageItem>> {
    let after: After = page.after()?;
    let rows = actions.notification_messages(&admin, &AlertsOf::Platform, TargetId(id), after, page.rows()).await?;
    Ok(Json(page.list(rows, |row| (row.created_at, row.id), MessageItem::from)))
}
