//! `GET /api/paas/jobs/{id}/log/stream`.

use axum::response::sse::Sse;
use skypanel_core::model::StreamId;
use uuid::Uuid;

use super::live::{LastEvent, LiveEvents, live};
use crate::error::ApiError;
use crate::http::PathOf;
use crate::http::watch::Follower;

/// Follow the log of a job
///
/// Server-sent events: `output` with `{"text": …}` for each piece of the log, from its beginning, and `end` with
/// `{"succeeded": …}` at last. A client that lost the connection goes on where it was with the header
/// `Last-Event-ID`, as browsers do by themselves.
#[utoipa::path(
    get,
    path = "/api/paas/jobs/{id}/log/stream",
    tag = "jobs",
    params(("id" = Uuid, Path, description = "Id of the job or deployment"), LastEvent),
    responses((status = OK, body = crate::http::schema::LiveEvent, content_type = "text/event-stream"))
)]
pub(crate) async fn stream_job_log(
    follower: Follower,
    PathOf(id): PathOf<Uuid>,
    last: LastEvent,
) -> Result<Sse<LiveEvents>, ApiError> {
    live(follower, StreamId(id), last).await
}
