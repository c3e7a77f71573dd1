//! `GET /api/paas/apps/{app}/logs/stream`.

use std::convert::Infallible;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::response::sse::{Event, Sse};
use futures_util::StreamExt as _;
use serde_json::json;
use skypanel_core::Result;
use skypanel_core::logs::{self, LogCursor, LogStart};
use skypanel_core::model::AppRef;
use skypanel_core::store::Access;
use utoipa::IntoParams;

use super::{LogItem, WantedLines};
use crate::error::{ApiError, ErrorBody};
use crate::http::watch::Follower;
use crate::http::{PathOf, QueryOf};
use crate::jobs::live::{LiveEvents, events};

/// Where a client was when it lost the connection.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Header)]
pub(crate) struct LastLine {
    /// Id of the last line that the client got; counts more than `cursor`.
    #[param(rename = "Last-Event-ID", value_type = String, required = false, nullable = false)]
    last_event_id: Option<LogCursor>,
}

impl<S: Send + Sync> FromRequestParts<S> for LastLine {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, ApiError> {
        let Some(value) = parts.headers.get("last-event-id") else { return Ok(Self { last_event_id: None }) };
        match value.to_str().ok().and_then(|text| text.parse().ok()) {
            Some(id) => Ok(Self { last_event_id: Some(id) }),
            None => Err(ApiError::malformed("The header \"Last-Event-ID\" must be the id of an event of this stream.")),
        }
    }
}

/// Follow an app's logs
///
/// Server-sent events: one without a name for each of the newest lines, or each behind the cursor, and then for each new
/// one as it comes, with the fields that lines have in pages; its id is the line's cursor. `notice` events, with
/// `{"text"}`, say what you should know, such as that the lines come from another place than usual. A client that
/// connects again with `Last-Event-ID` misses no line and gets none twice. A comment every 15 seconds keeps a quiet
/// connection alive.
#[utoipa::path(
    get,
    path = "/api/paas/apps/{app}/logs/stream",
    tag = "logs",
    params(("app" = String, Path, description = "Its slug or id"), WantedLines, LastLine),
    responses(
        (status = OK, body = crate::http::schema::LiveEvent, content_type = "text/event-stream"),
        (status = BAD_GATEWAY, description = "Neither the log store nor the container engine answers.", body = ErrorBody)
    )
)]
pub(crate) async fn stream_logs(
    follower: Follower,
    PathOf(app): PathOf<AppRef>,
    QueryOf(wanted): QueryOf<WantedLines>,
    last: LastLine,
) -> Result<Sse<LiveEvents>, ApiError> {
    let actions = follower.actions();
    let filter = wanted.filter(actions.clock.now())?;
    let start = match last.last_event_id.map_or_else(|| wanted.cursor(), |last| Ok(Some(last)))? {
        Some(place) => LogStart::Behind(place),
        None => LogStart::Newest(wanted.lines),
    };
    let items = actions.follow_app_logs(follower.actor(), &app, filter, start).await?;
    // What cannot be told any more ends the stream; the client connects again, and goes on where it was.
    let shown = items.take_while(|item| {
        if let Err(error) = item {
            tracing::warn!(%error, "a live log could not be read on");
        }
        std::future::ready(item.is_ok())
    });
    let shown =
        shown.filter_map(|item| std::future::ready(item.ok().and_then(|item| event(&item)).map(Ok::<_, Infallible>)));
    events(follower, shown.boxed(), move |actions, actor| {
        let app = app.clone();
        async move { actions.app_of(&actor, &app, Access::Read).await.map(|_| ()) }
    })
}

fn event(item: &logs::LogItem) -> Option<Event> {
    match item {
        logs::LogItem::Line(line) => {
            let text = String::from_utf8_lossy(&line.record.text);
            let data = serde_json::to_string(&LogItem::of(line, &text)).ok()?;
            Some(Event::default().id(line.cursor.as_str()).data(data))
        }
        logs::LogItem::Notice(text) => Some(Event::default().event("notice").data(json!({ "text": text }).to_string())),
    }
}
