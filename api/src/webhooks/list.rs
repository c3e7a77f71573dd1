//! `GET /api/paas/apps/{app}/webhooks`.

use axum::Json;
use axum::extract::State;
use chrono::{DateTime, Utc};
use serde::Serialize;
use skypanel_core::actions::Actions;
use skypanel_core::model::{AppRef, Webhook, WebhookProvider};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::http::{Answer, Caller, Listed, PathOf, Shared, schema};

/// A webhook, without its secret.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct WebhookItem {
    id: Uuid,
    /// Who calls it.
    #[schema(value_type = schema::WebhookProvider)]
    provider: WebhookProvider,
    /// The address to give to the host.
    url: String,
    /// Until when the secret before the last rotation still holds.
    old_secret_until: Option<DateTime<Utc>>,
    created_at: DateTime<Utc>,
    /// When it was last called.
    last_delivery_at: Option<DateTime<Utc>>,
}

impl WebhookItem {
    pub(super) fn of(webhook: &Webhook, shared: &Shared) -> Self {
        Self {
            id: webhook.id.0,
            provider: webhook.provider,
            url: format!("{}{}", shared.options.public_url.trim_end_matches('/'), webhook.path()),
            old_secret_until: webhook.old_secret_until,
            created_at: webhook.created_at,
            last_delivery_at: webhook.last_delivery_at,
        }
    }
}

/// List an app's webhooks
#[utoipa::path(
    get,
    path = "/api/paas/apps/{app}/webhooks",
    tag = "webhooks",
    params(("app" = String, Path, description = "Slug or id of the app")),
    responses((status = OK, body = Listed<WebhookItem>))
)]
pub(crate) async fn list_webhooks(
    State(shared): State<Shared>,
    State(actions): State<Actions>,
    caller: Caller,
    PathOf(app): PathOf<AppRef>,
) -> Answer<Listed<WebhookItem>> {
    let webhooks = actions.webhooks(&caller, &app).await?;
    Ok(Json(Listed::whole(webhooks.iter().map(|webhook| WebhookItem::of(webhook, &shared)).collect())))
}
