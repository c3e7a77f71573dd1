//! The machines that apps run on, as the Swarm's managers tell of them.

use std::time::Duration;

use serde_json::{Value, json};
use skypanel_core::model::Node;
use skypanel_core::{Error, Result};

use crate::commands::context::{Context, Failure};
use crate::commands::table::plain;

/// Longest the engine may take to say which nodes there are.
const ENGINE_LIMIT: Duration = Duration::from_secs(5);

/// All nodes, by name.
pub(super) async fn all(context: &Context) -> Result<Vec<Node>> {
    tokio::time::timeout(ENGINE_LIMIT, context.actions().console.nodes())
        .await
        .map_err(|_| Error::Upstream(format!("The Swarm did not answer within {} s.", ENGINE_LIMIT.as_secs())))?
}

pub(super) async fn list(context: &Context) -> Result<u32, Failure> {
    let nodes = all(context).await?;
    let rows = nodes.iter().map(|node| {
        let state = node
            .message
            .as_ref()
            .map_or_else(|| node.state.to_string(), |message| format!("{} ({})", node.state, plain(message)));
        let row = vec![
            plain(&node.name),
            if node.is_leader { format!("{}, leads", node.role) } else { node.role.to_string() },
            state,
            node.availability.to_string(),
            node.replicas.to_string(),
            format!("{}.{:03}", node.cpu_millicores / 1_000, node.cpu_millicores % 1_000),
            format!("{} MB", node.memory_bytes >> 20),
            node.address.clone().unwrap_or_default(),
        ];
        (item(node), row)
    });
    let headings = ["NAME", "ROLE", "STATE", "AVAILABILITY", "REPLICAS", "CORES", "MEMORY", "ADDRESS"];
    context.list(&headings, "There are no nodes.", rows).await
}

fn item(node: &Node) -> Value {
    json!({
        "id": node.id,
        "name": node.name,
        "address": node.address,
        "role": node.role,
        "is_leader": node.is_leader,
        "state": node.state,
        "message": node.message,
        "availability": node.availability,
        "engine_version": node.engine_version,
        "cpu_millicores": node.cpu_millicores,
        "memory_bytes": node.memory_bytes,
        "replicas": node.replicas,
        "joined_at": node.joined_at,
    })
}
