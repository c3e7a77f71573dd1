//! Log drains: each app's lines, forwarded to where its people want them. One task a drain reads the embedded store from
//! where it was, so that what cannot be delivered now is delivered later, as long as it is kept, and nobody waits for it.

mod https;
mod run;
mod syslog;

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;
use std::time::Duration;

use skypanel_core::clock::Clock;
use skypanel_core::model::LogDrainId;
use skypanel_core::network::HttpClient;
use skypanel_core::store::{OpenDrain, Store};
use tokio::sync::Mutex;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, timeout};
use tokio_util::sync::CancellationToken;

use super::positions::Positions;
use super::store::EmbeddedLogs;

/// How often it is looked for drains that were added or removed, and positions are written down.
const LOOK_EVERY: Duration = Duration::from_secs(3);
/// Longest the database may take for that.
const DATABASE_LIMIT: Duration = Duration::from_secs(30);

/// Forwards lines of apps that have drains.
pub struct Drains {
    parts: Arc<Parts>,
}

/// What every drain's task works with.
struct Parts {
    logs: EmbeddedLogs,
    store: Store,
    clock: Clock,
    node: String,
    client: HttpClient,
    positions: Mutex<Positions<u64>>,
}

/// A drain's task, and what it was begun with.
struct Running {
    drain: OpenDrain,
    stop: CancellationToken,
}

impl Drains {
    /// Of the logs that are written here; `node` is the name that lines are said to come from. The client connects to
    /// what the setting `network.allowed` says, whatever it was made for.
    pub fn new(logs: EmbeddedLogs, store: Store, clock: Clock, node: String, client: HttpClient) -> Self {
        let positions = Mutex::new(Positions::open(logs.root(), "drains"));
        Self { parts: Arc::new(Parts { logs, store, clock, node, client, positions }) }
    }

    /// Forwards until `stop`.
    pub async fn run(self, stop: CancellationToken) {
        let mut running: HashMap<LogDrainId, Running> = HashMap::new();
        let mut tasks = JoinSet::new();
        let mut look = interval(LOOK_EVERY);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = stop.cancelled() => break,
                _ = look.tick() => {}
                Some(ended) = tasks.join_next() => {
                    if let Err(error) = ended {
                        // Which one it was is not told: all begin anew.
                        tracing::error!(%error, "forwarding to a log drain broke down");
                        tasks.shutdown().await;
                        running.clear();
                    }
                    continue;
                }
            }
            match timeout(DATABASE_LIMIT, self.parts.store.open_log_drains()).await {
                Ok(Ok(drains)) => self.follow(drains, &mut running, &mut tasks, &stop).await,
                Ok(Err(error)) => tracing::warn!(%error, "log drains cannot be looked up; those that are known go on"),
                Err(_) => tracing::warn!("log drains cannot be looked up in time; those that are known go on"),
            }
            self.save().await;
        }
        // Each ends with its own token, a child of ours.
        while tasks.join_next().await.is_some() {}
        self.save().await;
    }

    /// Starts and stops tasks, so that each drain has one.
    async fn follow(
        &self,
        drains: Vec<OpenDrain>,
        running: &mut HashMap<LogDrainId, Running>,
        tasks: &mut JoinSet<()>,
        stop: &CancellationToken,
    ) {
        running.retain(|_, task| {
            let stays = drains.iter().any(|drain| drain.id == task.drain.id && drain.slug == task.drain.slug);
            if !stays {
                task.stop.cancel();
            }
            stays
        });
        self.parts.positions.lock().await.retain(|id| drains.iter().any(|drain| drain.id.0 == id));
        for drain in drains {
            if let Entry::Vacant(free) = running.entry(drain.id) {
                let stop = stop.child_token();
                free.insert(Running { drain: drain.clone(), stop: stop.clone() });
                tasks.spawn(run::run(self.parts.clone(), drain, stop));
            }
        }
    }

    async fn save(&self) {
        if let Err(error) = self.parts.positions.lock().await.save().await {
            tracing::warn!(%error, "it is not written down how far logs were forwarded");
        }
    }
}
