//! What goes wrong with tasks that had started, and that they run again: failed health checks, processes that end though
//! nobody told them to, memory that ran out. It is counted, and told to the people of their apps.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bollard::models::{ContainerInspectResponse, EventMessage};
use skypanel_core::model::{AppId, DeploymentId, ProcessType};
use skypanel_core::store::{Crash, Store};
use tokio::task::JoinSet;

use crate::engine::find;
use crate::progress::last_health_output;
use crate::{DeployError, Parts, names};

/// That a replica lost one of its processes for its memory is told once within this time: it may start another at once.
const QUIET: Duration = Duration::from_secs(60);
/// Longest it may take to find out more and to write it down, while the engine or the store is away.
const LIMIT: Duration = Duration::from_mins(5);
/// Pause between two tries.
const RETRY: Duration = Duration::from_secs(3);
/// Most that is written down at the same time; more is only in the log.
const AT_ONCE: usize = 256;
/// How much later than an end the engine may tell that memory was the reason, and than that a replica has ended.
const LATE: Duration = Duration::from_millis(700);
/// The exit status of what was killed.
const KILLED: i64 = 137;

/// Notes incidents and writes them down beside the agent's own work. What is being written ends with this.
#[derive(Default)]
pub(crate) struct Incidents {
    /// When it was told last that a replica lost a process for its memory.
    told: HashMap<(AppId, String), Instant>,
    writing: JoinSet<()>,
}

/// Something that happened to a task's container.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Seen {
    container: String,
    app: AppId,
    deployment: DeploymentId,
    process: ProcessType,
    replica: i32,
    what: What,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum What {
    /// It failed so many health checks that it is replaced.
    Unhealthy,
    /// It ended with this exit status.
    Ended(i64),
    /// The kernel killed a process of it for its memory.
    OutOfMemory,
    /// It serves, or runs where there is nothing to serve.
    Runs,
}

impl Incidents {
    /// Looks whether an event is an incident. `stopping` are the containers that were told to stop.
    pub(crate) fn note(
        &mut self,
        parts: &Arc<Parts>,
        store: &Store,
        event: &EventMessage,
        stopping: &HashMap<String, Instant>,
    ) {
        let Some(seen) = read(event) else { return };
        if seen.what != What::Runs && stopping.contains_key(&seen.container) {
            return;
        }
        while self.writing.try_join_next().is_some() {}
        if self.writing.len() >= AT_ONCE {
            tracing::warn!(?seen, "too much happens at once; this is not written down");
            return;
        }
        if seen.what == What::OutOfMemory && !self.may_tell(&seen) {
            return;
        }
        let (parts, store) = (Arc::clone(parts), store.clone());
        self.writing.spawn(async move {
            let work = async {
                while let Err(error) = write_down(&parts, &store, &seen).await {
                    tracing::warn!(?seen, %error, "an incident could not be written down; trying again");
                    tokio::time::sleep(RETRY).await;
                }
            };
            if tokio::time::timeout(LIMIT, work).await.is_err() {
                tracing::warn!(?seen, "writing an incident down took too long");
            }
        });
    }

    /// Whether this was not told of that replica just now.
    fn may_tell(&mut self, seen: &Seen) -> bool {
        self.told.retain(|_, at| at.elapsed() < QUIET);
        let of = (seen.app, format!("{}.{}", seen.process, seen.replica));
        let is_quiet = self.told.contains_key(&of);
        if !is_quiet {
            self.told.insert(of, Instant::now());
        }
        !is_quiet
    }
}

/// None for what is no incident.
fn read(event: &EventMessage) -> Option<Seen> {
    let actor = event.actor.as_ref()?;
    let attributes = actor.attributes.as_ref()?;
    let process: ProcessType = attributes.get(names::PROCESS)?.parse().ok()?;
    let what = match event.action.as_deref()? {
        "health_status: unhealthy" => What::Unhealthy,
        "health_status: healthy" => What::Runs,
        "start" if !process.is_routed() => What::Runs,
        "oom" => What::OutOfMemory,
        "die" => What::Ended(attributes.get("exitCode")?.parse().ok()?),
        _ => return None,
    };
    let number = attributes.get("com.docker.swarm.task.name").and_then(|name| name.rsplit('.').nth(1));
    Some(Seen {
        container: actor.id.clone()?,
        app: attributes.get(names::APP_ID)?.parse().ok().map(AppId)?,
        deployment: attributes.get(names::DEPLOYMENT)?.parse().ok().map(DeploymentId)?,
        process,
        replica: number.and_then(|number| number.parse().ok()).unwrap_or(1),
        what,
    })
}

type Failed = Box<dyn std::error::Error + Send + Sync>;

async fn write_down(parts: &Parts, store: &Store, seen: &Seen) -> Result<(), Failed> {
    let crash = |what: String, then, detail, kind| Crash {
        app: seen.app,
        deployment: seen.deployment,
        process: seen.process.clone(),
        replica: seen.replica,
        what,
        then,
        detail,
        told_as: kind,
    };
    let crash = match seen.what {
        What::Runs => return Ok(store.record_recovery(seen.app, &seen.process, seen.replica).await?),
        What::OutOfMemory => {
            // A replica that ends of it tells so by its end.
            tokio::time::sleep(LATE).await;
            let found = inspect(parts, seen).await?;
            let runs = found.as_ref().and_then(|found| found.state.as_ref()?.running).unwrap_or(false);
            if runs {
                let (process, replica, memory) = (&seen.process, seen.replica, memory(found.as_ref()));
                let message = format!(
                    "A process of {process}.{replica} was killed, for the replica used more memory than {memory}; the rest \
                     of it runs on"
                );
                store.record_event(seen.app, None, "crash", &message).await?;
            }
            return Ok(());
        }
        What::Unhealthy => {
            let found = inspect(parts, seen).await?;
            let answer = found.and_then(|found| last_health_output(found.state.as_ref()?));
            crash("failed its health checks".to_owned(), "is replaced", answer, "health")
        }
        What::Ended(status) => {
            let mut found = inspect(parts, seen).await?;
            if status == KILLED && !is_out_of_memory(found.as_ref()) {
                tokio::time::sleep(LATE).await;
                found = inspect(parts, seen).await?.or(found);
            }
            let what = if is_out_of_memory(found.as_ref()) {
                format!("used more memory than {}, was killed for that", memory(found.as_ref()))
            } else {
                format!("ended with exit status {status}")
            };
            crash(what, "is started again", None, "crash")
        }
    };
    let crashed = store.record_crash(&crash).await?;
    tracing::info!(?crash, ?crashed, "a process failed");
    Ok(())
}

async fn inspect(parts: &Parts, seen: &Seen) -> Result<Option<ContainerInspectResponse>, DeployError> {
    find("Looking at a container", parts.engine.inspect_container(&seen.container, None)).await
}

fn is_out_of_memory(found: Option<&ContainerInspectResponse>) -> bool {
    found.and_then(|found| found.state.as_ref()?.oom_killed).unwrap_or(false)
}

/// The memory that a container may use, in words.
fn memory(found: Option<&ContainerInspectResponse>) -> String {
    let limit = found.and_then(|found| found.host_config.as_ref()?.memory).filter(|limit| *limit > 0);
    limit.map_or_else(|| "its plan has".to_owned(), |limit| format!("the {} MB of its plan", limit >> 20))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn event(action: &str, process: &str, exit: &str) -> EventMessage {
        let id = uuid::Uuid::nil().to_string();
        serde_json::from_value(json!({ "Action": action, "Actor": { "ID": "c0ffee", "Attributes": {
            "skypanel.app_id": id, "skypanel.deployment": id, "skypanel.process": process, "exitCode": exit,
            "com.docker.swarm.task.name": "skypanel-shop--web.3.y5hrkz",
        } } }))
        .expect("is an event")
    }

    #[test]
    fn ends_failed_checks_and_recoveries_are_told_apart() {
        let seen = |action, process, exit| {
            let seen = read(&event(action, process, exit))?;
            Some((format!("{}.{}", seen.process, seen.replica), seen.what))
        };
        let web = |what| Some(("web.3".to_owned(), what));
        assert_eq!(seen("die", "web", "137"), web(What::Ended(137)));
        assert_eq!(seen("oom", "web", ""), web(What::OutOfMemory));
        assert_eq!(seen("health_status: unhealthy", "web", ""), web(What::Unhealthy));
        assert_eq!(seen("health_status: healthy", "web", ""), web(What::Runs));
        assert_eq!(seen("start", "web", ""), None, "it serves once it is healthy");
        assert_eq!(seen("start", "worker", ""), Some(("worker.3".to_owned(), What::Runs)));
        assert_eq!(seen("kill", "web", ""), None);
        assert_eq!(seen("die", "not a type!", "1"), None);
    }

    #[test]
    fn that_memory_ran_out_is_told_once_in_a_while() {
        let mut incidents = Incidents::default();
        let mut tell = |process| incidents.may_tell(&read(&event("oom", process, "")).expect("is one"));
        assert!(tell("web"));
        assert!(!tell("web"));
        assert!(tell("worker"));
    }

    #[test]
    fn memory_is_told_in_the_plan_s_megabytes() {
        let found =
            |memory: i64| serde_json::from_value(json!({ "HostConfig": { "Memory": memory } })).expect("is one");
        assert_eq!(memory(Some(&found(512 << 20))), "the 512 MB of its plan");
        assert_eq!(memory(Some(&found(0))), "its plan has");
        assert_eq!(memory(None), "its plan has");
    }
}
