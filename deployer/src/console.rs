//! What transports show of running apps: logs, process states, one-off processes.

mod logs;
mod nodes;
mod run;

use std::collections::BTreeMap;

use async_trait::async_trait;
use bollard::models::{Task, TaskState};
use bollard::query_parameters::ListTasksOptionsBuilder;
use chrono::{DateTime, Utc};
use futures_util::stream::BoxStream;
use skypanel_core::Result;
use skypanel_core::console::{Console, Edge, LogLine, LogQuery, OneOff, OneOffSession, ProcessFailure, ProcessState};
use skypanel_core::model::{AppStatus, Application, Node, ProcessType};
use skypanel_core::store::{GivenUp, Store};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::engine::{call, filters};
use crate::{Deployer, edge, names};

/// The engine as transports see it.
pub struct SwarmConsole {
    deployer: Deployer,
    store: Store,
    /// Ends the one-off processes that were started here when this is dropped.
    stop: CancellationToken,
    _stop_on_drop: DropGuard,
}

impl SwarmConsole {
    /// A console of the deployer's engine.
    pub fn new(deployer: Deployer, store: Store) -> Self {
        let stop = CancellationToken::new();
        let guard = stop.clone().drop_guard();
        Self { deployer, store, stop, _stop_on_drop: guard }
    }
}

#[async_trait]
impl Console for SwarmConsole {
    async fn logs(&self, app: &Application, query: LogQuery) -> Result<BoxStream<'static, Result<LogLine>>> {
        Ok(logs::read(self.deployer.parts.clone(), app, query).await?)
    }

    async fn processes(&self, app: &Application) -> Result<Vec<ProcessState>> {
        let parts = &self.deployer.parts;
        let labels = vec![
            names::pair(names::INSTALLATION, &parts.options.installation),
            names::pair(names::APP, app.slug.as_str()),
        ];
        let options = ListTasksOptionsBuilder::new().filters(&filters([("label", labels)])).build();
        let tasks = call("Listing the processes", parts.engine.list_tasks(Some(options))).await?;
        let states = states(tasks);
        if app.status != AppStatus::Failed {
            return Ok(states);
        }
        Ok(with_given_up(states, self.store.given_up(app.id).await?))
    }

    async fn nodes(&self) -> Result<Vec<Node>> {
        Ok(nodes::list(&self.deployer.parts).await?)
    }

    async fn edge(&self) -> Result<Edge> {
        Ok(edge::look(&self.deployer.parts).await?)
    }

    async fn run(&self, app: &Application, one_off: OneOff) -> Result<OneOffSession> {
        run::start(&self.deployer.parts, &self.store, app, one_off, self.stop.child_token()).await
    }
}

/// One state a replica: that of the task which is meant to run there, or else of the newest one that failed.
fn states(tasks: Vec<Task>) -> Vec<ProcessState> {
    /// Whether it is meant to run, and when it was made: the greatest of a replica is shown.
    type Rank = (bool, Option<DateTime<Utc>>);
    let mut newest: BTreeMap<(ProcessType, u64), (Rank, ProcessState)> = BTreeMap::new();
    let mut failures: BTreeMap<(ProcessType, u64), ProcessFailure> = BTreeMap::new();
    for task in tasks {
        let process = task
            .spec
            .as_ref()
            .and_then(|spec| spec.container_spec.as_ref()?.labels.as_ref()?.get(names::PROCESS)?.parse().ok());
        let Some(process): Option<ProcessType> = process else { continue };
        let status = task.status.unwrap_or_default();
        let wanted = matches!(task.desired_state, Some(TaskState::RUNNING | TaskState::READY));
        let failed = matches!(status.state, Some(TaskState::FAILED | TaskState::REJECTED));
        if !wanted && !failed {
            continue;
        }
        let replica = task.slot.and_then(|slot| u64::try_from(slot).ok()).unwrap_or(1);
        let created = time(task.created_at.as_deref());
        let since = time(status.timestamp.as_deref());
        let error = status.err.filter(|error| !error.is_empty());
        if let Some(at) = since.filter(|_| failed) {
            let reason = error.clone().unwrap_or_else(|| "no reason told".to_owned());
            let place = failures.entry((process.clone(), replica));
            let last = place.or_insert_with(|| ProcessFailure { at, reason: reason.clone() });
            if at > last.at {
                *last = ProcessFailure { at, reason };
            }
        }
        let state = word(status.state).to_owned();
        let state = ProcessState { process: process.clone(), replica, state, since, error, last_failure: None };
        let entry = ((wanted, created), state);
        let place = newest.entry((process, replica)).or_insert_with(|| entry.clone());
        if entry.0 > place.0 {
            *place = entry;
        }
    }
    // What failed counts only where the type still runs at all.
    let running: std::collections::BTreeSet<ProcessType> =
        newest.iter().filter(|(_, ((wanted, _), _))| *wanted).map(|((process, _), _)| process.clone()).collect();
    newest
        .into_values()
        .filter(|((wanted, _), state)| *wanted || !running.contains(&state.process))
        .map(|(_, state)| {
            let last_failure = failures.remove(&(state.process.clone(), state.replica));
            ProcessState { last_failure, ..state }
        })
        .collect()
}

/// What was given up has no tasks, or such as are about to go.
fn with_given_up(mut states: Vec<ProcessState>, given_up: Vec<GivenUp>) -> Vec<ProcessState> {
    states.retain(|state| given_up.iter().all(|given_up| given_up.process_type != state.process));
    states.extend(given_up.into_iter().map(|given_up| ProcessState {
        process: given_up.process_type,
        replica: 1,
        state: "failed".to_owned(),
        since: Some(given_up.given_up_at),
        error: Some(format!("given up after too many crashes: it {}", given_up.reason)),
        last_failure: Some(ProcessFailure { at: given_up.given_up_at, reason: given_up.reason }),
    }));
    states
}

fn time(text: Option<&str>) -> Option<DateTime<Utc>> {
    text?.parse().ok()
}

fn word(state: Option<TaskState>) -> &'static str {
    match state {
        Some(TaskState::RUNNING) => "running",
        Some(TaskState::COMPLETE) => "complete",
        Some(TaskState::SHUTDOWN | TaskState::REMOVE) => "stopped",
        Some(TaskState::FAILED) => "failed",
        Some(TaskState::REJECTED) => "rejected",
        Some(TaskState::ORPHANED) => "lost",
        _ => "starting",
    }
}

#[cfg(test)]
mod tests {
    use bollard::models::{TaskSpec, TaskSpecContainerSpec, TaskStatus};

    use super::*;

    fn task(slot: i64, created: &str, state: TaskState, desired: TaskState) -> Task {
        let labels = std::collections::HashMap::from([(names::PROCESS.to_owned(), "web".to_owned())]);
        let container_spec = TaskSpecContainerSpec { labels: Some(labels), ..Default::default() };
        Task {
            slot: Some(slot),
            created_at: Some(created.parse().expect("a time")),
            spec: Some(TaskSpec { container_spec: Some(container_spec), ..Default::default() }),
            status: Some(TaskStatus {
                timestamp: Some(created.parse().expect("a time")),
                err: (state == TaskState::FAILED).then(|| format!("failed at {created}")),
                state: Some(state),
                ..Default::default()
            }),
            desired_state: Some(desired),
            ..Default::default()
        }
    }

    #[test]
    fn a_replica_has_the_state_of_the_task_that_is_meant_to_run() {
        let states = states(vec![
            task(1, "2026-01-01T00:00:02Z", TaskState::FAILED, TaskState::SHUTDOWN),
            task(1, "2026-01-01T00:00:01Z", TaskState::RUNNING, TaskState::RUNNING),
            task(2, "2026-01-01T00:00:01Z", TaskState::FAILED, TaskState::SHUTDOWN),
            task(2, "2026-01-01T00:00:02Z", TaskState::FAILED, TaskState::SHUTDOWN),
            task(2, "2026-01-01T00:00:03Z", TaskState::STARTING, TaskState::RUNNING),
            task(3, "2026-01-01T00:00:01Z", TaskState::SHUTDOWN, TaskState::SHUTDOWN),
        ]);
        let shown: Vec<_> = states.iter().map(|state| (state.replica, state.state.as_str())).collect();
        assert_eq!(shown, [(1, "running"), (2, "starting")]);
        let failed = states[0].last_failure.as_ref().expect("has failed");
        assert_eq!(failed.reason, "failed at 2026-01-01T00:00:02Z");
        let failed = states[1].last_failure.as_ref().map(|failure| failure.at.to_rfc3339());
        assert_eq!(failed.as_deref(), Some("2026-01-01T00:00:02+00:00"), "the last one");
    }
}
