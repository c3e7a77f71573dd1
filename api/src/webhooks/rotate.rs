//! `POST /api/paas/apps/{app}/webhooks/{webhook}/rotate`.

use axum::Json;
use axum::extract::State;
use skypanel_core::actions::Actions;
use skypanel_core::model::{AppRef, WebhookId};
use uuid::Uuid;

use super::create::WebhookWithSecret;
use crate::http::{Answer, Caller, PathOf, Shared};

/// Give a webhook a new secret
///
/// The secret before holds for another 24 hours, so that the host can be told the new one without losing a push.
#[utoipa::path(
    post,
    path = "/api/paas/apps/{app}/webhooks/{webhook}/rotate",
    tag = "webhooks",
    params(
        ("app" = String, Path, description = "Slug or id of the app"),
        ("webhook" = Uuid, Path, description = "Id of the webhook"),
    ),
    responses((status = OK, body = WebhookWithSecret))
)]
pub(crate) async fn rotate_webhook(
    State(shared): State<Shared>,
    State(actions): State<Actions>,
    caller: Caller,
    PathOf((app, webhook)): PathOf<(AppRef, Uuid)>,
) -> Answer<WebhookWithSecret> {
    let new = actions.rotate_webhook(&caller, &app, WebhookId(webhook)).await?;
    Ok(Json(WebhookWithSecret::of(&new, &shared)))
}
