//! `POST /api/paas/apps/{app}/webhooks`.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use skypanel_core::actions::{Actions, NewWebhook};
use skypanel_core::model::{AppRef, WebhookProvider};
use utoipa::ToSchema;

use super::list::WebhookItem;
use crate::error::ApiError;
use crate::http::{Caller, PathOf, Shared, ValidJson, schema};

/// Which webhook to make.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct WantedWebhook {
    /// Who will call it.
    #[schema(value_type = schema::WebhookProvider)]
    provider: WebhookProvider,
}

/// A webhook with its secret, which is shown this once.
#[derive(Serialize, ToSchema)]
pub(crate) struct WebhookWithSecret {
    #[serde(flatten)]
    webhook: WebhookItem,
    /// The secret to give to the host. It is not shown again.
    secret: String,
}

impl WebhookWithSecret {
    pub(super) fn of(new: &NewWebhook, shared: &Shared) -> Self {
        Self { webhook: WebhookItem::of(&new.webhook, shared), secret: new.secret.to_string() }
    }
}

/// Make a webhook
///
/// Give its address and secret to the Git host; pushes to the app's branch are deployed from then on, if `auto_deploy`
/// is on.
#[utoipa::path(
    post,
    path = "/api/paas/apps/{app}/webhooks",
    tag = "webhooks",
    params(("app" = String, Path, description = "Slug or id of the app")),
    request_body = WantedWebhook,
    responses((status = CREATED, body = WebhookWithSecret))
)]
pub(crate) async fn create_webhook(
    State(shared): State<Shared>,
    State(actions): State<Actions>,
    caller: Caller,
    PathOf(app): PathOf<AppRef>,
    ValidJson(wanted): ValidJson<WantedWebhook>,
) -> Result<(StatusCode, Json<WebhookWithSecret>), ApiError> {
    let new = actions.create_webhook(&caller, &app, wanted.provider).await?;
    Ok((StatusCode::CREATED, Json(WebhookWithSecret::of(&new, &shared))))
}
