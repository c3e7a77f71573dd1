//! `GET /api/paas/apps/{app}/processes`.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use chrono::{DateTime, Utc};
use serde::Serialize;
use skypanel_core::Error;
use skypanel_core::actions::Actions;
use skypanel_core::console::ProcessState;
use skypanel_core::model::AppRef;
use skypanel_core::store::Access;
use utoipa::ToSchema;

use crate::error::ErrorBody;
use crate::http::{Answer, Caller, LargePage, Listed, PathOf};

/// Longest the engine may take to say what runs.
const ENGINE_LIMIT: Duration = Duration::from_secs(30);

/// A replica.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ProcessItem {
    /// Process type, such as `web`.
    process: String,
    /// Its number, from 1.
    replica: u64,
    /// `running`, `starting`, `failed` and other words of the container engine.
    state: String,
    /// Since when.
    since: Option<DateTime<Utc>>,
    /// Why it failed, if it did.
    error: Option<String>,
    /// How long it has been running, in seconds; null where it does not run.
    #[schema(minimum = 0)]
    uptime_seconds: Option<u64>,
    /// The last time that a process of this replica failed, as far as the engine still knows.
    last_failure: Option<FailureItem>,
}

/// That a process failed.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct FailureItem {
    /// When.
    at: DateTime<Utc>,
    /// Why, in the container engine's words.
    reason: String,
}

/// List processes
///
/// The replicas of an app as the container engine sees them now.
#[utoipa::path(
    get,
    path = "/api/paas/apps/{app}/processes",
    tag = "processes",
    params(("app" = String, Path, description = "Its slug or id"), LargePage),
    responses(
        (status = OK, body = Listed<ProcessItem>),
        (status = BAD_GATEWAY, description = "The container engine does not answer.", body = ErrorBody)
    )
)]
pub(crate) async fn list_processes(
    State(actions): State<Actions>,
    caller: Caller,
    PathOf(app): PathOf<AppRef>,
    page: LargePage,
) -> Answer<Listed<ProcessItem>> {
    let app = actions.app_of(&caller, &app, Access::Read).await?;
    let states = tokio::time::timeout(ENGINE_LIMIT, actions.console.processes(&app))
        .await
        .map_err(|_| Error::Upstream("The container engine does not answer. Try again in a minute.".to_owned()))??;
    let now = actions.clock.now();
    let show = |state: ProcessState| ProcessItem {
        uptime_seconds: state.uptime(now).map(|uptime| uptime.as_secs()),
        last_failure: state.last_failure.map(|failure| FailureItem { at: failure.at, reason: failure.reason }),
        process: state.process.to_string(),
        replica: state.replica,
        state: state.state,
        since: state.since,
        error: state.error,
    };
    Ok(Json(page.cut(states, |state| (state.process.to_string(), state.replica), show)?))
}
