//! The machines of the Swarm, as its managers see them.

use std::collections::HashMap;

use bollard::models::{Node as EngineNode, NodeSpecAvailabilityEnum, NodeSpecRoleEnum, NodeState as EngineState};
use bollard::query_parameters::{ListNodesOptions, ListTasksOptionsBuilder};
use skypanel_core::model::{Node, NodeAvailability, NodeRole, NodeState};

use crate::engine::{call, filters};
use crate::{DeployError, Parts, names};

/// All nodes, by name, with how many replicas of this installation's apps are meant to run on each.
pub(super) async fn list(parts: &Parts) -> Result<Vec<Node>, DeployError> {
    let nodes = call("Listing the nodes", parts.engine.list_nodes(None::<ListNodesOptions>)).await?;
    let labels = vec![names::pair(names::INSTALLATION, &parts.options.installation)];
    let wanted = vec!["running".to_owned()];
    let options =
        ListTasksOptionsBuilder::new().filters(&filters([("label", labels), ("desired-state", wanted)])).build();
    let tasks = call("Listing the processes", parts.engine.list_tasks(Some(options))).await?;
    let mut replicas: HashMap<String, u64> = HashMap::new();
    for node in tasks.into_iter().filter_map(|task| task.node_id) {
        *replicas.entry(node).or_default() += 1;
    }
    let mut nodes: Vec<Node> = nodes.into_iter().filter_map(|node| shown(node, &replicas)).collect();
    nodes.sort_by(|a, b| a.name.cmp(&b.name).then_with(|| a.id.cmp(&b.id)));
    Ok(nodes)
}

fn shown(node: EngineNode, replicas: &HashMap<String, u64>) -> Option<Node> {
    let id = node.id?;
    let (spec, status) = (node.spec.unwrap_or_default(), node.status.unwrap_or_default());
    let description = node.description.unwrap_or_default();
    let resources = description.resources.unwrap_or_default();
    Some(Node {
        name: description.hostname.unwrap_or_else(|| id.clone()),
        address: status.addr.filter(|address| !address.is_empty()),
        role: match spec.role {
            Some(NodeSpecRoleEnum::MANAGER) => NodeRole::Manager,
            _ => NodeRole::Worker,
        },
        is_leader: node.manager_status.and_then(|status| status.leader).unwrap_or(false),
        state: match status.state {
            Some(EngineState::READY) => NodeState::Ready,
            Some(EngineState::DOWN) => NodeState::Down,
            Some(EngineState::DISCONNECTED) => NodeState::Disconnected,
            _ => NodeState::Unknown,
        },
        message: status.message.filter(|message| !message.is_empty()),
        availability: match spec.availability {
            Some(NodeSpecAvailabilityEnum::DRAIN) => NodeAvailability::Drain,
            Some(NodeSpecAvailabilityEnum::PAUSE) => NodeAvailability::Pause,
            _ => NodeAvailability::Active,
        },
        engine_version: description.engine.and_then(|engine| engine.engine_version),
        cpu_millicores: resources.nano_cpus.and_then(|cpus| u64::try_from(cpus / 1_000_000).ok()).unwrap_or(0),
        memory_bytes: resources.memory_bytes.and_then(|bytes| u64::try_from(bytes).ok()).unwrap_or(0),
        replicas: replicas.get(&id).copied().unwrap_or(0),
        joined_at: super::time(node.created_at.as_deref()),
        id,
    })
}
