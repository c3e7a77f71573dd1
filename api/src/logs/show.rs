//! `GET /api/paas/apps/{app}/logs`.

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use skypanel_core::actions::Actions;
use skypanel_core::logs::{LogDirection, LogPageQuery};
use skypanel_core::model::AppRef;
use utoipa::{IntoParams, ToSchema};

use super::{LogItem, WantedLines};
use crate::error::{ApiError, ErrorBody};
use crate::http::{Caller, PathOf, QueryOf};

/// From which end.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct From {
    /// `backward`: the newest of those before the cursor. `forward`: the oldest of those behind it.
    #[serde(default)]
    #[param(inline)]
    direction: Direction,
}

/// From which end a page is read.
#[derive(Clone, Copy, Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Direction {
    /// The newest first.
    #[default]
    Backward,
    /// The oldest first.
    Forward,
}

/// A page of an app's log.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct LogLines<'a> {
    /// The lines, oldest first whatever the direction.
    items: Vec<LogItem<'a>>,
    /// What to ask for as `cursor`, in the same direction, to get the next page; null on the last one. There can be a next
    /// page although this one has fewer lines than were asked for: a search that takes long ends its page.
    next_cursor: Option<&'a str>,
    /// What you should know about these lines, such as that they come from another place than usual.
    notice: Option<&'a str>,
}

/// Show an app's logs
///
/// What its processes wrote (`app`), the requests to it (`router`), its builds and release commands, and what the
/// platform did to it (`system`). The newest lines unless asked otherwise; always oldest first. All that is asked of a
/// line must hold.
///
/// While the log store does not answer, lines come from the container engine itself, and `notice` says so.
#[utoipa::path(
    get,
    path = "/api/paas/apps/{app}/logs",
    tag = "logs",
    params(("app" = String, Path, description = "Its slug or id"), WantedLines, From),
    responses(
        (status = OK, body = LogLines),
        (status = BAD_GATEWAY, description = "Neither the log store nor the container engine answers.", body = ErrorBody)
    )
)]
pub(crate) async fn show_logs(
    State(actions): State<Actions>,
    caller: Caller,
    PathOf(app): PathOf<AppRef>,
    QueryOf(wanted): QueryOf<WantedLines>,
    QueryOf(from): QueryOf<From>,
) -> Result<Response, ApiError> {
    let query = LogPageQuery {
        filter: wanted.filter(actions.clock.now())?,
        direction: match from.direction {
            Direction::Backward => LogDirection::Backward,
            Direction::Forward => LogDirection::Forward,
        },
        cursor: wanted.cursor()?,
        lines: wanted.lines,
    };
    let page = actions.app_logs(&caller, &app, query).await?;
    let texts: Vec<_> = page.lines.iter().map(|line| String::from_utf8_lossy(&line.record.text)).collect();
    let lines = LogLines {
        items: page.lines.iter().zip(&texts).map(|(line, text)| LogItem::of(line, text)).collect(),
        next_cursor: page.next.as_ref().map(skypanel_core::logs::LogCursor::as_str),
        notice: page.notice.as_deref(),
    };
    let body = serde_json::to_vec(&lines).map_err(|error| skypanel_core::Error::System(error.to_string()))?;
    Ok(([(header::CONTENT_TYPE, "application/json")], body).into_response())
}
