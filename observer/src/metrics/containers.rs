//! The containers of this node that run apps' processes: found by the engine's list and its events, measured by the
//! kernel's files where those are visible and else by the engine.

use std::collections::HashMap;
use std::net::SocketAddrV4;
use std::sync::Arc;
use std::time::Duration;

use bollard::Docker;
use bollard::models::{ContainerStatsResponse, ContainerSummary};
use bollard::query_parameters::{
    InspectContainerOptions, InspectNetworkOptions, ListContainersOptionsBuilder, StatsOptionsBuilder,
};
use chrono::{DateTime, Utc};
use futures_util::StreamExt as _;
use skypanel_core::labels;
use skypanel_core::measurements::Replica;
use skypanel_core::model::AppId;

use super::counters::{Counters, Task};
use super::files::{ContainerFiles, Roots};

/// Longest a call of the engine may take.
const CALL_LIMIT: Duration = Duration::from_secs(10);
/// Containers that the engine is asked about at once. It may take a second for each.
const AT_ONCE: usize = 32;
/// The network over which the edge reaches the tasks.
const BRIDGE: &str = "docker_gwbridge";
/// Swarm's own labels.
const TASK_NAME: &str = "com.docker.swarm.task.name";
const SERVICE_NAME: &str = "com.docker.swarm.service.name";

/// A running replica, and how it is measured.
#[derive(Clone, Debug)]
pub(crate) struct Running {
    pub(crate) task: Arc<Task>,
    files: Option<ContainerFiles>,
    /// Where the edge reaches it.
    address: Option<SocketAddrV4>,
}

/// All of them.
#[derive(Debug)]
pub(crate) struct Containers {
    engine: Docker,
    installation: String,
    roots: Roots,
    running: HashMap<String, Running>,
    /// Running containers of the whole machine.
    count: u64,
}

impl Containers {
    pub(crate) fn new(engine: Docker, installation: String, roots: Roots) -> Self {
        Self { engine, installation, roots, running: HashMap::new(), count: 0 }
    }

    /// Running containers of the whole machine, when last looked at.
    pub(crate) fn count(&self) -> u64 {
        self.count
    }

    /// The replicas that ran when last looked at.
    pub(crate) fn running(&self) -> Vec<Running> {
        self.running.values().cloned().collect()
    }

    /// Whether the kernel's files of all of them are.
    pub(crate) fn are_visible(&self) -> bool {
        self.running.values().all(|running| running.files.is_some())
    }

    /// Forgets one that has been started anew: it has another process now.
    pub(crate) fn forget(&mut self, id: &str) {
        self.running.remove(id);
    }

    /// Asks the engine what runs, and about what was not there before.
    pub(crate) async fn look(&mut self) -> Result<(), String> {
        let options = ListContainersOptionsBuilder::new().build();
        let listed = call(self.engine.list_containers(Some(options))).await?;
        self.count = u64::try_from(listed.len()).unwrap_or(u64::MAX);
        let ours: Vec<ContainerSummary> = listed.into_iter().filter(|container| self.is_ours(container)).collect();
        let is_new =
            |container: &ContainerSummary| container.id.as_ref().is_some_and(|id| !self.running.contains_key(id));
        if ours.iter().any(is_new) {
            let addresses = self.addresses().await;
            for container in ours.iter().filter(|container| is_new(container)).cloned().collect::<Vec<_>>() {
                if let Some((id, running)) = self.inspect(container, &addresses).await? {
                    self.running.insert(id, running);
                }
            }
        }
        self.running.retain(|id, _| ours.iter().any(|container| container.id.as_ref() == Some(id)));
        Ok(())
    }

    fn is_ours(&self, container: &ContainerSummary) -> bool {
        let is = |label: &str, value: &str| {
            container.labels.as_ref().and_then(|labels| labels.get(label)).is_some_and(|found| found == value)
        };
        is(labels::INSTALLATION, &self.installation) && is(labels::ROLE, labels::role::TASK)
    }

    /// None for one that is gone again, or has labels that are not whole.
    async fn inspect(
        &self,
        container: ContainerSummary,
        addresses: &HashMap<String, std::net::Ipv4Addr>,
    ) -> Result<Option<(String, Running)>, String> {
        let Some(id) = container.id.clone() else { return Ok(None) };
        let inspected = self.engine.inspect_container(&id, None::<InspectContainerOptions>);
        let state = match tokio::time::timeout(CALL_LIMIT, inspected).await {
            Ok(Ok(inspected)) => inspected.state.unwrap_or_default(),
            Ok(Err(bollard::errors::Error::DockerResponseServerError { status_code: 404, .. })) => return Ok(None),
            Ok(Err(error)) => return Err(error.to_string()),
            Err(_) => return Err(silent()),
        };
        let started_at = state.started_at.as_deref().and_then(|text| text.parse().ok());
        let Some(task) = started_at.and_then(|started_at| task(&id, &container, started_at)) else { return Ok(None) };
        let pid = state.pid.and_then(|pid| u64::try_from(pid).ok()).unwrap_or(0);
        let files = ContainerFiles::find(&self.roots, &id, pid);
        let port = label(&container, labels::PORT).and_then(|port| port.parse().ok());
        let address = addresses.get(&id).zip(port).map(|(address, port)| SocketAddrV4::new(*address, port));
        Ok(Some((id, Running { task: Arc::new(task), files, address })))
    }

    /// Addresses of the containers on the bridge, by id; none where the engine does not tell.
    async fn addresses(&self) -> HashMap<String, std::net::Ipv4Addr> {
        let bridge = match call(self.engine.inspect_network(BRIDGE, None::<InspectNetworkOptions>)).await {
            Ok(bridge) => bridge,
            Err(error) => {
                tracing::debug!(error, "the bridge cannot be looked at");
                return HashMap::new();
            }
        };
        let containers = bridge.containers.into_iter().flatten();
        let address = |text: String| text.split('/').next()?.parse().ok();
        containers.filter_map(|(id, container)| Some((id, address(container.ipv4_address?)?))).collect()
    }
}

/// Measures them all: first those whose files are visible, then, by the engine, the others.
pub(crate) async fn measure(engine: &Docker, running: Vec<Running>, roots: Roots) -> Vec<(Arc<Task>, Counters)> {
    let read = tokio::task::spawn_blocking(move || {
        let mut buffer = String::new();
        let routed = running.iter().any(|one| one.address.is_some());
        // Where it cannot be read, nothing is known of connections.
        let open = routed.then(|| super::host::connections(&roots, &mut buffer).ok()).flatten();
        let (mut measured, mut others) = (Vec::new(), Vec::new());
        for one in running {
            let Some(files) = &one.files else {
                others.push(one);
                continue;
            };
            // What has ended since is measured no more.
            let Ok(mut counters) = files.read(&mut buffer) else { continue };
            counters.open_connections =
                one.address.and_then(|address| Some(open.as_ref()?.get(&address).copied().unwrap_or(0)));
            measured.push((one.task, counters));
        }
        (measured, others)
    });
    let Ok((mut measured, others)) = read.await else { return Vec::new() };
    let asked = others.into_iter().map(|one| async move { Some((one.task.clone(), ask(engine, &one.task.id).await?)) });
    let mut answers = futures_util::stream::iter(asked).buffer_unordered(AT_ONCE);
    while let Some(answer) = answers.next().await {
        measured.extend(answer);
    }
    measured
}

fn label<'a>(container: &'a ContainerSummary, name: &str) -> Option<&'a str> {
    container.labels.as_ref()?.get(name).map(String::as_str)
}

fn task(id: &str, container: &ContainerSummary, started_at: DateTime<Utc>) -> Option<Task> {
    let of = |name: &str| label(container, name);
    let app = AppId(of(labels::APP_ID)?.parse().ok()?);
    let replica = Replica { process: of(labels::PROCESS)?.parse().ok()?, number: number(of(TASK_NAME)?).unwrap_or(1) };
    let name = container.names.iter().flatten().next().map(|name| name.trim_start_matches('/').to_owned());
    Some(Task {
        id: id.to_owned(),
        name: name.unwrap_or_default(),
        image: container.image.clone().unwrap_or_default(),
        service: of(SERVICE_NAME).unwrap_or_default().to_owned(),
        app,
        slug: of(labels::APP)?.to_owned(),
        replica,
        started_at,
    })
}

/// `2` of `skypanel-shop--web.2.y5hrkz…`.
fn number(task: &str) -> Option<u64> {
    task.rsplit('.').nth(1)?.parse().ok()
}

/// By the engine's own statistics; none for one that has ended.
async fn ask(engine: &Docker, id: &str) -> Option<Counters> {
    let options = StatsOptionsBuilder::new().stream(false).one_shot(true).build();
    let mut answers = Box::pin(engine.stats(id, Some(options)));
    match tokio::time::timeout(CALL_LIMIT, answers.next()).await {
        Ok(Some(Ok(statistics))) => counters(statistics),
        Ok(Some(Err(error))) => {
            tracing::debug!(%error, container = id, "the engine does not tell a container's statistics");
            None
        }
        Ok(None) | Err(_) => None,
    }
}

/// None for statistics of a container that has ended: they hold no numbers.
fn counters(statistics: ContainerStatsResponse) -> Option<Counters> {
    let memory = statistics.memory_stats?;
    let cached = memory
        .stats
        .as_ref()
        .and_then(|stats| stats.get("total_inactive_file").or_else(|| stats.get("inactive_file")).copied());
    let disks = statistics.blkio_stats.and_then(|disks| disks.io_service_bytes_recursive);
    let bytes = |operation: &str| {
        let entries = disks.iter().flatten();
        let of = entries.filter(|entry| entry.op.as_deref().is_some_and(|op| op.eq_ignore_ascii_case(operation)));
        of.filter_map(|entry| entry.value).fold(0, u64::saturating_add)
    };
    let sum = |values: &mut dyn Iterator<Item = Option<u64>>| values.flatten().fold(0, u64::saturating_add);
    let networks = statistics.networks.as_ref();
    let threads = statistics.pids_stats.and_then(|pids| pids.current);
    Some(Counters {
        cpu: statistics.cpu_stats?.cpu_usage?.total_usage?,
        memory: memory.usage?.saturating_sub(cached.unwrap_or(0)),
        memory_limit: memory.limit,
        received: networks.map(|all| sum(&mut all.values().map(|network| network.rx_bytes))),
        sent: networks.map(|all| sum(&mut all.values().map(|network| network.tx_bytes))),
        read: Some(bytes("read")),
        written: Some(bytes("write")),
        // The engine does not tell them apart.
        processes: threads,
        threads,
        open_connections: None,
    })
}

async fn call<T>(future: impl Future<Output = Result<T, bollard::errors::Error>>) -> Result<T, String> {
    match tokio::time::timeout(CALL_LIMIT, future).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err(silent()),
    }
}

fn silent() -> String {
    format!("the engine did not answer within {} s", CALL_LIMIT.as_secs())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_engine_s_statistics_are_counters() {
        let statistics = json!({
            "read": "2026-11-22T10:00:01.5Z",
            "cpu_stats": { "cpu_usage": { "total_usage": 1_500_000_000_u64 }, "online_cpus": 4 },
            "memory_stats": { "usage": 5_000_000, "limit": 512 << 20, "stats": { "total_inactive_file": 1_000_000 } },
            "networks": { "eth0": { "rx_bytes": 10, "tx_bytes": 1 }, "eth1": { "rx_bytes": 5, "tx_bytes": 2 } },
            "blkio_stats": { "io_service_bytes_recursive": [
                { "major": 8, "minor": 0, "op": "Read", "value": 7 }, { "major": 8, "minor": 0, "op": "write", "value": 9 },
                { "major": 8, "minor": 0, "op": "Total", "value": 16 },
            ] },
            "pids_stats": { "current": 3 },
        });
        let counters = counters(serde_json::from_value(statistics).expect("are statistics")).expect("has numbers");
        let expected = Counters {
            cpu: 1_500_000_000,
            memory: 4_000_000,
            memory_limit: Some(512 << 20),
            received: Some(15),
            sent: Some(3),
            read: Some(7),
            written: Some(9),
            processes: Some(3),
            threads: Some(3),
            open_connections: None,
        };
        assert_eq!(counters, expected);
        let ended = json!({ "read": "0001-01-01T00:00:00Z", "cpu_stats": {}, "memory_stats": {} });
        assert!(super::counters(serde_json::from_value(ended).expect("are statistics")).is_none());
    }

    #[test]
    fn tasks_are_known_by_their_labels() {
        let container = |app: &str, name: &str| {
            let labels = json!({
                "skypanel.app": "shop", "skypanel.app_id": app, "skypanel.process": "web",
                "com.docker.swarm.task.name": name, "com.docker.swarm.service.name": "skypanel-shop--web",
            });
            serde_json::from_value(json!({ "Names": [format!("/{name}")], "Image": "i", "Labels": labels }))
                .expect("is a container")
        };
        let app = AppId::new();
        let started = DateTime::default();
        let found = task("1", &container(&app.to_string(), "skypanel-shop--web.12.y5hrkz"), started).expect("is one");
        assert_eq!((found.app, found.replica.to_string().as_str(), found.slug.as_str()), (app, "web.12", "shop"));
        assert_eq!(
            (found.name.as_str(), found.service.as_str()),
            ("skypanel-shop--web.12.y5hrkz", "skypanel-shop--web")
        );
        assert!(task("1", &container("x", "skypanel-shop--web.12.y5hrkz"), started).is_none());
    }
}
