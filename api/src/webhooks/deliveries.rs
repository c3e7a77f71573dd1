//! `GET /api/paas/apps/{app}/webhooks/{webhook}/deliveries`.

use axum::Json;
use axum::extract::State;
use chrono::{DateTime, Utc};
use serde::Serialize;
use skypanel_core::actions::Actions;
use skypanel_core::model::{AppRef, DeliveryOutcome, WebhookDelivery, WebhookDeliveryId, WebhookId};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::http::{Answer, Caller, Listed, Page, PathOf, schema};

/// A call of a webhook, and what came of it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DeliveryItem {
    id: Uuid,
    /// The host's name for it.
    delivery: String,
    /// The host's word for what happened, such as `push`.
    event: String,
    /// What came of it.
    #[schema(value_type = schema::DeliveryOutcome)]
    outcome: DeliveryOutcome,
    /// Why, in words.
    reason: String,
    /// The branch that was pushed to.
    git_branch: Option<String>,
    /// The commit that was pushed.
    git_commit: Option<String>,
    /// First line of its message.
    git_message: Option<String>,
    /// Its author.
    git_author: Option<String>,
    /// The deployment it caused.
    deployment_id: Option<Uuid>,
    /// The call that this one repeats.
    replay_of: Option<Uuid>,
    received_at: DateTime<Utc>,
}

impl From<WebhookDelivery> for DeliveryItem {
    fn from(delivery: WebhookDelivery) -> Self {
        let push = delivery.push.map(|push| push.0);
        let push = push.as_ref();
        Self {
            id: delivery.id.0,
            delivery: delivery.delivery,
            event: delivery.event,
            outcome: delivery.outcome,
            reason: delivery.reason,
            git_branch: push.map(|push| push.branch.to_string()),
            git_commit: push.and_then(|push| push.commit.as_ref()).map(ToString::to_string),
            git_message: push.and_then(|push| push.message.clone()),
            git_author: push.and_then(|push| push.author.clone()),
            deployment_id: delivery.deployment_id.map(|id| id.0),
            replay_of: delivery.replay_of.map(|id| id.0),
            received_at: delivery.received_at,
        }
    }
}

/// List the calls of a webhook
///
/// Newest first.
#[utoipa::path(
    get,
    path = "/api/paas/apps/{app}/webhooks/{webhook}/deliveries",
    tag = "webhooks",
    params(
        ("app" = String, Path, description = "Slug or id of the app"),
        ("webhook" = Uuid, Path, description = "Id of the webhook"),
        Page,
    ),
    responses((status = OK, body = Listed<DeliveryItem>))
)]
pub(crate) async fn list_webhook_deliveries(
    State(actions): State<Actions>,
    caller: Caller,
    PathOf((app, webhook)): PathOf<(AppRef, Uuid)>,
    page: Page,
) -> Answer<Listed<DeliveryItem>> {
    let after: Option<(DateTime<Utc>, WebhookDeliveryId)> = page.after()?;
    let rows = actions.webhook_deliveries(&caller, &app, WebhookId(webhook), after, page.rows()).await?;
    Ok(Json(page.list(rows, |row| (row.received_at, row.id), DeliveryItem::from)))
}
