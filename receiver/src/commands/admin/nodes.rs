//! The machines that apps run on, as the Swarm's managers tell of them.

use std::time::Duration;

use serde_json::{Value, json};
use skypanel_core::measurements::NodeUsage;
use skypanel_core::model::Node;
use skypanel_core::{Error, Result};

use crate::commands::context::{Context, Failure};
use crate::commands::table::plain;

/// Bytes in what people read sizes in.
const MB: f64 = 1_048_576.0;
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
    let usage = context.actions().nodes_now().await;
    let rows = nodes.iter().map(|node| {
        let state = node
            .message
            .as_ref()
            .map_or_else(|| node.state.to_string(), |message| format!("{} ({})", node.state, plain(message)));
        let used = usage.get(&node.name);
        let cores = format!("{}.{:03}", node.cpu_millicores / 1_000, node.cpu_millicores % 1_000);
        let memory = format!("{} MB", node.memory_bytes >> 20);
        let row = vec![
            plain(&node.name),
            if node.is_leader { format!("{}, leads", node.role) } else { node.role.to_string() },
            state,
            node.availability.to_string(),
            node.replicas.to_string(),
            used.map_or_else(String::new, |used| format!("{:.0}", used.containers)),
            used.map_or_else(|| cores.clone(), |used| format!("{:.2} of {cores}", used.cpu_cores)),
            used.map_or_else(|| memory.clone(), |used| format!("{:.0} of {memory}", used.memory_bytes / MB)),
            node.address.clone().unwrap_or_default(),
        ];
        (item(node, used), row)
    });
    let headings = ["NAME", "ROLE", "STATE", "AVAILABILITY", "REPLICAS", "CONTAINERS", "CORES", "MEMORY", "ADDRESS"];
    context.list(&headings, "There are no nodes.", rows).await
}

fn item(node: &Node, used: Option<&NodeUsage>) -> Value {
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
        "usage": used.map(|used| json!({
            "measured_at": used.at,
            "cpu_cores": used.cpu_cores,
            "memory_bytes": used.memory_bytes,
            "disk_bytes": used.disk_bytes,
            "disk_limit_bytes": used.disk_limit_bytes,
            "load": used.load,
            "containers": used.containers,
        })),
    })
}
