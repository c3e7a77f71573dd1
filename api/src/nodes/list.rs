//! `GET /api/admin/paas/nodes`.

use axum::Json;
use axum::extract::State;
use chrono::{DateTime, Utc};
use serde::Serialize;
use skypanel_core::measurements::NodeUsage;
use skypanel_core::model::{Node, NodeAvailability, NodeRole, NodeState};
use utoipa::ToSchema;

use crate::error::ErrorBody;
use crate::http::{AdminCaller, Answer, LargePage, Listed, Shared, schema};

/// A machine of the Swarm.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct NodeItem {
    /// The engine's id of it.
    id: String,
    /// Its host name.
    name: String,
    /// Its address as the managers see it.
    address: Option<String>,
    #[schema(value_type = schema::NodeRole)]
    role: NodeRole,
    /// Whether it is the manager that leads.
    is_leader: bool,
    #[schema(value_type = schema::NodeState)]
    state: NodeState,
    /// Why it is in that state, where the engine says.
    message: Option<String>,
    #[schema(value_type = schema::NodeAvailability)]
    availability: NodeAvailability,
    /// Version of its engine.
    engine_version: Option<String>,
    /// Its CPU, in thousandths of a core.
    cpu_millicores: u64,
    /// Its memory, in bytes.
    memory_bytes: u64,
    /// Replicas of apps that are meant to run there.
    replicas: u64,
    /// When it joined.
    joined_at: Option<DateTime<Utc>>,
    /// What it uses now; null where nothing was measured within the last minute.
    usage: Option<NodeUsageItem>,
}

/// What a machine uses.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct NodeUsageItem {
    /// When that was measured.
    measured_at: DateTime<Utc>,
    /// CPU time a second, in cores.
    #[schema(minimum = 0)]
    cpu_cores: f64,
    /// Memory that is not available to programs, in bytes.
    #[schema(minimum = 0)]
    memory_bytes: f64,
    /// Space in use on the disk of the data directory, in bytes.
    #[schema(minimum = 0)]
    disk_bytes: f64,
    /// Space on that disk, in bytes.
    #[schema(minimum = 0)]
    disk_limit_bytes: f64,
    /// Processes that ran or wanted to, as a mean over a minute.
    #[schema(minimum = 0)]
    load: f64,
    /// Running containers.
    #[schema(minimum = 0)]
    containers: f64,
}

impl NodeItem {
    fn new(node: &Node, usage: Option<&NodeUsage>) -> Self {
        Self {
            usage: usage.map(|usage| NodeUsageItem {
                measured_at: usage.at,
                cpu_cores: usage.cpu_cores,
                memory_bytes: usage.memory_bytes,
                disk_bytes: usage.disk_bytes,
                disk_limit_bytes: usage.disk_limit_bytes,
                load: usage.load,
                containers: usage.containers,
            }),
            id: node.id.clone(),
            name: node.name.clone(),
            address: node.address.clone(),
            role: node.role,
            is_leader: node.is_leader,
            state: node.state,
            message: node.message.clone(),
            availability: node.availability,
            engine_version: node.engine_version.clone(),
            cpu_millicores: node.cpu_millicores,
            memory_bytes: node.memory_bytes,
            replicas: node.replicas,
            joined_at: node.joined_at,
        }
    }
}

/// List nodes
///
/// All machines of the Swarm, by name, as its managers see them now, and what they use. 502 while no manager answers.
#[utoipa::path(
    get,
    path = "/api/admin/paas/nodes",
    tag = "admin",
    params(LargePage),
    responses(
        (status = OK, body = Listed<NodeItem>),
        (status = BAD_GATEWAY, description = "No Swarm manager answers.", body = ErrorBody)
    )
)]
pub(crate) async fn list_nodes(
    State(shared): State<Shared>,
    _admin: AdminCaller,
    page: LargePage,
) -> Answer<Listed<NodeItem>> {
    let nodes = shared.nodes.list().await?;
    let usage = shared.actions.nodes_now().await;
    let show = |node: &Node| NodeItem::new(node, usage.get(&node.name));
    let nodes = nodes.iter().collect();
    Ok(Json(page.cut(nodes, |node| (node.name.clone(), node.id.clone()), show)?))
}
