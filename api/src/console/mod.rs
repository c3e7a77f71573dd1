//! `GET /api/paas/apps/{app}/console`: a one-off process with a terminal in the browser, over a WebSocket.
//!
//! The first message is text, `{"command", "columns", "rows"}`. After that, what is typed and what the process writes are
//! binary messages, and `{"columns", "rows"}` tells of another size. The last message is text, too: `{"exit": status}`, or
//! `{"error": "…"}` in words for the user.

mod open;
mod session;

use std::future::Future;
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::http::Shared;

/// Longest that consoles may take to end once the server is told to stop.
const STOP_LIMIT: Duration = Duration::from_secs(5);

/// The route. It is no part of the OpenAPI document, which knows no WebSockets.
pub(crate) fn routes() -> Router<Shared> {
    Router::new().route("/api/paas/apps/{app}/console", get(open::open_console))
}

/// The consoles that are open. A WebSocket outlives the request that opened it, so that they are owned here.
#[derive(Clone, Debug, Default)]
pub(crate) struct Consoles {
    tasks: TaskTracker,
    stop: CancellationToken,
}

impl Consoles {
    /// Has a console run until it ends, or the server stops.
    fn open(&self, console: impl Future<Output = ()> + Send + 'static) {
        let stop = self.stop.clone();
        self.tasks.spawn(async move {
            tokio::select! {
                () = stop.cancelled() => {}
                () = console => {}
            }
        });
    }

    /// Ends all of them once `cancel` says so.
    pub(crate) async fn run(self, cancel: &CancellationToken) {
        cancel.cancelled().await;
        self.stop.cancel();
        self.tasks.close();
        if tokio::time::timeout(STOP_LIMIT, self.tasks.wait()).await.is_err() {
            tracing::warn!(left = self.tasks.len(), "consoles were still ending at shutdown");
        }
    }
}
