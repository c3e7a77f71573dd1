//! `GET /api/paas/apps/{app}/logs/stream`.

use axum::extract::State;
use axum::response::sse::{Event, Sse};
use futures_util::StreamExt as _;
use skypanel_core::actions::Actions;
use skypanel_core::model::AppRef;

use super::{LogItem, WantedLines, lines};
use crate::error::ApiError;
use crate::http::{Caller, PathOf, QueryOf};
use crate::jobs::live::{LiveEvents, events};

/// Follow an app's logs
///
/// Server-sent events: `line` with `{"at", "process", "text"}` for each of the newest lines and for each new one as it
/// comes.
#[utoipa::path(
    get,
    path = "/api/paas/apps/{app}/logs/stream",
    tag = "logs",
    params(("app" = String, Path, description = "Its slug or id"), WantedLines),
    responses((status = OK, body = String, content_type = "text/event-stream"))
)]
pub(crate) async fn stream_logs(
    State(actions): State<Actions>,
    caller: Caller,
    PathOf(app): PathOf<AppRef>,
    QueryOf(wanted): QueryOf<WantedLines>,
) -> Result<Sse<LiveEvents>, ApiError> {
    let lines = lines(&actions, &caller, &app, wanted, true).await?;
    // What the engine cannot tell any more ends the stream; the client connects again.
    let shown = lines.take_while(|line| std::future::ready(line.is_ok())).filter_map(|line| async {
        let line = serde_json::to_string(&LogItem::from(line.ok()?)).ok()?;
        Some(Ok(Event::default().event("line").data(line)))
    });
    Ok(events(shown.boxed()))
}
