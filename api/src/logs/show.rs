//! `GET /api/paas/apps/{app}/logs`.

use axum::Json;
use axum::extract::State;
use futures_util::StreamExt as _;
use skypanel_core::actions::Actions;
use skypanel_core::model::AppRef;
use tokio::time::timeout;

use super::{ENGINE_LIMIT, LogItem, WantedLines, lines, silent};
use crate::error::ErrorBody;
use crate::http::{Answer, Caller, Listed, PathOf, QueryOf};

/// Show an app's logs
///
/// The newest lines of its processes, oldest first.
#[utoipa::path(
    get,
    path = "/api/paas/apps/{app}/logs",
    tag = "logs",
    params(("app" = String, Path, description = "Its slug or id"), WantedLines),
    responses(
        (status = OK, body = Listed<LogItem>),
        (status = BAD_GATEWAY, description = "The container engine does not answer.", body = ErrorBody)
    )
)]
pub(crate) async fn show_logs(
    State(actions): State<Actions>,
    caller: Caller,
    PathOf(app): PathOf<AppRef>,
    QueryOf(wanted): QueryOf<WantedLines>,
) -> Answer<Listed<LogItem>> {
    let mut lines = lines(&actions, &caller, &app, wanted, false).await?;
    let mut items = Vec::new();
    while let Some(line) = timeout(ENGINE_LIMIT, lines.next()).await.map_err(|_| silent())? {
        items.push(LogItem::from(line?));
    }
    Ok(Json(Listed::whole(items)))
}
