//! `GET /api/paas/apps/{app}/drains`.

use axum::Json;
use axum::extract::State;
use chrono::{DateTime, Utc};
use serde::Serialize;
use skypanel_core::actions::Actions;
use skypanel_core::model::{AppRef, LogDrain};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::http::{Answer, Caller, Listed, PathOf};

/// A log drain, without what its address lets in by.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct LogDrainItem {
    id: Uuid,
    /// Where it leads to, without user, password, path and query.
    #[schema(example = "syslog+tls://logs.example.com:6514")]
    address: String,
    /// Lines that were written before are not forwarded.
    created_at: DateTime<Utc>,
    /// Since when nothing gets there; null while all is well.
    failing_since: Option<DateTime<Utc>>,
    /// Why nothing gets there.
    last_error: Option<String>,
}

impl From<LogDrain> for LogDrainItem {
    fn from(drain: LogDrain) -> Self {
        Self {
            id: drain.id.0,
            address: drain.shown_address,
            created_at: drain.created_at,
            failing_since: drain.failing_since,
            last_error: drain.last_error,
        }
    }
}

/// List an app's log drains
#[utoipa::path(
    get,
    path = "/api/paas/apps/{app}/drains",
    tag = "logs",
    params(("app" = String, Path, description = "Slug or id of the app")),
    responses((status = OK, body = Listed<LogDrainItem>))
)]
pub(crate) async fn list_log_drains(
    State(actions): State<Actions>,
    caller: Caller,
    PathOf(app): PathOf<AppRef>,
) -> Answer<Listed<LogDrainItem>> {
    let drains = actions.log_drains(&caller, &app).await?;
    Ok(Json(Listed::whole(drains.into_iter().map(LogDrainItem::from).collect())))
}
