//! `GET /api/paas/apps/{app}/logs/stream`.

use axum::response::sse::{Event, Sse};
use futures_util::StreamExt as _;
use skypanel_core::model::AppRef;
use skypanel_core::store::Access;

use super::{LogItem, WantedLines, lines};
use crate::error::{ApiError, ErrorBody};
use crate::http::watch::Follower;
use crate::http::{PathOf, QueryOf};
use crate::jobs::live::{LiveEvents, events};

/// Follow an app's logs
///
/// Server-sent events without a name, with `{"at", "process", "text", "timestamp", "message"}`, for each of the newest
/// lines and for each new one as it comes.
#[utoipa::path(
    get,
    path = "/api/paas/apps/{app}/logs/stream",
    tag = "logs",
    params(("app" = String, Path, description = "Its slug or id"), WantedLines),
    responses(
        (status = OK, body = crate::http::schema::LiveEvent, content_type = "text/event-stream"),
        (status = BAD_GATEWAY, description = "The container engine does not answer.", body = ErrorBody)
    )
)]
pub(crate) async fn stream_logs(
    follower: Follower,
    PathOf(app): PathOf<AppRef>,
    QueryOf(wanted): QueryOf<WantedLines>,
) -> Result<Sse<LiveEvents>, ApiError> {
    let lines = lines(follower.actions(), follower.actor(), &app, wanted, true).await?;
    // What the engine cannot tell any more ends the stream; the client connects again.
    let shown = lines.take_while(|line| std::future::ready(line.is_ok())).filter_map(|line| async {
        let line = serde_json::to_string(&LogItem::from(line.ok()?)).ok()?;
        Some(Ok(Event::default().data(line)))
    });
    events(follower, shown.boxed(), move |actions, actor| {
        let app = app.clone();
        async move { actions.app_of(&actor, &app, Access::Read).await.map(|_| ()) }
    })
}
