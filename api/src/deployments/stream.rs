//! `GET /api/paas/apps/{app}/deployments/{deployment}/log/stream`.

use axum::response::sse::Sse;
use skypanel_core::model::{AppRef, DeploymentId};
use uuid::Uuid;

use crate::error::ApiError;
use crate::http::PathOf;
use crate::http::watch::Follower;
use crate::jobs::live::{LastEvent, LiveEvents, live};

/// Follow the log of a deployment
///
/// Server-sent events: `output` with `{"text": …}` for each piece of the log, from its beginning, and `end` with
/// `{"succeeded": …}` at last. A client that lost the connection goes on where it was with the header
/// `Last-Event-ID`, as browsers do by themselves.
#[utoipa::path(
    get,
    path = "/api/paas/apps/{app}/deployments/{deployment}/log/stream",
    tag = "deployments",
    params(
        ("app" = String, Path, description = "Its slug or id"),
        ("deployment" = Uuid, Path, description = "Id of the deployment"),
        LastEvent,
    ),
    responses((status = OK, body = crate::http::schema::LiveEvent, content_type = "text/event-stream"))
)]
pub(crate) async fn stream_deployment_log(
    follower: Follower,
    PathOf((app, id)): PathOf<(AppRef, Uuid)>,
    last: LastEvent,
) -> Result<Sse<LiveEvents>, ApiError> {
    let shown = follower.actions().deployment(follower.actor(), &app, DeploymentId(id)).await?;
    live(follower, shown.view.deployment.id.into(), last).await
}
