//! The machines that apps run on.

mod list;
mod metrics;

use std::sync::Arc;
use std::time::{Duration, Instant};

use skypanel_core::console::Console;
use skypanel_core::model::Node;
use skypanel_core::{Error, Result};
use tokio::sync::Mutex;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::http::Shared;

/// Longest the engine may take.
const ANSWER_LIMIT: Duration = Duration::from_secs(5);
/// How long an answer is given again: many who look must not load the engine.
const KEPT: Duration = Duration::from_secs(2);

/// The routes.
pub(crate) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(list::list_nodes)).routes(routes!(metrics::show_node_metrics))
}

/// The nodes as the engine tells of them, asked once for all who ask at about the same time.
pub(crate) struct Nodes {
    console: Arc<dyn Console>,
    last: Mutex<Option<Asked>>,
}

/// What the engine told, or why not.
struct Asked {
    at: Instant,
    answer: Result<Arc<Vec<Node>>, String>,
}

impl Nodes {
    pub(crate) fn new(console: Arc<dyn Console>) -> Self {
        Self { console, last: Mutex::new(None) }
    }

    /// The name of the node with this name or id.
    pub(crate) async fn named(&self, node: &str) -> Result<String> {
        let nodes = self.list().await?;
        let found = nodes.iter().find(|known| known.id == node || known.name == node);
        let missing = || Error::NotFound("There is no such node. GET /api/admin/paas/nodes lists them.".to_owned());
        found.map(|known| known.name.clone()).ok_or_else(missing)
    }

    /// All nodes, by name.
    pub(crate) async fn list(&self) -> Result<Arc<Vec<Node>>> {
        let mut last = self.last.lock().await;
        if let Some(asked) = last.as_ref().filter(|asked| asked.at.elapsed() < KEPT) {
            return asked.answer.clone().map_err(Error::Upstream);
        }
        let answer = match tokio::time::timeout(ANSWER_LIMIT, self.console.nodes()).await {
            Ok(Ok(nodes)) => Ok(Arc::new(nodes)),
            Ok(Err(error)) => {
                tracing::warn!(%error, "the nodes cannot be listed");
                Err("The Swarm did not tell its nodes. The operator finds the reason in Skypanel's log.".to_owned())
            }
            Err(_) => Err(format!("The Swarm did not answer within {} s.", ANSWER_LIMIT.as_secs())),
        };
        *last = Some(Asked { at: Instant::now(), answer: answer.clone() });
        answer.map_err(Error::Upstream)
    }
}
