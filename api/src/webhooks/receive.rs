//! `POST /api/webhooks/{provider}/{token}`.

use axum::Json;
use axum::extract::{FromRequest as _, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use bytes::Bytes;
use serde::Serialize;
use skypanel_core::actions::Actions;
use skypanel_core::model::{DeliveryOutcome, WebhookProvider};
use skypanel_core::webhook::{Call, MAX_BODY_MIB};
use tokio::sync::{Semaphore, SemaphorePermit};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::error::ApiError;
use crate::http::{PathOf, Visitor, schema};

/// Room for the bodies of all calls at a time, in MiB. Who finds none waits.
static ROOM: Semaphore = Semaphore::const_new(100);

/// What came of a call.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct WebhookReceipt {
    /// What was done.
    #[schema(value_type = schema::DeliveryOutcome)]
    outcome: DeliveryOutcome,
    /// Why, in words.
    reason: String,
    /// The deployment that was queued.
    deployment_id: Option<Uuid>,
    /// Whether the same call came before; then nothing was done now, and the rest tells of the first time.
    seen_before: bool,
}

/// Take a call of a Git host
///
/// Signed by the host with the webhook's secret: `X-Hub-Signature-256` (GitHub), `X-Gitea-Signature`, `X-Gitlab-Token`, or
/// `X-Skypanel-Signature` with `X-Skypanel-Timestamp` (generic). 202 if a deployment was queued; 409 if one should have
/// been and could not (200 for GitLab, which switches off webhooks that answer with errors).
#[utoipa::path(
    post,
    path = "/api/webhooks/{provider}/{token}",
    tag = "webhooks",
    security(()),
    params(
        ("provider" = schema::WebhookProvider, Path, description = "Who calls"),
        ("token" = String, Path, description = "The webhook's token"),
    ),
    request_body(content = serde_json::Value, description = "As the host sends it", content_type = "application/json"),
    responses(
        (status = OK, description = "There was nothing to deploy.", body = WebhookReceipt),
        (status = ACCEPTED, description = "A deployment was queued.", body = WebhookReceipt),
        (status = UNAUTHORIZED, description = "The signature is missing or wrong.", body = crate::error::ErrorBody),
        (status = CONFLICT, description = "It should have been deployed and could not be.", body = WebhookReceipt),
    )
)]
pub(crate) async fn receive_webhook(
    State(actions): State<Actions>,
    visitor: Visitor,
    PathOf((provider, token)): PathOf<(String, String)>,
    request: Request,
) -> Result<(StatusCode, Json<WebhookReceipt>), ApiError> {
    let provider: WebhookProvider = provider.parse().map_err(|_| {
        ApiError::from(skypanel_core::Error::NotFound("There is no such webhook, or it was removed.".to_owned()))
    })?;
    // Only who was given the address makes us read this much.
    actions.expect_webhook(provider, &token).await?;
    let headers = request.headers().clone();
    let _room = room_for(&headers).await?;
    let body = Bytes::from_request(request, &()).await.map_err(|rejection| match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => {
            ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, "BODY_TOO_LARGE", "The call is larger than 25 MiB.")
        }
        _ => ApiError::malformed("The body could not be read to its end."),
    })?;
    // What is not text is none of the headers that are looked at.
    let headers: Vec<(String, String)> = headers
        .iter()
        .filter_map(|(name, value)| Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned())))
        .collect();
    let call = Call { provider, headers: &headers, body: &body };
    let received = actions.receive_webhook(&token, call, visitor.address, visitor.request_id).await?;
    let delivery = received.delivery;
    let status = match delivery.outcome {
        _ if received.seen_before => StatusCode::OK,
        DeliveryOutcome::Deployed => StatusCode::ACCEPTED,
        // GitLab switches webhooks off that answer with errors several times in a row.
        DeliveryOutcome::Failed if provider == WebhookProvider::Gitlab => StatusCode::OK,
        DeliveryOutcome::Failed => StatusCode::CONFLICT,
        DeliveryOutcome::Ignored | DeliveryOutcome::Ping => StatusCode::OK,
    };
    let receipt = WebhookReceipt {
        outcome: delivery.outcome,
        reason: delivery.reason,
        deployment_id: delivery.deployment_id.map(|id| id.0),
        seen_before: received.seen_before,
    };
    Ok((status, Json(receipt)))
}

/// Waits until there is room for the body of a call. One that does not say how large it is takes as much as it may.
async fn room_for(headers: &HeaderMap) -> Result<SemaphorePermit<'static>, ApiError> {
    let length = headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    let mib = length
        .and_then(|length| u32::try_from(length >> 20).ok())
        .map_or(MAX_BODY_MIB, |mib| MAX_BODY_MIB.min(mib + 1));
    let room = ROOM.acquire_many(mib).await;
    room.map_err(|_| skypanel_core::Error::System("No calls are taken any more.".to_owned()).into())
}
