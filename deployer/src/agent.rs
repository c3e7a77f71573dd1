//! The agent of a node: follows the tasks that run here and keeps the edge's routes equal to them. A task enters
//! its app's route when it is healthy and leaves it the moment it is told to stop, while it drains.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use bollard::models::{EventMessage, TaskState};
use bollard::query_parameters::{
    EventsOptionsBuilder, InspectNetworkOptions, ListContainersOptionsBuilder, ListTasksOptionsBuilder,
};
use futures_util::{FutureExt as _, StreamExt as _};
use skypanel_core::model::{AppId, AppStatus, Application};
use skypanel_core::store::{RoutedDomain, Store};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::engine::{call, filters, status};
use crate::host::BRIDGE;
use crate::incidents::Incidents;
use crate::routes::{Route, RouteTable, Target, Written};
use crate::{DeployError, Deployer, certificates, domain_routes, edge, firewall, names, progress::is_healthy, routes};

/// How often to look when nothing is told: events can be lost with the connection, and the store tells none.
const IDLE: Duration = Duration::from_secs(2);
/// The same while a rollout runs in this process.
const BUSY: Duration = Duration::from_millis(200);
/// First and longest pause after the engine failed.
const RETRY: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(5));
/// For how long it is remembered that a container was told to stop, once it is gone: its end is told by an event.
const FORGET: Duration = Duration::from_mins(1);
/// How often the firewall is looked after: other programs flush and reload rules.
const FIREWALL_CHECK: Duration = Duration::from_mins(1);

/// Writes the routes of this node.
pub struct Agent {
    deployer: Deployer,
    store: Store,
    /// Marks that an agent runs in this process; rollouts then wait for the routes.
    _present: watch::Receiver<RouteTable>,
    /// Routed containers that were seen healthy, by id.
    tasks: HashMap<String, RoutedTask>,
    /// Containers that were told to stop and still run.
    stopping: HashMap<String, Instant>,
    /// As last read.
    known: Option<Known>,
    /// Whether files changed that the edge was not told of. An earlier process may have ended in between.
    untold: bool,
    firewall_checked: Instant,
    incidents: Incidents,
}

/// What the store says about what is to be routed.
struct Known {
    apps: Vec<Application>,
    /// The domain that all apps are under.
    domain: String,
    /// Custom ones.
    domains: HashMap<AppId, Vec<RoutedDomain>>,
    /// The hour of it, in which the edge may try once more to get the certificates that are missing.
    turn: i64,
}

/// A healthy task that can be sent requests.
#[derive(Clone, Debug, PartialEq, Eq)]
struct RoutedTask {
    slug: String,
    address: SocketAddr,
    fingerprint: Option<String>,
}

impl RoutedTask {
    fn is(&self, fingerprint: &str) -> bool {
        self.fingerprint.as_deref() == Some(fingerprint)
    }
}

impl Agent {
    /// An agent that writes the routes of the deployer's edge.
    pub fn new(deployer: Deployer, store: Store) -> Self {
        let present = deployer.parts.routes.subscribe();
        Self {
            deployer,
            store,
            _present: present,
            tasks: HashMap::new(),
            stopping: HashMap::new(),
            known: None,
            untold: true,
            firewall_checked: Instant::now(),
            incidents: Incidents::default(),
        }
    }

    /// Follows the tasks, and looks at the edge's certificates, until cancelled. The routes stay as they are then.
    pub async fn run(self, cancel: CancellationToken) {
        let (deployer, store) = (self.deployer.clone(), self.store.clone());
        tokio::join!(self.follow_tasks(&cancel), certificates::follow(&deployer, &store, &cancel));
    }

    async fn follow_tasks(mut self, cancel: &CancellationToken) {
        let mut pause = RETRY.0;
        while !cancel.is_cancelled() {
            let began = Instant::now();
            tokio::select! {
                () = cancel.cancelled() => return,
                error = self.follow() => {
                    tracing::warn!(%error, "lost sight of the tasks; the routes stay as they are until the engine answers");
                }
            }
            pause = if began.elapsed() > RETRY.1 { RETRY.0 } else { (pause * 2).min(RETRY.1) };
            tokio::select! {
                () = cancel.cancelled() => return,
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    /// Follows events and looks for itself now and then, until the engine fails.
    async fn follow(&mut self) -> DeployError {
        let parts = self.deployer.parts.clone();
        let wanted = filters([
            ("type", vec!["container".to_owned()]),
            ("event", ["health_status", "kill", "die", "oom", "start"].map(str::to_owned).into()),
            (
                "label",
                vec![
                    names::pair(names::INSTALLATION, &parts.options.installation),
                    names::pair(names::ROLE, names::role::TASK),
                ],
            ),
        ]);
        let mut events = Box::pin(parts.engine.events(Some(EventsOptionsBuilder::new().filters(&wanted).build())));
        loop {
            if let Err(error) = self.look().await {
                return error;
            }
            let pause = if parts.rollouts.load(Ordering::Relaxed) > 0 { BUSY } else { IDLE };
            let first = tokio::select! {
                event = events.next() => event,
                () = parts.wake.notified() => continue,
                () = tokio::time::sleep(pause) => {
                    self.check_firewall().await;
                    continue;
                }
            };
            let mut next = Some(first);
            // What came together is answered by one look.
            while let Some(event) = next {
                match event {
                    Some(Ok(event)) => {
                        self.incidents.note(&parts, &self.store, &event, &self.stopping);
                        self.note(&event);
                    }
                    Some(Err(source)) => return DeployError::Engine { action: "Following the tasks", source },
                    None => return DeployError::EngineSilent { action: "Following the tasks" },
                }
                next = events.next().now_or_never();
            }
        }
    }

    /// Takes a task out of the routes at once when it was told to stop, before anything is asked of the engine. The
    /// last one of its app stays until the engine was asked: it still serves while it drains, and the task that takes
    /// its place may have become healthy in the same moment.
    fn note(&mut self, event: &EventMessage) {
        let Some(actor) = &event.actor else { return };
        let (Some(id), Some(action)) = (&actor.id, event.action.as_deref()) else { return };
        let signal = actor.attributes.as_ref().and_then(|attributes| attributes.get("signal")).map(String::as_str);
        let drains = action == "kill" && signal == Some("15");
        let ends = drains || action == "die" || (action == "kill" && signal == Some("9"));
        if !ends || self.stopping.insert(id.clone(), Instant::now()).is_some() || (drains && self.is_last(id)) {
            return;
        }
        if self.tasks.remove(id).is_some() {
            self.write();
        }
    }

    fn is_last(&self, id: &str) -> bool {
        let Some(task) = self.tasks.get(id) else { return false };
        !self.tasks.iter().any(|(other, found)| other != id && found.slug == task.slug)
    }

    /// Asks the engine and the store how things are, and writes what changed.
    async fn look(&mut self) -> Result<(), DeployError> {
        self.read_apps().await;
        let parts = &self.deployer.parts;
        let labels = vec![
            names::pair(names::INSTALLATION, &parts.options.installation),
            names::pair(names::ROLE, names::role::TASK),
        ];
        let running = filters([("label", labels), ("status", vec!["running".to_owned()])]);
        let options = ListContainersOptionsBuilder::new().filters(&running).build();
        let containers = call("Listing the tasks' containers", parts.engine.list_containers(Some(options))).await?;
        let running: HashSet<&String> = containers.iter().filter_map(|container| container.id.as_ref()).collect();
        // That it has ended may be told after it is gone from the list.
        self.stopping.retain(|id, since| running.contains(id) || since.elapsed() < FORGET);
        if containers.is_empty() {
            self.tasks.clear();
            self.write();
            return Ok(());
        }
        let addresses = self.addresses().await?;
        let meant_to_run = self.meant_to_run().await?;
        let mut tasks = HashMap::new();
        for container in &containers {
            let label = |key: &str| container.labels.as_ref().and_then(|labels| labels.get(key));
            let (Some(id), Some(slug)) = (&container.id, label(names::APP)) else { continue };
            let Some(port) = label(names::PORT).and_then(|port| port.parse().ok()) else { continue };
            let task = label("com.docker.swarm.task.id");
            let stays = meant_to_run.as_ref().is_none_or(|ids| task.is_some_and(|task| ids.contains(task)));
            // One that was healthy before and now fails a check stays: the engine replaces it if that goes on.
            if !stays || self.stopping.contains_key(id) || !(is_healthy(container) || self.tasks.contains_key(id)) {
                continue;
            }
            let Some(address) = addresses.get(id) else { continue };
            let (slug, address) = (slug.clone(), SocketAddr::new(*address, port));
            let fingerprint = label(names::FINGERPRINT).cloned();
            tasks.insert(id.clone(), RoutedTask { slug, address, fingerprint });
        }
        self.tasks = tasks;
        self.write();
        Ok(())
    }

    /// Reads the apps; what was read last counts on where the store does not answer.
    async fn read_apps(&mut self) {
        let read = async {
            let apps = self.store.apps(None).await?;
            let mut domains: HashMap<AppId, Vec<RoutedDomain>> = HashMap::new();
            for domain in self.store.routed_domains().await? {
                domains.entry(domain.application_id).or_default().push(domain);
            }
            let turn = self.store.clock().now().timestamp() / 3_600;
            let domain = self.store.settings().await?.apps_default_domain;
            Ok::<_, skypanel_core::Error>(Known { apps, domain, domains, turn })
        };
        match tokio::time::timeout(IDLE, read).await {
            Ok(Ok(read)) => self.known = Some(read),
            Ok(Err(error)) => tracing::warn!(%error, "the apps' states could not be read; routes go by the last ones"),
            Err(_) => tracing::warn!("the store did not answer in time; routes go by the apps' last states"),
        }
    }

    /// Addresses of all containers on the bridge that the edge reaches.
    async fn addresses(&self) -> Result<HashMap<String, IpAddr>, DeployError> {
        let options = None::<InspectNetworkOptions>;
        let inspect = self.deployer.parts.engine.inspect_network(BRIDGE, options);
        let bridge = call("Reading the tasks' addresses", inspect).await?;
        let address = |text: String| text.split('/').next().and_then(|address| address.parse().ok());
        Ok(bridge
            .containers
            .unwrap_or_default()
            .into_iter()
            .filter_map(|(id, endpoint)| Some((id, address(endpoint.ipv4_address?)?)))
            .collect())
    }

    /// Ids of the tasks that Swarm wants to run: tells of tasks that were told to stop while nobody followed. None on
    /// a node that is no manager.
    async fn meant_to_run(&self) -> Result<Option<HashSet<String>>, DeployError> {
        let parts = &self.deployer.parts;
        let ours = filters([
            ("label", vec![names::pair(names::INSTALLATION, &parts.options.installation)]),
            ("desired-state", vec!["running".to_owned()]),
        ]);
        let options = ListTasksOptionsBuilder::new().filters(&ours).build();
        match call("Listing the tasks", parts.engine.list_tasks(Some(options))).await {
            Ok(tasks) => Ok(Some(
                tasks
                    .into_iter()
                    .filter(|task| task.desired_state == Some(TaskState::RUNNING))
                    .filter_map(|task| task.id)
                    .collect(),
            )),
            Err(error) if status(&error) == Some(503) && error.to_string().contains("not a swarm manager") => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn check_firewall(&mut self) {
        if self.firewall_checked.elapsed() < FIREWALL_CHECK {
            return;
        }
        self.firewall_checked = Instant::now();
        if let Err(error) = firewall::ensure().await {
            tracing::error!(%error, "the firewall rules could not be renewed");
        }
    }

    /// Writes the files that differ, removes those of apps that are gone, and tells the edge and the rollouts.
    fn write(&mut self) {
        // Routes left by an earlier run stay until it is known what should be there.
        let Some(Known { apps, domain, domains, turn }) = &self.known else { return };
        let parts = &self.deployer.parts;
        let (dir, staging) = (edge::routes_directory(parts), edge::staging_directory(parts));
        let favoured = parts.favoured().clone();
        let mut table = RouteTable::new();
        for app in apps.iter().filter(|app| app.status != AppStatus::Deleting) {
            let slug = app.slug.as_str();
            let host = format!("{}.{domain}", app.subdomain).to_ascii_lowercase();
            if !routes::is_host(&host) {
                tracing::warn!(app = slug, host, "no route: this is no host name");
                continue;
            }
            let mut of_app: BTreeMap<&String, &RoutedTask> =
                self.tasks.iter().filter(|(_, task)| task.slug == slug).collect();
            let favoured = favoured.get(slug).filter(|favoured| of_app.values().any(|task| task.is(favoured)));
            if let Some(favoured) = favoured {
                of_app.retain(|_, task| task.is(favoured));
            }
            let target = Target::of(app.status, of_app.values().map(|task| task.address).collect());
            let containers: BTreeSet<String> = match target {
                Target::Tasks(_) => of_app.into_keys().cloned().collect(),
                Target::Page(_) => BTreeSet::new(),
            };
            let route = Route { slug: slug.to_owned(), host, target };
            let (mut content, revision) = routes::file(&route, &parts.options.edge.pages);
            if let Some(domains) = domains.get(&app.id) {
                domain_routes::add(&mut content, slug, domains, &parts.options.edge, *turn);
            }
            let path = dir.join(format!("{slug}.yml"));
            match routes::write_if_changed(&staging, &path, content.to_string().as_bytes()) {
                Ok(changed) => self.untold |= changed,
                Err(error) => {
                    tracing::error!(%error, path = %path.display(), "a route could not be written");
                    continue;
                }
            }
            table.insert(
                slug.to_owned(),
                Written { host: route.host, revision, containers, favoured: favoured.cloned() },
            );
        }
        match routes::remove_others(&dir, &table) {
            Ok(removed) => self.untold |= removed,
            Err(error) => {
                self.untold = true;
                tracing::error!(%error, "routes of apps that are gone could not be removed");
            }
        }
        if self.untold {
            match routes::tell(&dir) {
                Ok(()) => self.untold = false,
                Err(error) => tracing::error!(%error, "the edge could not be told of routes that changed"),
            }
        }
        parts.routes.send_if_modified(|current| {
            let changed = *current != table;
            *current = table;
            changed
        });
    }
}
