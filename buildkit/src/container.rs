//! The build container: made from the stack image, unprivileged and limited, fed through the archive API,
//! watched until it ends, and removed whatever happens.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use bollard::Docker;
use bollard::errors::Error as EngineError;
use bollard::models::{ContainerCreateBody, HostConfig, HostConfigLogConfig, ResourcesUlimits};
use bollard::query_parameters::{
    AttachContainerOptionsBuilder, CreateContainerOptionsBuilder, InspectContainerOptions,
    RemoveContainerOptionsBuilder, StartContainerOptions, WaitContainerOptions,
};
use futures_util::StreamExt as _;
use skypanel_core::model::Application;
use skypanel_core::store::{ConfigVars, StoredCache};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::cache::{self, Cache};
use crate::stack::Stack;
use crate::{BuildError, BuildRequest, Finished, Parts, network, stack, upload};

/// Longest one call to the engine may take, those that move much data apart.
const CALL_LIMIT: Duration = Duration::from_mins(1);
/// Longest output may trail behind the end of its container.
const OUTPUT_TRAIL: Duration = Duration::from_secs(10);
/// How often, and after what pause, a container is made again when its name is taken.
const CREATE_TRIES: u32 = 30;
const CREATE_PAUSE: Duration = Duration::from_millis(100);
/// Bytes of the output's beginning in which the detected buildpack is told.
const HEAD: usize = 8 * 1024;
/// What a root-run stack such as herokuish needs to hand over to its unprivileged user.
const ROOT_CAPABILITIES: [&str; 6] = ["CHOWN", "DAC_OVERRIDE", "FOWNER", "SETUID", "SETGID", "KILL"];

/// A build that ended well is rolled out next, which the removal of its container would only slow down.
const LINGER: Duration = Duration::from_millis(1_500);
/// How often a container that lingers looks whether Skypanel stops.
const LINGER_LOOK: Duration = Duration::from_millis(50);

/// A container that is removed when this is dropped.
pub(crate) struct BuildContainer {
    engine: Docker,
    removals: TaskTracker,
    linger: Duration,
    pub(crate) id: String,
}

impl BuildContainer {
    /// Takes care of the container `id` from now on.
    pub(crate) fn own(parts: &Parts, id: String) -> Self {
        Self { engine: parts.engine.clone(), removals: parts.removals.clone(), linger: Duration::ZERO, id }
    }

    /// Drops it, and lets its removal wait until what follows the build is done.
    pub(crate) fn remove_later(mut self) {
        self.linger = LINGER;
    }

    /// Removes it now.
    pub(crate) async fn remove(mut self) -> Result<(), EngineError> {
        let id = std::mem::take(&mut self.id);
        remove(&self.engine, &id).await
    }
}

impl Drop for BuildContainer {
    fn drop(&mut self) {
        if self.id.is_empty() {
            return;
        }
        // Without a runtime nothing can be removed any more; the next start does it.
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        let (engine, id) = (self.engine.clone(), std::mem::take(&mut self.id));
        let (removals, until) = (self.removals.clone(), Instant::now() + self.linger);
        self.removals.spawn_on(
            async move {
                // Closed when somebody waits for all removals.
                while Instant::now() < until && !removals.is_closed() {
                    tokio::time::sleep(LINGER_LOOK).await;
                }
                if let Err(error) = remove(&engine, &id).await {
                    tracing::warn!(%error, container = id, "a build container could not be removed; the next start does it");
                }
            },
            &runtime,
        );
    }
}

/// Removes a container, running or not. One that is gone is fine.
pub(crate) async fn remove(engine: &Docker, id: &str) -> Result<(), EngineError> {
    let options = RemoveContainerOptionsBuilder::new().force(true).v(true).build();
    match tokio::time::timeout(CALL_LIMIT, engine.remove_container(id, Some(options))).await {
        Ok(Err(EngineError::DockerResponseServerError { status_code: 404 | 409, .. })) => Ok(()),
        Ok(removed) => removed,
        Err(_) => Err(EngineError::RequestTimeoutError),
    }
}

/// How a container ended.
struct Ended {
    status: i64,
    buildpack: Option<String>,
}

/// Builds with buildpacks. `modified` is the time of the source. The caller's time limit holds.
pub(crate) async fn build(
    parts: &Parts,
    stack: &Stack,
    request: &BuildRequest<'_>,
    modified: u64,
    stop: &CancellationToken,
) -> Result<Finished, BuildError> {
    let started = Instant::now();
    let cache = request
        .settings
        .cache_enabled
        .then(|| Cache::of(request.app.id, chosen_buildpack(request.app, request.config).as_deref(), stack));
    let (ca_bundle, (), stored) = tokio::try_join!(
        upload::ca_bundle(request.settings),
        network::ensure(parts),
        prepare_cache(parts, request, cache.as_ref()),
    )?;
    let prepared = started.elapsed();
    let container = create(parts, stack, request, cache.as_ref()).await?;
    let created = started.elapsed();
    let container = match (&cache, stored) {
        (Some(cache), Some(stored)) => fill_cache(parts, stack, request, container, cache, &stored, stop).await?,
        _ => container,
    };
    upload::upload(parts, &container.id, request, ca_bundle, stop).await?;
    let uploaded = started.elapsed();
    let ended = run(parts, &container, request).await?;
    tracing::debug!(?prepared, ?created, ?uploaded, ended = ?started.elapsed(), "a build container ended");
    if ended.status != 0 {
        return Err(failure(parts, &container, request, ended.status).await?);
    }
    Ok(Finished { container, buildpack: ended.buildpack, modified })
}

/// Makes the cache's volume, and finds the stored cache to fill it from when it is new.
async fn prepare_cache(
    parts: &Parts,
    request: &BuildRequest<'_>,
    cache: Option<&Cache>,
) -> Result<Option<StoredCache>, BuildError> {
    let Some(cache) = cache else { return Ok(None) };
    let anew = request.deployment.no_cache;
    let (fresh, stored) = tokio::try_join!(cache.prepare(parts, request.app, anew), cache.stored(parts))?;
    Ok(stored.filter(|_| fresh && !anew))
}

/// Fills the new volume of `container` from the stored cache. When that fails the build starts with an empty
/// one, in a new container: a cache only makes builds faster.
async fn fill_cache(
    parts: &Parts,
    stack: &Stack,
    request: &BuildRequest<'_>,
    container: BuildContainer,
    cache: &Cache,
    stored: &StoredCache,
    stop: &CancellationToken,
) -> Result<BuildContainer, BuildError> {
    request.log.step("Restoring the build cache").await;
    let Err(error) = cache::restore(parts, &container, stored, stop).await else { return Ok(container) };
    tracing::warn!(%error, app = %request.app.slug, "a build cache could not be restored");
    request.log.detail("It could not be restored; building without it.").await;
    container.remove().await.map_err(BuildError::engine("Removing a container"))?;
    cache.prepare(parts, request.app, true).await?;
    create(parts, stack, request, Some(cache)).await
}

async fn create(
    parts: &Parts,
    stack: &Stack,
    request: &BuildRequest<'_>,
    cache: Option<&Cache>,
) -> Result<BuildContainer, BuildError> {
    let action = "Making the build container";
    let name = format!("skypanel-build-{}", request.deployment.id);
    let options = CreateContainerOptionsBuilder::new().name(&name).build();
    let body = body(parts, stack, request, cache);
    let mut tries = 0;
    let id = loop {
        tries += 1;
        let made = parts.engine.create_container(Some(options.clone()), body.clone());
        match tokio::time::timeout(CALL_LIMIT, made).await {
            Err(_) => return Err(BuildError::EngineSilent { action }),
            Ok(Ok(made)) => break made.id,
            // Left by a worker that died in this very build.
            Ok(Err(EngineError::DockerResponseServerError { status_code: 409, .. })) if tries < CREATE_TRIES => {
                remove(&parts.engine, &name).await.map_err(BuildError::engine(action))?;
                // It may have been on its way out already, which takes a moment.
                tokio::time::sleep(CREATE_PAUSE).await;
            }
            // Somebody pruned the engine's images.
            Ok(Err(EngineError::DockerResponseServerError { status_code: 404, .. })) if tries < 3 => {
                stack::pull(parts, stack).await?;
            }
            Ok(Err(source)) => return Err(BuildError::Engine { action, source }),
        }
    };
    Ok(BuildContainer::own(parts, id))
}

fn body(parts: &Parts, stack: &Stack, request: &BuildRequest<'_>, cache: Option<&Cache>) -> ContainerCreateBody {
    let settings = request.settings;
    let memory = i64::try_from(settings.build_memory_mb << 20).unwrap_or(i64::MAX);
    let mut host = HostConfig {
        network_mode: Some(network::NAME.to_owned()),
        memory: Some(memory),
        // The same as the memory: no swap on top of it.
        memory_swap: Some(memory),
        pids_limit: i64::try_from(settings.build_max_processes).ok(),
        cap_drop: Some(vec!["ALL".to_owned()]),
        privileged: Some(false),
        init: Some(true),
        ulimits: Some(vec![ResourcesUlimits { name: Some("core".to_owned()), soft: Some(0), hard: Some(0) }]),
        binds: cache.map(|cache| vec![format!("{}:{}", cache.volume, cache::PATH)]),
        // The output is read as it comes; a copy on the engine's disk would be of no use.
        log_config: Some(HostConfigLogConfig { typ: Some("none".to_owned()), config: None }),
        ..Default::default()
    };
    if settings.build_cpu_percent > 0 {
        host.nano_cpus = i64::try_from(settings.build_cpu_percent.saturating_mul(10_000_000)).ok();
    }
    if stack.is_root() {
        host.cap_add = Some(ROOT_CAPABILITIES.map(str::to_owned).to_vec());
    } else {
        host.security_opt = Some(vec!["no-new-privileges".to_owned()]);
    }
    ContainerCreateBody {
        image: Some(stack.reference.clone()),
        // Through one pipe: two would let lines of the two outputs overtake each other.
        entrypoint: Some(["/bin/bash", "-c", "exec /build 2>&1"].map(str::to_owned).to_vec()),
        cmd: Some(Vec::new()),
        env: Some(environment(stack, request)),
        labels: Some(labels(parts, request)),
        host_config: Some(host),
        ..Default::default()
    }
}

/// Labels of everything that belongs to an app.
pub(crate) fn labels_of_app(parts: &Parts, app: &Application) -> HashMap<String, String> {
    HashMap::from([
        ("skypanel.installation".to_owned(), parts.options.installation.clone()),
        ("skypanel.app".to_owned(), app.slug.to_string()),
        ("skypanel.app_id".to_owned(), app.id.to_string()),
    ])
}

fn labels(parts: &Parts, request: &BuildRequest<'_>) -> HashMap<String, String> {
    let mut labels = labels_of_app(parts, request.app);
    labels.insert("skypanel.role".to_owned(), "build".to_owned());
    labels.insert("skypanel.deployment".to_owned(), request.deployment.id.to_string());
    labels
}

fn environment(stack: &Stack, request: &BuildRequest<'_>) -> Vec<String> {
    let mut env = vec![format!("STACK={}", stack.name), "SSL_CERT_DIR=/etc/ssl/certs".to_owned()];
    for name in upload::CA_VARIABLES {
        env.push(format!("{name}={}", upload::CA_BUNDLE));
    }
    for (name, value) in proxies(request) {
        env.push(format!("{name}={value}"));
        env.push(format!("{}={value}", name.to_lowercase()));
    }
    // One chosen by config var is read by the stack from the config vars: it may hold a token, and this is shown by
    // the engine to whoever inspects the container.
    if let Some(buildpack) = &request.app.buildpack {
        env.push(format!("BUILDPACK_URL={buildpack}"));
    }
    if let Some(commit) = &request.deployment.git_commit {
        env.push(format!("SOURCE_VERSION={commit}"));
    }
    if request.deployment.no_cache {
        env.push("SKYPANEL_NO_CACHE=1".to_owned());
    }
    env
}

/// The proxies that builds use, by the name of their variable.
pub(crate) fn proxies<'a>(request: &BuildRequest<'a>) -> impl Iterator<Item = (&'static str, &'a str)> {
    let settings = request.settings;
    [
        ("HTTP_PROXY", settings.build_http_proxy.as_str()),
        ("HTTPS_PROXY", settings.build_https_proxy.as_str()),
        ("NO_PROXY", settings.build_no_proxy.as_str()),
    ]
    .into_iter()
    .filter(|(_, value)| !value.is_empty())
}

/// The buildpack chosen for the app, by the app's own setting or by the config var that Heroku's users know.
pub(crate) fn chosen_buildpack(app: &Application, config: &ConfigVars) -> Option<String> {
    let by_config = || {
        let (_, value) = config.iter().find(|(key, _)| key.as_str() == "BUILDPACK_URL")?;
        Some(String::from_utf8_lossy(value).trim().to_owned())
    };
    app.buildpack.clone().or_else(by_config).filter(|chosen| !chosen.is_empty())
}

/// Starts the container and passes its output on until it ends. The callers' time limit holds.
async fn run(parts: &Parts, container: &BuildContainer, request: &BuildRequest<'_>) -> Result<Ended, BuildError> {
    let action = "Starting the build container";
    let engine = &parts.engine;
    let options = AttachContainerOptionsBuilder::new().stream(true).stdout(true).stderr(true).build();
    let start = async {
        // Attached first, so that nothing it writes is missed.
        let attached = engine.attach_container(&container.id, Some(options)).await?;
        engine.start_container(&container.id, None::<StartContainerOptions>).await?;
        Ok::<_, EngineError>(attached.output)
    };
    let mut output = tokio::time::timeout(CALL_LIMIT, start)
        .await
        .map_err(|_| BuildError::EngineSilent { action })?
        .map_err(BuildError::engine(action))?;
    let begun = Instant::now();
    let mut pump = std::pin::pin!(async {
        let mut head = Vec::new();
        while let Some(Ok(piece)) = output.next().await {
            let bytes = piece.into_bytes();
            let room = HEAD.saturating_sub(head.len());
            head.extend_from_slice(&bytes[..bytes.len().min(room)]);
            request.log.write(bytes).await;
        }
        head
    });
    let mut waited = std::pin::pin!(engine.wait_container(&container.id, None::<WaitContainerOptions>));
    let mut head = None;
    let status = loop {
        tokio::select! {
            all = &mut pump, if head.is_none() => head = Some(all),
            ended = waited.next() => break match ended {
                Some(Ok(ended)) => ended.status_code,
                Some(Err(EngineError::DockerContainerWaitError { code, .. })) => code,
                Some(Err(source)) => return Err(BuildError::Engine { action: "Waiting for the build", source }),
                None => return Err(BuildError::EngineSilent { action: "Waiting for the build" }),
            },
        }
    };
    if head.is_none() {
        head = tokio::time::timeout(OUTPUT_TRAIL, pump).await.ok();
    }
    tracing::debug!(ran = ?begun.elapsed(), status, "a build ran");
    let Some(head) = head else { return Err(BuildError::EngineSilent { action: "Reading the build's output" }) };
    Ok(Ended { status, buildpack: detected_buildpack(&head) })
}

/// The buildpack that the output tells in the line `-----> Python app detected`.
fn detected_buildpack(head: &[u8]) -> Option<String> {
    String::from_utf8_lossy(head)
        .lines()
        .find_map(|line| line.strip_prefix("-----> ")?.strip_suffix(" app detected").map(str::to_owned))
        .map(|name| name.to_lowercase().replace(' ', "-"))
}

/// Why a container ended with a status other than 0.
async fn failure(
    parts: &Parts,
    container: &BuildContainer,
    request: &BuildRequest<'_>,
    status: i64,
) -> Result<BuildError, BuildError> {
    let action = "Looking at the build container";
    let inspect = parts.engine.inspect_container(&container.id, None::<InspectContainerOptions>);
    let inspected = tokio::time::timeout(CALL_LIMIT, inspect)
        .await
        .map_err(|_| BuildError::EngineSilent { action })?
        .map_err(BuildError::engine(action))?;
    let out_of_memory = inspected.state.and_then(|state| state.oom_killed).unwrap_or(false);
    Ok(if out_of_memory {
        BuildError::OutOfMemory { limit_mb: request.settings.build_memory_mb }
    } else {
        BuildError::Failed { status }
    })
}
