//! `POST /api/paas/apps/{app}/webhooks/{webhook}/deliveries/{delivery}/replay`.

use axum::Json;
use axum::extract::State;
use skypanel_core::actions::Actions;
use skypanel_core::model::{AppRef, WebhookDeliveryId, WebhookId};
use uuid::Uuid;

use super::deliveries::DeliveryItem;
use crate::http::{Answer, Caller, PathOf};

/// Repeat a call of a webhook
///
/// Handles the call as if it came now, under the app's settings of now. The answer is the new call with its outcome.
#[utoipa::path(
    post,
    path = "/api/paas/apps/{app}/webhooks/{webhook}/deliveries/{delivery}/replay",
    tag = "webhooks",
    params(
        ("app" = String, Path, description = "Slug or id of the app"),
        ("webhook" = Uuid, Path, description = "Id of the webhook"),
        ("delivery" = Uuid, Path, description = "Id of the call"),
    ),
    responses(
        (status = OK, body = DeliveryItem),
        (status = CONFLICT, description = "The call told of no push.", body = crate::error::ErrorBody),
    )
)]
pub(crate) async fn replay_webhook_delivery(
    State(actions): State<Actions>,
    caller: Caller,
    PathOf((app, webhook, delivery)): PathOf<(AppRef, Uuid, Uuid)>,
) -> Answer<DeliveryItem> {
    let replayed = actions.replay_delivery(&caller, &app, WebhookId(webhook), WebhookDeliveryId(delivery)).await?;
    Ok(Json(replayed.into()))
}
