//! Measures everything of this node at one moment: for the sampler every ten seconds, and for a Prometheus whenever it
//! asks.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bollard::Docker;
use skypanel_core::clock::Clock;
use skypanel_core::model::AppId;
use skypanel_core::store::Store;
use skypanel_core::{Result, labels};
use tokio::time::{Instant, timeout};

use super::containers::{self, Containers};
use super::counters::Measured;
use super::edge::Edge;
use super::files::Roots;
use super::host;

/// How often the engine is asked what runs though it told of no change.
const LOOK: Duration = Duration::from_mins(1);
/// How often, at most, it is asked which apps there are, when the edge knows one that is not known here.
const APPS: Duration = Duration::from_secs(30);
/// Longest that the engine or the database may take for what is asked on the way.
const LIMIT: Duration = Duration::from_secs(10);
/// How long what was measured is given again.
const FRESH: Duration = Duration::from_secs(1);

/// Which apps there are.
#[async_trait]
pub trait Apps: Send + Sync + 'static {
    /// Those of `apps` that are not there any more.
    async fn gone(&self, apps: &[AppId]) -> Result<Vec<AppId>>;

    /// All, by their slugs.
    async fn by_slug(&self) -> Result<HashMap<String, AppId>>;
}

#[async_trait]
impl Apps for Store {
    async fn gone(&self, apps: &[AppId]) -> Result<Vec<AppId>> {
        self.gone_apps(apps).await
    }

    async fn by_slug(&self) -> Result<HashMap<String, AppId>> {
        self.app_ids().await
    }
}

/// What is measured, and where it is.
#[derive(Clone, Debug)]
pub struct SamplerOptions {
    /// The installation whose containers count.
    pub installation: String,
    /// A directory on the disk whose space is measured.
    pub disk: PathBuf,
    /// Where the edge tells what it counts; none where there is none.
    pub edge: Option<SocketAddr>,
    /// Where a Prometheus may ask; none for nowhere.
    pub listen: Option<SocketAddr>,
}

pub(super) struct Collector {
    engine: Docker,
    options: SamplerOptions,
    apps: Arc<dyn Apps>,
    clock: Clock,
    roots: Roots,
    containers: Containers,
    /// When the engine was last asked what runs, unless something has changed since.
    looked: Option<Instant>,
    node: Option<String>,
    ids: HashMap<String, AppId>,
    asked_for_ids: Option<Instant>,
    last: Option<Arc<Measured>>,
    /// What failed when last tried; each is told once.
    engine_told: bool,
    edge_told: bool,
}

impl Collector {
    pub(super) fn new(engine: Docker, apps: Arc<dyn Apps>, clock: Clock, options: SamplerOptions) -> Self {
        let roots = Roots::default();
        let containers = Containers::new(engine.clone(), options.installation.clone(), roots.clone());
        Self {
            engine,
            options,
            apps,
            clock,
            roots,
            containers,
            looked: None,
            node: None,
            ids: HashMap::new(),
            asked_for_ids: None,
            last: None,
            engine_told: false,
            edge_told: false,
        }
    }

    /// Which containers the engine has to tell about when they start or end.
    pub(super) fn filters(&self) -> HashMap<&'static str, Vec<String>> {
        let pair = |label: &str, value: &str| format!("{label}={value}");
        HashMap::from([
            ("type", vec!["container".to_owned()]),
            ("event", ["start", "die"].map(str::to_owned).into()),
            (
                "label",
                vec![pair(labels::INSTALLATION, &self.options.installation), pair(labels::ROLE, labels::role::TASK)],
            ),
        ])
    }

    /// The engine told of a container that it started or that ended; none for maybe of any.
    pub(super) fn changed(&mut self, id: Option<&str>) {
        self.looked = None;
        if let Some(id) = id {
            self.containers.forget(id);
        }
    }

    /// The node's name in the Swarm, once the engine has told it.
    pub(super) fn node(&self) -> Option<&str> {
        self.node.as_deref()
    }

    /// Ids of apps by their slugs, as far as they are known.
    pub(super) fn ids(&self) -> &HashMap<String, AppId> {
        &self.ids
    }

    /// Where the edge tells what it counts.
    pub(super) fn edge(&self) -> Option<SocketAddr> {
        self.options.edge
    }

    /// Measures, unless that was done just now.
    pub(super) async fn recent(&mut self) -> Arc<Measured> {
        match &self.last {
            // What only the engine can tell is not asked for by whoever likes to know.
            Some(last) if last.moment.elapsed() < FRESH || !self.containers.are_visible() => last.clone(),
            _ => self.measure().await,
        }
    }

    /// Measures.
    pub(super) async fn measure(&mut self) -> Arc<Measured> {
        if self.looked.is_none_or(|at| at.elapsed() >= LOOK) {
            match self.containers.look().await {
                Ok(()) => {
                    self.looked = Some(Instant::now());
                    self.engine_told = false;
                }
                Err(error) => self.tell(&error),
            }
        }
        if self.node.is_none() {
            self.node = self.name().await;
        }
        let tasks = containers::measure(&self.engine, self.containers.running(), self.roots.clone()).await;
        let (at, moment) = (self.clock.now(), Instant::now());
        let (roots, disk) = (self.roots.clone(), self.options.disk.clone());
        let host = tokio::task::spawn_blocking(move || host::measure(&roots, &disk, &mut String::new()).ok()).await;
        let edge = self.ask_edge().await;
        self.ids.extend(tasks.iter().map(|(task, _)| (task.slug.clone(), task.app)));
        if let Some(edge) = &edge {
            self.know(edge).await;
        }
        let containers = self.containers.count();
        let measured = Arc::new(Measured { at, moment, tasks, host: host.ok().flatten(), containers, edge });
        self.last = Some(measured.clone());
        measured
    }

    async fn name(&mut self) -> Option<String> {
        let told = match timeout(LIMIT, self.engine.info()).await {
            Ok(Ok(info)) => return info.name,
            Ok(Err(error)) => error.to_string(),
            Err(_) => "it did not answer in time".to_owned(),
        };
        self.tell(&told);
        None
    }

    async fn ask_edge(&mut self) -> Option<Edge> {
        match Edge::ask(self.options.edge?).await {
            Ok(edge) => {
                self.edge_told = false;
                Some(edge)
            }
            Err(error) => {
                if !std::mem::replace(&mut self.edge_told, true) {
                    tracing::warn!(error, "the edge does not tell what it counts; requests are not measured");
                }
                None
            }
        }
    }

    /// Asks which apps there are, if the edge knows one that is not known here.
    async fn know(&mut self, edge: &Edge) {
        let unknown = edge.apps.keys().any(|slug| !self.ids.contains_key(slug));
        if !unknown || self.asked_for_ids.is_some_and(|at| at.elapsed() < APPS) {
            return;
        }
        self.asked_for_ids = Some(Instant::now());
        match timeout(LIMIT, self.apps.by_slug()).await {
            Ok(Ok(ids)) => self.ids = ids,
            Ok(Err(error)) => tracing::debug!(%error, "it is not known which apps there are"),
            Err(_) => tracing::debug!("it is not known which apps there are"),
        }
    }

    /// Once, until the engine answers again.
    fn tell(&mut self, error: &str) {
        if !std::mem::replace(&mut self.engine_told, true) {
            tracing::warn!(error, "the engine does not tell what runs; what ran before is measured on");
        }
    }
}
