//! Watches the new tasks of a rollout until all of them are live, or the first one tells that they will not be.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::time::{Duration, Instant};

use bollard::models::{ContainerSummary, ContainerSummaryStateEnum, Task, TaskState};
use bollard::query_parameters::{ListContainersOptionsBuilder, ListTasksOptionsBuilder};
use skypanel_core::model::ProcessType;
use tokio::sync::watch;

use crate::engine::{call, filters};
use crate::routes::{RouteTable, Written};
use crate::{DeployError, Parts, Release, app_logs, edge_probe, names, rollout, service_spec};

/// Pause between two looks at the containers, which cost a millisecond each.
const POLL: Duration = Duration::from_millis(30);
/// Every so many looks at the containers there is one at the tasks.
const TASKS_EVERY: u32 = 5;
/// What the engine may need beside the app itself: placing, making and starting the containers.
const SLACK: Duration = Duration::from_secs(20);
/// What a container's last health check may need beyond the time the app gets.
const LAST_CHECK: Duration = Duration::from_millis(1_500);
/// A task that found no node waits for one; longer than this and the pusher is told.
const PLACING_LIMIT: Duration = Duration::from_secs(10);
/// Longest the engine may take to tell of a task's end that its container shows already.
const ENDING_LIMIT: Duration = Duration::from_secs(5);
/// Longest the routes may take once all tasks are healthy.
const ROUTE_LIMIT: Duration = Duration::from_secs(10);
/// Lines of the app shown with a failure.
const LINES: u32 = 20;

/// A service that is being rolled.
pub(crate) struct Rolling {
    pub(crate) process: ProcessType,
    pub(crate) replicas: u32,
    /// The label that only its new tasks have.
    pub(crate) fingerprint: String,
}

/// The watch over one rollout.
pub(crate) struct Watch<'a> {
    parts: &'a Parts,
    release: &'a Release<'a>,
    rolling: Vec<Rolling>,
    /// Tasks that had ended before this rollout began, which tell nothing about it.
    ended_before: HashSet<String>,
    running_since: HashMap<String, Instant>,
    begun: Instant,
}

/// What one look at the containers showed.
#[derive(Default)]
struct Look {
    /// Containers of live tasks, by process type and replica.
    live: BTreeMap<ProcessType, BTreeMap<String, String>>,
    /// A container has ended.
    ended: bool,
    /// A routed container has had all the time it gets and is not healthy.
    overdue: bool,
}

impl<'a> Watch<'a> {
    /// Begins to watch, before anything is changed.
    pub(crate) async fn new(parts: &'a Parts, release: &'a Release<'a>) -> Result<Self, DeployError> {
        let tasks = tasks(parts, release).await?;
        let ended_before = tasks.into_iter().filter(has_ended).filter_map(|task| task.id).collect();
        Ok(Self {
            parts,
            release,
            rolling: Vec::new(),
            ended_before,
            running_since: HashMap::new(),
            begun: Instant::now(),
        })
    }

    /// Adds a service to watch.
    pub(crate) fn add(&mut self, rolling: Rolling) {
        self.rolling.push(rolling);
    }

    /// Waits until all new tasks are healthy and the edge sends requests to the routed ones.
    pub(crate) async fn until_live(mut self, routes: &watch::Sender<RouteTable>) -> Result<(), DeployError> {
        let limit = Duration::from_secs(self.release.app.health.or(self.release.settings).start_seconds) + SLACK;
        let batches = self.rolling.iter().map(|rolling| if rolling.replicas > 3 { 4 } else { 1 }).max().unwrap_or(1);
        let deadline = self.begun + limit * batches;
        let mut round = 0;
        let live = loop {
            let look = self.look().await?;
            if self.all_live(&look) {
                break look.live;
            }
            if look.ended || round % TASKS_EVERY == 0 {
                self.fail_if_hopeless().await?;
            }
            if look.overdue || Instant::now() > deadline {
                return Err(self.too_late().await);
            }
            round += 1;
            tokio::select! {
                () = tokio::time::sleep(POLL) => {}
                () = self.release.cancel.cancelled() => return Err(DeployError::Cancelled),
            }
        };
        tracing::debug!(app = %self.release.app.slug, ms = self.begun.elapsed().as_millis(), "all new tasks are healthy");
        let routed = live.get(&ProcessType::web()).map(|live| live.values().cloned().collect()).unwrap_or_default();
        let web = self.rolling.iter().find(|rolling| rolling.process.is_routed() && rolling.replicas > 0);
        if let Some(web) = web {
            self.parts.favoured().insert(self.release.app.slug.to_string(), web.fingerprint.clone());
            let until_routed = self.until_routed(routes, &routed, &web.fingerprint);
            tokio::pin!(until_routed);
            loop {
                tokio::select! {
                    () = &mut until_routed => break,
                    () = tokio::time::sleep(POLL * TASKS_EVERY) => self.fail_if_hopeless().await?,
                    () = self.release.cancel.cancelled() => return Err(DeployError::Cancelled),
                }
            }
        }
        tracing::debug!(app = %self.release.app.slug, ms = self.begun.elapsed().as_millis(), "the edge routes to them");
        self.still_live().await
    }

    fn all_live(&self, look: &Look) -> bool {
        self.rolling
            .iter()
            .all(|rolling| look.live.get(&rolling.process).map_or(0, BTreeMap::len) >= rolling.replicas as usize)
    }

    /// Looks once more when the routes are there: a task that ended right after its first success is replaced by the
    /// engine, or makes it take the whole release back, and then this release is not the one that serves.
    async fn still_live(&mut self) -> Result<(), DeployError> {
        let begun = Instant::now();
        loop {
            let (parts, slug) = (self.parts, &self.release.app.slug);
            let (look, services) = tokio::try_join!(self.look(), rollout::services(parts, slug))?;
            let taken_back = self.rolling.iter().find_map(|rolling| {
                let service = services.get(&rolling.process);
                let fingerprint = service.and_then(|service| rollout::label(service, names::FINGERPRINT));
                // One with no replicas was perhaps never made.
                (fingerprint != Some(&rolling.fingerprint) && rolling.replicas > 0)
                    .then_some((&rolling.process, service))
            });
            if taken_back.is_none() && !look.ended && self.all_live(&look) {
                return Ok(());
            }
            self.fail_if_hopeless().await?;
            if begun.elapsed() > ENDING_LIMIT {
                let Some((process, service)) = taken_back else { return Err(self.too_late().await) };
                let status = service.and_then(|service| service.update_status.as_ref()?.message.clone());
                let why = status.map(|message| format!(": {message}")).unwrap_or_default();
                return Err(DeployError::Rollout(format!(
                    "{process} became healthy, but then the engine took the release back{why}. Look at its logs."
                )));
            }
            tokio::time::sleep(POLL).await;
        }
    }

    /// Waits until the edge sends requests to these containers and to no older ones. That it is late is no reason to fail a release whose tasks are
    /// healthy: the agent goes on trying.
    async fn until_routed(&self, routes: &watch::Sender<RouteTable>, containers: &BTreeSet<String>, only: &str) {
        if routes.receiver_count() == 0 {
            return;
        }
        let mut table = routes.subscribe();
        let slug = self.release.app.slug.as_str();
        let is_there =
            |route: &Written| route.containers.is_superset(containers) && route.favoured.as_deref() == Some(only);
        let wait = async {
            self.parts.wake.notify_one();
            // Asked anew each time: the route may be written again, when the old tasks leave it, before the edge has
            // read it once, and then the edge never answers for the revision seen first.
            loop {
                let written = table
                    .wait_for(|table| table.get(slug).is_some_and(is_there))
                    .await
                    .map(|table| table.get(slug).cloned());
                let Ok(Some(route)) = written else { return };
                if edge_probe::has_taken_over(self.parts, &route.host, &route.revision).await {
                    return;
                }
                tokio::time::sleep(edge_probe::POLL).await;
            }
        };
        if tokio::time::timeout(ROUTE_LIMIT, wait).await.is_err() {
            tracing::warn!(app = slug, "the edge has not taken the new route over in time");
        }
    }

    async fn look(&mut self) -> Result<Look, DeployError> {
        let mut look = Look::default();
        let time_to_start = Duration::from_secs(self.release.app.health.or(self.release.settings).start_seconds);
        for container in containers(self.parts, self.release).await? {
            let label = |key: &str| container.labels.as_ref().and_then(|labels| labels.get(key));
            let (Some(fingerprint), Some(id)) = (label(names::FINGERPRINT), &container.id) else { continue };
            let Some(rolling) = self.rolling.iter().find(|rolling| &rolling.fingerprint == fingerprint) else {
                continue;
            };
            let replica = label("com.docker.swarm.task.name").map_or(id.as_str(), |name| replica_of(name));
            match container.state {
                Some(ContainerSummaryStateEnum::RUNNING) => {
                    let since = *self.running_since.entry(id.clone()).or_insert_with(Instant::now);
                    let settled = since.elapsed() >= Duration::from_millis(service_spec::UNROUTED_SETTLE_MS);
                    let routed = rolling.process.is_routed();
                    if if routed { is_healthy(&container) } else { settled } {
                        let live = look.live.entry(rolling.process.clone()).or_default();
                        live.insert(replica.to_owned(), id.clone());
                    } else if routed {
                        look.overdue |= since.elapsed() > time_to_start + LAST_CHECK;
                    }
                }
                Some(ContainerSummaryStateEnum::EXITED | ContainerSummaryStateEnum::DEAD) => {
                    look.ended |= label("com.docker.swarm.task.id").is_none_or(|id| !self.ended_before.contains(id));
                }
                _ => {}
            }
        }
        Ok(look)
    }

    /// Fails when a new task has ended, or has found no node for too long.
    async fn fail_if_hopeless(&self) -> Result<(), DeployError> {
        let tasks = tasks(self.parts, self.release).await?;
        let new = || tasks.iter().filter_map(|task| Some((self.rolling_of(task)?, task, state(task)?)));
        // First those that ended: each has a successor by now, which waits for its turn and tells nothing.
        for (rolling, task, state) in new() {
            let known = task.id.as_ref().is_some_and(|id| self.ended_before.contains(id));
            if !known && matches!(state, TaskState::FAILED | TaskState::REJECTED | TaskState::COMPLETE) {
                return Err(self.ended(rolling, task).await);
            }
        }
        for (rolling, task, state) in new() {
            if state == TaskState::PENDING && self.begun.elapsed() > PLACING_LIMIT {
                let status = task.status.clone().unwrap_or_default();
                let why = status.err.or(status.message).unwrap_or_default();
                return Err(DeployError::Rollout(format!(
                    "No node can run {}: {why}. Choose a smaller plan, fewer replicas, or give Skypanel more machines.",
                    name(rolling, task.slot)
                )));
            }
        }
        Ok(())
    }

    /// What is rolled that this task is a new one of.
    fn rolling_of(&self, task: &Task) -> Option<&Rolling> {
        let labels = task.spec.as_ref()?.container_spec.as_ref()?.labels.as_ref()?;
        let fingerprint = labels.get(names::FINGERPRINT)?;
        self.rolling.iter().find(|rolling| &rolling.fingerprint == fingerprint)
    }

    async fn ended(&self, rolling: &Rolling, task: &Task) -> DeployError {
        let status = task.status.clone().unwrap_or_default();
        let container = status.container_status.unwrap_or_default();
        let name = name(rolling, task.slot);
        let Some(id) = container.container_id.filter(|id| !id.is_empty()) else {
            let why = status.err.or(status.message).unwrap_or_default();
            return DeployError::Rollout(format!("{name} could not be started: {why}"));
        };
        let state = match call("Looking at a container", self.parts.engine.inspect_container(&id, None)).await {
            Ok(found) => found.state.unwrap_or_default(),
            Err(error) => {
                tracing::warn!(%error, "the container of a failed task could not be looked at");
                bollard::models::ContainerState::default()
            }
        };
        let why = if state.oom_killed == Some(true) {
            format!(
                "used more memory than the {} MB of its plan and was killed. Choose a larger plan, or use less",
                self.release.plan.ram_mb
            )
        } else if status.err.as_deref().is_some_and(|error| error.contains("unhealthy")) {
            match last_health_output(&state) {
                Some(output) => format!("never became healthy: {output}"),
                None => "never became healthy".to_owned(),
            }
        } else {
            match state.exit_code.or(container.exit_code) {
                Some(0) => "ended by itself (exit status 0), but a process has to go on running".to_owned(),
                Some(code) => format!("crashed with exit status {code}"),
                None => format!("failed: {}", status.err.unwrap_or_default()),
            }
        };
        self.with_last_lines(&format!("{name} {why}."), &id).await
    }

    async fn too_late(&self) -> DeployError {
        let seconds = self.begun.elapsed().as_secs();
        let found = containers(self.parts, self.release).await.unwrap_or_default();
        for rolling in &self.rolling {
            let unready = found.iter().find(|container| {
                let fingerprint = container.labels.as_ref().and_then(|labels| labels.get(names::FINGERPRINT));
                fingerprint == Some(&rolling.fingerprint)
                    && container.state == Some(ContainerSummaryStateEnum::RUNNING)
                    && !is_healthy(container)
            });
            let Some(id) = unready.and_then(|container| container.id.as_deref()) else { continue };
            let state = call("Looking at a container", self.parts.engine.inspect_container(id, None)).await;
            let output = state.ok().and_then(|found| last_health_output(&found.state?));
            let why = output.map(|output| format!(": {output}")).unwrap_or_default();
            let text = format!("{} did not become healthy within {seconds} s{why}.", rolling.process);
            return self.with_last_lines(&text, id).await;
        }
        DeployError::Rollout(format!("The new processes did not start within {seconds} s."))
    }

    async fn with_last_lines(&self, text: &str, container: &str) -> DeployError {
        let lines = app_logs::last_lines_of_container(self.parts, container, LINES).await;
        if lines.is_empty() {
            return DeployError::Rollout(format!("{text} It wrote nothing."));
        }
        DeployError::Rollout(format!("{text} Its last lines:\n  {}", lines.join("\n  ")))
    }
}

fn state(task: &Task) -> Option<TaskState> {
    task.status.as_ref()?.state
}

/// All containers of the release's tasks on this node.
async fn containers(parts: &Parts, release: &Release<'_>) -> Result<Vec<ContainerSummary>, DeployError> {
    let labels = [
        (names::INSTALLATION, parts.options.installation.as_str()),
        (names::DEPLOYMENT, &release.deployment.to_string()),
        (names::ROLE, names::role::TASK),
    ];
    let ours = filters([("label", labels.iter().map(|(key, value)| names::pair(key, value)).collect())]);
    let options = ListContainersOptionsBuilder::new().all(true).filters(&ours).build();
    call("Looking at the new processes", parts.engine.list_containers(Some(options))).await
}

/// All tasks of the release.
async fn tasks(parts: &Parts, release: &Release<'_>) -> Result<Vec<Task>, DeployError> {
    let labels = [
        names::pair(names::INSTALLATION, &parts.options.installation),
        names::pair(names::DEPLOYMENT, &release.deployment.to_string()),
    ];
    let options = ListTasksOptionsBuilder::new().filters(&filters([("label", labels.into())])).build();
    call("Looking at the new tasks", parts.engine.list_tasks(Some(options))).await
}

fn has_ended(task: &Task) -> bool {
    let state = task.status.as_ref().and_then(|status| status.state);
    matches!(state, Some(TaskState::FAILED | TaskState::REJECTED | TaskState::COMPLETE | TaskState::SHUTDOWN))
}

/// The engine's list tells health in words only: `Up 2 seconds (healthy)`.
pub(crate) fn is_healthy(container: &ContainerSummary) -> bool {
    container.status.as_deref().is_some_and(|status| status.ends_with("(healthy)"))
}

/// `service.2` of the task name `service.2.x8sd…`.
fn replica_of(task_name: &str) -> &str {
    task_name.rsplit_once('.').map_or(task_name, |(replica, _)| replica)
}

fn name(rolling: &Rolling, slot: Option<i64>) -> String {
    format!("{}.{}", rolling.process, slot.unwrap_or(1))
}

/// What the last health check that came to its end wrote; the very last may have been cut off with its container.
pub(crate) fn last_health_output(state: &bollard::models::ContainerState) -> Option<String> {
    let checks = state.health.as_ref()?.log.as_ref()?;
    let output =
        checks.iter().rev().filter_map(|check| check.output.as_deref()).map(str::trim).find(|o| !o.is_empty())?;
    let output = output.strip_prefix("unhealthy: ").unwrap_or(output);
    // An app may have written it, to whatever reads it.
    let shown = |c: &char| c.is_ascii_graphic() || c.is_alphanumeric() || *c == ' ';
    Some(output.chars().filter(shown).take(500).collect())
}
