//! Source to image: the build container, the slug, the OCI image around it and the build cache.
//!
//! The worker calls [`BuildKit::build`] and [`BuildKit::package`] one after the other; everything else is
//! done at start-up, after a release, or on demand. Nothing here knows Swarm or Git.

mod cache;
mod container;
mod dockerfile;
mod error;
mod export;
mod leftovers;
mod network;
mod oci;
mod procfile;
mod slug;
mod source;
mod stack;
mod tarball;
mod transfer;
mod upload;

use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use bollard::Docker;
use skypanel_core::blob::Blobs;
use skypanel_core::model::{AppId, Application, Artifact, Deployment, DeploymentId, Sha256Digest};
use skypanel_core::settings::Settings;
use skypanel_core::source::members;
use skypanel_core::store::{ConfigVars, Store};
use skypanel_core::stream::StreamWriter;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use error::BuildError;

use cache::Cache;
use container::BuildContainer;
use stack::Stack;

/// Builds apps. Cheap to clone.
#[derive(Clone)]
pub struct BuildKit(Arc<Parts>);

struct Parts {
    engine: Docker,
    blobs: Blobs,
    store: Store,
    options: BuildKitOptions,
    stack: RwLock<Option<Arc<Stack>>>,
    /// Owns the tasks that remove containers whose build is over.
    removals: TaskTracker,
}

/// Where things are, and whose containers are whose.
#[derive(Clone, Debug)]
pub struct BuildKitOptions {
    /// Id of this installation, a label on everything made in the engine.
    pub installation: String,
    /// Host and port from which the engine pulls our images, such as `127.0.0.1:5100`.
    pub image_endpoint: String,
    /// The static `skypanel-init` that becomes process 1 of every app container.
    pub init_binary: PathBuf,
    /// Directory with `stack.tar` and `stack.json`.
    pub stack_dir: PathBuf,
}

/// One build: of which deployment, under which rules, and where its output goes.
#[derive(Clone, Copy)]
pub struct BuildRequest<'a> {
    /// The app.
    pub app: &'a Application,
    /// Whose source is built.
    pub deployment: &'a Deployment,
    /// The settings in force.
    pub settings: &'a Settings,
    /// The app's config vars; the build sees them.
    pub config: &'a ConfigVars,
    /// Where output goes as it comes.
    pub log: &'a StreamWriter,
    /// Stops the build.
    pub cancel: &'a CancellationToken,
}

/// A build that succeeded and waits to be packed. Dropping it removes what it left in the engine.
pub struct Built {
    stack: Arc<Stack>,
    from: BuiltFrom,
}

enum BuiltFrom {
    /// By buildpacks, in a container that is still there.
    Buildpacks(Finished),
    /// By the engine.
    Dockerfile {
        /// What the engine knows the image by.
        reference: String,
        /// The source's `Procfile`.
        procfile: Option<Vec<u8>>,
    },
}

/// A build container that ended well.
struct Finished {
    container: BuildContainer,
    /// Names of the buildpacks, if the output told them.
    buildpack: Option<String>,
    /// Time of the source in seconds since 1970: the time of every file in the slug.
    modified: u64,
}

impl BuildKit {
    /// Builds through `engine`; call [`BuildKit::prepare_stack`] before the first build.
    pub fn new(engine: Docker, blobs: Blobs, store: Store, options: BuildKitOptions) -> Self {
        Self(Arc::new(Parts { engine, blobs, store, options, stack: RwLock::new(None), removals: TaskTracker::new() }))
    }

    /// Imports the stack and the init layer into the blob store (once per content) and lets the engine pull
    /// the stack image, so that builds find it there. The image endpoint must be serving. `progress` is told
    /// of steps that take long.
    pub async fn prepare_stack(&self, progress: impl Fn(&str) + Send + Sync) -> Result<(), BuildError> {
        let stack = Arc::new(stack::prepare(&self.0, &progress).await?);
        network::ensure(&self.0).await?;
        *self.0.stack.write().unwrap_or_else(PoisonError::into_inner) = Some(stack);
        Ok(())
    }

    /// Builds the source of `request.deployment`; its output goes to `request.log` as it comes.
    pub async fn build(&self, request: &BuildRequest<'_>) -> Result<Built, BuildError> {
        let stack = self.stack_of(request.app)?;
        under_limits(request, async |stop| {
            let survey = source::survey(&self.0, &request.deployment.source_key(), stop).await?;
            let chosen = container::chosen_buildpack(request.app, request.config).is_some() || survey.buildpacks;
            if let Some(dockerfile) = &survey.dockerfile
                && !chosen
            {
                let bases = dockerfile::check(dockerfile, &stack.reference)?;
                network::ensure(&self.0).await?;
                return dockerfile::build(&self.0, stack, request, survey, &bases, stop).await;
            }
            let finished = container::build(&self.0, &stack, request, survey.modified, stop).await?;
            Ok(Built { stack, from: BuiltFrom::Buildpacks(finished) })
        })
        .await
    }

    /// Packs what a build made into a slug and an image, both in the blob store.
    pub async fn package(&self, request: &BuildRequest<'_>, built: Built) -> Result<Artifact, BuildError> {
        let Built { stack, from } = built;
        under_limits(request, async |stop| match from {
            BuiltFrom::Buildpacks(finished) => {
                let artifact = slug::package(&self.0, &stack, request, &finished, stop).await?;
                finished.container.remove_later();
                Ok(artifact)
            }
            BuiltFrom::Dockerfile { reference, procfile } => {
                export::package(&self.0, &stack, request, &reference, procfile.as_deref(), stop).await
            }
        })
        .await
    }

    /// Writes the build cache of the app to the blob store, and drops its volumes that no build will use again;
    /// after the release of `deployment` is live.
    pub async fn save_cache(
        &self,
        app: &Application,
        deployment: &Deployment,
        settings: &Settings,
    ) -> Result<(), BuildError> {
        // An image built from a Dockerfile is cached by the engine.
        if !settings.cache_enabled || deployment.slug_digest.is_none() {
            return Ok(());
        }
        let stack = self.stack_of(app)?;
        let (_, config) = self.0.store.config_vars(app.id).await?;
        let cache = Cache::of(app.id, container::chosen_buildpack(app, &config).as_deref(), &stack);
        cache::save(&self.0, &stack, app, settings, &cache).await
    }

    /// Drops the build caches of an app, hot and cold.
    pub async fn purge_cache(&self, app: AppId) -> Result<(), BuildError> {
        leftovers::purge(&self.0, app).await
    }

    /// Removes what a crash left in the engine: build containers, and caches of apps that are gone. At
    /// start-up, before the first build.
    pub async fn remove_leftovers(&self) -> Result<(), BuildError> {
        leftovers::remove(&self.0).await
    }

    /// Ends what an interrupted build of a deployment left running in the engine of this host.
    pub async fn end_build_of(&self, deployment: DeploymentId) -> Result<(), BuildError> {
        leftovers::remove_containers(&self.0, Some(deployment)).await
    }

    /// Digests of the images that builds themselves need and no deployment refers to.
    pub fn images_in_use(&self) -> Vec<Sha256Digest> {
        let stack = self.0.stack.read().unwrap_or_else(PoisonError::into_inner);
        stack.as_ref().map(|stack| stack.images()).unwrap_or_default()
    }

    /// Waits until the containers of finished builds are removed; at shutdown.
    pub async fn settle(&self) {
        self.0.removals.close();
        self.0.removals.wait().await;
        self.0.removals.reopen();
    }

    fn stack_of(&self, app: &Application) -> Result<Arc<Stack>, BuildError> {
        let stack = self.0.stack.read().unwrap_or_else(PoisonError::into_inner).clone();
        let wanted = &app.stack;
        match stack {
            Some(stack) if stack.name == *wanted => Ok(stack),
            Some(stack) => Err(BuildError::Stack(format!(
                "The app is set to the stack \"{wanted}\"; this installation has \"{}\" only.",
                stack.name
            ))),
            None => Err(BuildError::Stack(
                "The stack is still being prepared. Push again in a minute; if it stays, tell an admin.".to_owned(),
            )),
        }
    }
}

/// Runs a stage of a build until it ends, is cancelled or is out of time. What it hands the token to (the
/// threads that move data) ends with it, however it ends.
async fn under_limits<T>(
    request: &BuildRequest<'_>,
    work: impl AsyncFnOnce(&CancellationToken) -> Result<T, BuildError>,
) -> Result<T, BuildError> {
    let limit_seconds = request.settings.build_timeout_seconds;
    let stop = request.cancel.child_token();
    let _stops_threads = stop.clone().drop_guard();
    tokio::select! {
        biased;
        () = request.cancel.cancelled() => Err(BuildError::Cancelled),
        outcome = tokio::time::timeout(Duration::from_secs(limit_seconds), work(&stop)) => {
            outcome.unwrap_or(Err(BuildError::OutOfTime { limit_seconds }))
        }
    }
}
