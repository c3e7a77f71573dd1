//! Prepares this host at every start: Swarm, the bridge between edge and tasks, the firewall, the edge.

use std::net::SocketAddr;

use bollard::models::{LocalNodeState, NetworkCreateRequest, SwarmInitRequest, SwarmSpec, SwarmSpecOrchestration};
use bollard::query_parameters::InspectNetworkOptions;

use crate::engine::{call, find, status};
use crate::{DeployError, Deployer, edge, edge_metrics, firewall};

/// The bridge over which the edge reaches the tasks. Its name is the engine's.
pub(crate) const BRIDGE: &str = "docker_gwbridge";
/// A Swarm of one machine talks to itself only: no port is opened to the network, and a change of the host's
/// address does not break it.
const SWARM_ADDRESS: &str = "127.0.0.1";
const SWARM_LISTEN: &str = "127.0.0.1:2377";
/// Ended tasks kept per replica; each keeps its container and logs on the disk.
const KEPT_TASKS: i64 = 2;

impl Deployer {
    /// Makes this host ready for apps. Safe to run at every start; running apps and their routes stay as they are.
    pub async fn prepare_host(&self) -> Result<(), DeployError> {
        self.ensure_swarm().await?;
        self.ensure_bridge().await?;
        firewall::ensure().await?;
        edge::ensure(&self.parts).await
    }

    /// Where this host's edge tells what it counts; none before the host was prepared for the first time.
    pub fn edge_metrics(&self) -> Option<SocketAddr> {
        edge_metrics::address(&self.parts)
    }

    async fn ensure_swarm(&self) -> Result<(), DeployError> {
        let info = call("Asking for the engine's state", self.parts.engine.info()).await?;
        let swarm = info.swarm.unwrap_or_default();
        match swarm.local_node_state {
            Some(LocalNodeState::ACTIVE) if swarm.control_available == Some(true) => return Ok(()),
            Some(LocalNodeState::ACTIVE) => {
                return Err(DeployError::Host(
                    "This Docker engine is a worker of a Swarm, and services can be made on a manager only. Run \
                     Skypanel on a manager, or promote this node: docker node promote."
                        .to_owned(),
                ));
            }
            Some(LocalNodeState::LOCKED) => {
                return Err(DeployError::Host(
                    "This engine's Swarm is locked. Unlock it first: docker swarm unlock.".to_owned(),
                ));
            }
            _ => {}
        }
        let request = SwarmInitRequest {
            listen_addr: Some(SWARM_LISTEN.to_owned()),
            advertise_addr: Some(SWARM_ADDRESS.to_owned()),
            data_path_addr: Some(SWARM_ADDRESS.to_owned()),
            spec: Some(SwarmSpec {
                orchestration: Some(SwarmSpecOrchestration { task_history_retention_limit: Some(KEPT_TASKS) }),
                ..Default::default()
            }),
            ..Default::default()
        };
        tracing::info!("initialising Docker Swarm for this machine alone");
        match call("Initialising Docker Swarm", self.parts.engine.init_swarm(request)).await {
            // Someone else did it in between.
            Err(error) if status(&error) == Some(503) => Ok(()),
            other => other.map(drop),
        }
    }

    /// The engine makes the bridge with its first overlay network; the firewall wants it now, and without traffic
    /// between its containers, whoever makes it.
    async fn ensure_bridge(&self) -> Result<(), DeployError> {
        const ICC: &str = "com.docker.network.bridge.enable_icc";
        let engine = &self.parts.engine;
        let inspect =
            || find("Looking at docker_gwbridge", engine.inspect_network(BRIDGE, None::<InspectNetworkOptions>));
        if inspect().await?.is_none() {
            let options = [
                ("com.docker.network.bridge.name", BRIDGE),
                (ICC, "false"),
                ("com.docker.network.bridge.enable_ip_masquerade", "true"),
            ];
            let request = NetworkCreateRequest {
                name: BRIDGE.to_owned(),
                driver: Some("bridge".to_owned()),
                options: Some(options.map(|(key, value)| (key.to_owned(), value.to_owned())).into()),
                ..Default::default()
            };
            match call("Making docker_gwbridge", engine.create_network(request)).await {
                Err(error) if status(&error) == Some(409) => {}
                other => drop(other?),
            }
        }
        let options = inspect().await?.and_then(|bridge| bridge.options).unwrap_or_default();
        if options.get(ICC).map(String::as_str) != Some("false") {
            return Err(DeployError::Host(
                "The network docker_gwbridge lets containers reach each other, so apps would not be kept apart. Remove \
                 it and let Skypanel make it anew: stop all services, then `docker network rm docker_gwbridge`."
                    .to_owned(),
            ));
        }
        Ok(())
    }
}
