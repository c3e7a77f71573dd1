//! What an app writes: its newest lines, and new ones as they come.

mod show;
mod stream;

use std::time::Duration;

use chrono::{DateTime, Utc};
use futures_util::stream::BoxStream;
use serde::{Deserialize, Serialize};
use skypanel_core::actions::{Actions, Actor};
use skypanel_core::console::{LogLine, LogQuery};
use skypanel_core::model::{AppRef, ProcessType};
use skypanel_core::store::Access;
use skypanel_core::{Error, Result};
use tokio::time::timeout;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::http::Shared;

/// Longest the engine may take to begin, and longest it may be silent while it is not to wait for new lines.
const ENGINE_LIMIT: Duration = Duration::from_secs(30);

/// The routes.
pub(crate) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(show::show_logs)).routes(routes!(stream::stream_logs))
}

/// Which lines.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct WantedLines {
    /// At most this many of the newest.
    #[serde(default = "default_lines")]
    #[param(minimum = 0, maximum = 10_000, default = 100)]
    lines: u32,
    /// Only this process type.
    #[param(value_type = Option<String>)]
    process: Option<ProcessType>,
}

fn default_lines() -> u32 {
    100
}

/// A line that an app wrote.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct LogItem {
    /// When the container engine got it.
    at: DateTime<Utc>,
    /// Process and replica, such as `web.1`.
    process: String,
    /// The line as it was written, control characters and colours included.
    text: String,
    /// The same as `at`.
    timestamp: DateTime<Utc>,
    /// The same as `text`.
    message: String,
}

impl From<LogLine> for LogItem {
    fn from(line: LogLine) -> Self {
        let text = String::from_utf8_lossy(&line.text).into_owned();
        Self { at: line.at, process: line.process, timestamp: line.at, message: text.clone(), text }
    }
}

async fn lines(
    actions: &Actions,
    actor: &Actor,
    app: &AppRef,
    wanted: WantedLines,
    follow: bool,
) -> Result<BoxStream<'static, Result<LogLine>>> {
    if wanted.lines > 10_000 {
        return Err(Error::field("lines", "Ask for up to 10000 lines."));
    }
    let app = actions.app_of(actor, app, Access::Read).await?;
    let query = LogQuery { lines: wanted.lines, follow, process: wanted.process };
    timeout(ENGINE_LIMIT, actions.console.logs(&app, query)).await.map_err(|_| silent())?
}

fn silent() -> Error {
    Error::Upstream("The container engine does not answer. Try again in a minute.".to_owned())
}
