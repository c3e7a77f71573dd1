//! Finds the containers of this node whose output is collected, and has one follower for each.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use bollard::models::{ContainerSummaryStateEnum, EventMessage};
use bollard::query_parameters::{EventsOptionsBuilder, ListContainersOptionsBuilder};
use chrono::{DateTime, Utc};
use futures_util::StreamExt as _;
use skypanel_core::labels;
use skypanel_core::model::AppId;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::Shared;
use super::follower::{Container, Follower, Kind, Stage};
use super::seen::Seen;

/// How often to look for oneself: events can be lost with their connection.
const LOOK: Duration = Duration::from_secs(10);
/// Longest the engine may take to list containers.
const LIMIT: Duration = Duration::from_secs(30);
/// Pause after the engine failed.
const RETRY: Duration = Duration::from_secs(1);
/// Where Swarm says which replica a container is.
const TASK_NAME: &str = "com.docker.swarm.task.name";

/// Keeps the followers.
pub(super) struct Containers {
    shared: Arc<Shared>,
    /// When this process began.
    began: DateTime<Utc>,
    /// Whether the first look is behind us. What was there then may have been followed by an earlier process.
    looked: bool,
    followed: HashMap<String, watch::Sender<Stage>>,
    followers: JoinSet<(String, bool)>,
    /// Those that have ended and were read to their end.
    done: HashSet<String>,
}

impl Containers {
    pub(super) fn new(shared: Arc<Shared>, began: DateTime<Utc>) -> Self {
        Self { shared, began, looked: false, followed: HashMap::new(), followers: JoinSet::new(), done: HashSet::new() }
    }

    /// Follows all there are until cancelled.
    pub(super) async fn run(mut self, cancel: &CancellationToken) {
        while !cancel.is_cancelled() {
            let Some(error) = cancel.run_until_cancelled(self.follow(cancel)).await else { break };
            tracing::warn!(error, "lost sight of the containers; those that are known are read on");
            let _ = cancel.run_until_cancelled(tokio::time::sleep(RETRY)).await;
        }
        while self.followers.join_next().await.is_some() {}
    }

    /// Until the engine fails; answers how.
    async fn follow(&mut self, cancel: &CancellationToken) -> String {
        let filters = HashMap::from([
            ("type", vec!["container".to_owned()]),
            ("event", ["start", "die", "destroy"].map(str::to_owned).into()),
            ("label", vec![format!("{}={}", labels::INSTALLATION, self.shared.installation)]),
        ]);
        let options = EventsOptionsBuilder::new().filters(&filters).build();
        let engine = self.shared.engine.clone();
        let mut events = Box::pin(engine.events(Some(options)));
        let mut look = tokio::time::interval(LOOK);
        look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = look.tick() => {
                    if let Err(error) = self.look(cancel).await {
                        return error;
                    }
                }
                event = events.next() => match event {
                    Some(Ok(event)) => self.note(event, cancel),
                    Some(Err(error)) => return error.to_string(),
                    None => return "the engine sends no more events".to_owned(),
                },
                Some(ended) = self.followers.join_next() => match ended {
                    Ok((id, read_to_its_end)) => {
                        let stage = self.followed.remove(&id).map(|stage| *stage.borrow());
                        if stage == Some(Stage::Running) {
                            // It was started again in the moment its end had been read.
                            look.reset_immediately();
                        } else if read_to_its_end {
                            self.done.insert(id);
                        }
                    }
                    Err(error) => {
                        tracing::error!(%error, "the follower of a container broke down");
                        // Only its receiver is gone.
                        self.followed.retain(|_, stage| !stage.is_closed());
                    }
                },
            }
        }
    }

    async fn look(&mut self, cancel: &CancellationToken) -> Result<(), String> {
        let ours = vec![format!("{}={}", labels::INSTALLATION, self.shared.installation)];
        let options = ListContainersOptionsBuilder::new().all(true).filters(&HashMap::from([("label", ours)])).build();
        let found = tokio::time::timeout(LIMIT, self.shared.engine.list_containers(Some(options)))
            .await
            .map_err(|_| "the engine did not list the containers in time".to_owned())?
            .map_err(|error| error.to_string())?;
        let mut there: HashSet<String> = self.followed.keys().cloned().collect();
        let mut listed = HashSet::new();
        for summary in found {
            let (Some(id), Some(labels)) = (summary.id, summary.labels) else { continue };
            listed.insert(id.clone());
            let Some(kind) = kind(&labels) else { continue };
            let runs = summary.state.is_some_and(|state| {
                matches!(state, ContainerSummaryStateEnum::RUNNING | ContainerSummaryStateEnum::PAUSED)
            });
            self.ensure(Container { id, kind }, if runs { Stage::Running } else { Stage::Ended }, cancel);
        }
        for (id, stage) in &self.followed {
            if !listed.contains(id) {
                stage.send_replace(Stage::Ended);
            }
        }
        self.done.retain(|id| listed.contains(id));
        there.extend(listed);
        self.shared.positions.retain(&there);
        self.looked = true;
        Ok(())
    }

    fn note(&mut self, event: EventMessage, cancel: &CancellationToken) {
        let Some(actor) = event.actor else { return };
        let (Some(id), Some(labels)) = (actor.id, actor.attributes) else { return };
        let Some(kind) = kind(&labels) else { return };
        let stage = if event.action.as_deref() == Some("start") { Stage::Running } else { Stage::Ended };
        if stage == Stage::Ended && !self.followed.contains_key(&id) {
            return;
        }
        self.ensure(Container { id, kind }, stage, cancel);
    }

    /// Sees to it that a container is followed, unless it has ended and was.
    fn ensure(&mut self, container: Container, stage: Stage, cancel: &CancellationToken) {
        if let Some(known) = self.followed.get(&container.id) {
            known.send_if_modified(|known| std::mem::replace(known, stage) != stage);
            return;
        }
        if stage == Stage::Running {
            self.done.remove(&container.id);
        } else if self.done.contains(&container.id) {
            return;
        }
        let id = container.id.clone();
        let (sender, receiver) = watch::channel(stage);
        self.followed.insert(id.clone(), sender);
        let seen = (!self.looked).then(|| Seen::new(Arc::clone(&self.shared.sink), self.began));
        let follower = Follower::new(Arc::clone(&self.shared), container, receiver, seen);
        let cancel = cancel.clone();
        self.followers.spawn(async move { (id, follower.run(cancel).await) });
    }
}

/// Whose output a container has; none where it is not collected.
fn kind(labels: &HashMap<String, String>) -> Option<Kind> {
    match labels.get(labels::ROLE)?.as_str() {
        "edge" => Some(Kind::Edge),
        "task" => {
            let app = labels.get(labels::APP_ID)?.parse().ok().map(AppId)?;
            // `service.replica.task`
            let replica = labels.get(TASK_NAME).and_then(|name| name.split('.').nth(1)).unwrap_or("1");
            Some(Kind::Task { app, process: format!("{}.{replica}", labels.get(labels::PROCESS)?) })
        }
        // Of release processes and builds the live stream of their deployment has it all, and what runs once writes to
        // the terminal of who started it.
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tasks_and_the_edge_are_collected() {
        let app = AppId::new();
        let labels = |role: &str| {
            HashMap::from([
                (labels::ROLE.to_owned(), role.to_owned()),
                (labels::APP_ID.to_owned(), app.to_string()),
                (labels::PROCESS.to_owned(), "web".to_owned()),
                (TASK_NAME.to_owned(), "skypanel-shop--web.3.y5hrkz".to_owned()),
            ])
        };
        assert_eq!(kind(&labels("task")), Some(Kind::Task { app, process: "web.3".to_owned() }));
        assert_eq!(kind(&labels("edge")), Some(Kind::Edge));
        for role in ["run", "release", "build", "cache"] {
            assert_eq!(kind(&labels(role)), None, "{role}");
        }
    }
}
