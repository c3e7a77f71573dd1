//! Swarm services, rollouts, routes and one-off processes: from an image to a running, routed app.
//!
//! The worker rolls releases out with a [`Deployer`]; on every node an [`Agent`] follows the tasks and writes
//! the edge's routes; transports look at and into what runs through a [`SwarmConsole`].

mod access_log;
mod acme;
mod agent;
mod app_logs;
mod certificate;
mod certificates;
mod clean_up;
mod config_secret;
mod console;
mod domain_routes;
mod edge;
mod edge_metrics;
mod edge_probe;
mod engine;
mod error;
mod firewall;
mod host;
mod image;
mod incidents;
mod names;
mod old_images;
mod one_off;
mod progress;
mod release_process;
mod rollout;
mod routes;
mod served_certificate;
mod service_spec;
mod start_again;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bollard::Docker;
use skypanel_core::model::{Application, Artifact, DeploymentId, Formation, Plan, ReleaseVersion};
use skypanel_core::settings::Settings;
use skypanel_core::store::ConfigVars;
use skypanel_core::stream::StreamWriter;
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use agent::Agent;
pub use console::SwarmConsole;
pub use error::DeployError;
pub use start_again::Standing;

use crate::routes::RouteTable;

/// Where things are on this host.
#[derive(Clone, Debug)]
pub struct DeployerOptions {
    /// Marks what this installation makes in the engine.
    pub installation: String,
    /// Where the engine pulls app images from, such as `127.0.0.1:5100`.
    pub image_endpoint: String,
    /// Skypanel's data directory; the edge's files lie in its `edge/`.
    pub data_dir: PathBuf,
    /// The edge.
    pub edge: EdgeOptions,
}

/// The edge of this host.
#[derive(Clone, Debug)]
pub struct EdgeOptions {
    /// Port for plain HTTP.
    pub http_port: u16,
    /// Port for HTTPS.
    pub https_port: u16,
    /// Port of the loopback at which it tells what it counts; 0 for one that is found.
    pub metrics_port: u16,
    /// Image to run; empty for the one described in `archive`.
    pub image: String,
    /// Directory with `edge.tar` and `edge.json`, imported when the image is missing.
    pub archive: Option<PathBuf>,
    /// Address of the server of our own pages (unknown host, stopped app), such as `127.0.0.1:8080`.
    pub pages: String,
    /// Who issues certificates for custom domains; none for no certificates.
    pub acme: Option<AcmeOptions>,
}

/// A certificate authority that speaks ACME.
#[derive(Clone, Debug)]
pub struct AcmeOptions {
    /// Address of its directory, such as `https://acme-v02.api.letsencrypt.org/directory`.
    pub directory: String,
    /// Where it writes to when something is wrong; may be empty.
    pub email: String,
    /// PEM bundle that its own certificate is checked by, beside the usual authorities.
    pub ca_bundle: Option<PathBuf>,
}

/// What to roll out: one version of an app, in full.
#[derive(Clone, Copy)]
pub struct Release<'a> {
    /// The app.
    pub app: &'a Application,
    /// Its plan, for the limits.
    pub plan: &'a Plan,
    /// Which deployment this is.
    pub deployment: DeploymentId,
    /// Its release number.
    pub version: ReleaseVersion,
    /// What the build made.
    pub artifact: &'a Artifact,
    /// Replicas of every process type that there is, resolved by the caller; 0 for those that do not run.
    pub formation: &'a Formation,
    /// Opened config vars.
    pub config: &'a ConfigVars,
    /// The version of the config vars.
    pub config_version: i32,
    /// Settings as they were when the rollout began.
    pub settings: &'a Settings,
    /// Where progress goes, for the developer.
    pub log: &'a StreamWriter,
    /// Cancelled when the deployment is.
    pub cancel: &'a CancellationToken,
}

/// Brings releases into the world. Cheap to clone.
#[derive(Clone)]
pub struct Deployer {
    parts: Arc<Parts>,
}

/// What all clones share.
struct Parts {
    engine: Docker,
    options: DeployerOptions,
    /// What the agent of this process has written into the routes.
    routes: watch::Sender<RouteTable>,
    /// By app: the label of the tasks that its last rollout in this process brought up. Once they are there, older
    /// ones get no more requests, even before Swarm tells them to stop.
    favoured: Mutex<HashMap<String, String>>,
    /// Wakes the agent of this process: something changed that no event of the engine tells.
    wake: Notify,
    /// Rollouts that run in this process; the agent looks more often while there are some.
    rollouts: AtomicUsize,
    /// Tasks that end one-off processes and remove their containers.
    removals: TaskTracker,
}

impl Deployer {
    /// A deployer on this engine, with its API version negotiated.
    pub fn new(engine: Docker, options: DeployerOptions) -> Self {
        let parts = Parts {
            engine,
            options,
            routes: watch::Sender::new(RouteTable::default()),
            favoured: Mutex::default(),
            wake: Notify::new(),
            rollouts: AtomicUsize::new(0),
            removals: TaskTracker::new(),
        };
        Self { parts: Arc::new(parts) }
    }
}

impl Parts {
    fn favoured(&self) -> MutexGuard<'_, HashMap<String, String>> {
        // Every change of the map is one call, so that a panic cannot leave it half done.
        self.favoured.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
