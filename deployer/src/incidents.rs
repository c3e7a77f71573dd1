//! What goes wrong with tasks that had started, told to the people of their apps: failed health checks, and processes
//! that end though nobody told them to.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bollard::models::EventMessage;
use skypanel_core::model::AppId;
use skypanel_core::store::Store;
use tokio::task::JoinSet;

use crate::engine::find;
use crate::progress::last_health_output;
use crate::{Parts, names};

/// Of one replica no more is told within this time: one that crashes does so again and again.
const QUIET: Duration = Duration::from_secs(60);
/// Longest it may take to find out more and to write it down.
const LIMIT: Duration = Duration::from_secs(30);
/// Most that is written down at the same time; more is only in the log.
const AT_ONCE: usize = 32;

/// Notes incidents and writes them down beside the agent's own work. What is being written ends with this.
#[derive(Default)]
pub(crate) struct Incidents {
    /// When something was told of a replica last.
    told: HashMap<(AppId, String), Instant>,
    writing: JoinSet<()>,
}

/// What happened to a container.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Incident {
    Unhealthy,
    Ended(i64),
}

impl Incidents {
    /// Looks whether an event is an incident. `stopping` are the containers that were told to stop.
    pub(crate) fn note(&mut self, parts: &Arc<Parts>, store: &Store, event: &EventMessage, stopping: &HashSet<String>) {
        let Some((id, app, replica, incident)) = read(event) else { return };
        if matches!(incident, Incident::Ended(_)) && stopping.contains(&id) {
            return;
        }
        while self.writing.try_join_next().is_some() {}
        self.told.retain(|_, at| at.elapsed() < QUIET);
        if self.writing.len() >= AT_ONCE || self.told.contains_key(&(app, replica.clone())) {
            tracing::info!(%app, replica, ?incident, "not told again so soon");
            return;
        }
        self.told.insert((app, replica.clone()), Instant::now());
        let (parts, store) = (Arc::clone(parts), store.clone());
        self.writing.spawn(async move {
            let work = tell(&parts, &store, &id, app, &replica, incident);
            match tokio::time::timeout(LIMIT, work).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => tracing::warn!(%app, replica, %error, "an incident could not be written down"),
                Err(_) => tracing::warn!(%app, replica, "writing an incident down took too long"),
            }
        });
    }
}

/// Container, app, replica and what happened; none for what is no incident.
fn read(event: &EventMessage) -> Option<(String, AppId, String, Incident)> {
    let actor = event.actor.as_ref()?;
    let attributes = actor.attributes.as_ref()?;
    let incident = match event.action.as_deref()? {
        "health_status: unhealthy" => Incident::Unhealthy,
        "die" => Incident::Ended(attributes.get("exitCode")?.parse().ok()?),
        _ => return None,
    };
    let app = attributes.get(names::APP_ID)?.parse().ok().map(AppId)?;
    let number = attributes.get("com.docker.swarm.task.name").and_then(|name| name.rsplit('.').nth(1)).unwrap_or("1");
    let replica = format!("{}.{number}", attributes.get(names::PROCESS)?);
    Some((actor.id.clone()?, app, replica, incident))
}

async fn tell(
    parts: &Parts,
    store: &Store,
    container: &str,
    app: AppId,
    replica: &str,
    incident: Incident,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let found = find("Looking at a container", parts.engine.inspect_container(container, None)).await?;
    let state = found.and_then(|found| found.state);
    let (kind, message) = match incident {
        Incident::Unhealthy => {
            let why =
                state.as_ref().and_then(last_health_output).map(|output| format!(": {output}")).unwrap_or_default();
            ("health", format!("{replica} failed its health checks and is replaced{why}"))
        }
        Incident::Ended(_) if state.and_then(|state| state.oom_killed).unwrap_or(false) => {
            ("crash", format!("{replica} used more memory than its plan has, was ended and is started again"))
        }
        Incident::Ended(status) => ("crash", format!("{replica} ended with exit status {status} and is started again")),
    };
    store.record_event(app, None, kind, &message).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn event(action: &str, exit: &str) -> EventMessage {
        let app = uuid::Uuid::nil().to_string();
        serde_json::from_value(json!({ "Action": action, "Actor": { "ID": "c0ffee", "Attributes": {
            "skypanel.app_id": app, "skypanel.process": "web", "exitCode": exit,
            "com.docker.swarm.task.name": "skypanel-shop--web.3.y5hrkz",
        } } }))
        .expect("is an event")
    }

    #[test]
    fn ends_and_failed_checks_are_incidents() {
        let seen = |action, exit| read(&event(action, exit)).map(|(_, _, replica, incident)| (replica, incident));
        assert_eq!(seen("die", "137"), Some(("web.3".to_owned(), Incident::Ended(137))));
        assert_eq!(seen("health_status: unhealthy", ""), Some(("web.3".to_owned(), Incident::Unhealthy)));
        assert_eq!(seen("health_status: healthy", ""), None);
        assert_eq!(seen("kill", ""), None);
    }
}
