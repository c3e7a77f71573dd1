//! The machines that apps run on.

mod list;
mod metrics;

use std::sync::Arc;
use std::time::Duration;

use skypanel_core::console::Console;
use skypanel_core::model::Node;
use skypanel_core::{Error, Result};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::http::Shared;
use crate::http::read_once::{ReadOnce, Unread};

/// How long an answer is given again: many who look must not load the engine.
const KEPT: Duration = Duration::from_secs(2);

/// The routes.
pub(crate) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(list::list_nodes)).routes(routes!(metrics::show_node_metrics))
}

/// The nodes as the engine tells of them, asked once for all who ask at about the same time.
pub(crate) struct Nodes {
    console: Arc<dyn Console>,
    last: ReadOnce<Vec<Node>>,
}

impl Nodes {
    pub(crate) fn new(console: Arc<dyn Console>) -> Self {
        Self { console, last: ReadOnce::new(KEPT) }
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
        let unread = Unread {
            log: "the nodes cannot be listed",
            failed: "The Swarm did not tell its nodes.",
            late: "The Swarm did not answer",
        };
        self.last.get(self.console.nodes(), unread).await
    }
}
