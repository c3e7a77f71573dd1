//! `GET /api/admin/paas/nodes`.

use axum::Json;
use axum::extract::State;
use chrono::{DateTime, Utc};
use serde::Serialize;
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
}

impl From<&Node> for NodeItem {
    fn from(node: &Node) -> Self {
        Self {
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
/// All machines of the Swarm, by name, as its managers see them now. 502 while no manager answers.
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
    let nodes = nodes.iter().collect();
    Ok(Json(page.cut(nodes, |node| (node.name.clone(), node.id.clone()), NodeItem::from)?))
}
