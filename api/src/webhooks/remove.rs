//! `DELETE /api/paas/apps/{app}/webhooks/{webhook}`.

use axum::extract::State;
use axum::http::StatusCode;
use skypanel_core::actions::Actions;
use skypanel_core::model::{AppRef, WebhookId};
use uuid::Uuid;

use crate::error::ApiError;
use crate::http::{Caller, PathOf};

/// Remove a webhook
///
/// Its calls are forgotten with it; its address answers 404 from then on.
#[utoipa::path(
    delete,
    path = "/api/paas/apps/{app}/webhooks/{webhook}",
    tag = "webhooks",
    params(
        ("app" = String, Path, description = "Slug or id of the app"),
        ("webhook" = Uuid, Path, description = "Id of the webhook"),
    ),
    responses((status = NO_CONTENT))
)]
pub(crate) async fn remove_webhook(
    State(actions): State<Actions>,
    caller: Caller,
    PathOf((app, webhook)): PathOf<(AppRef, Uuid)>,
) -> Result<StatusCode, ApiError> {
    actions.remove_webhook(&caller, &app, WebhookId(webhook)).await?;
    Ok(StatusCode::NO_CONTENT)
}
