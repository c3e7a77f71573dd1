//! Containers that run once beside an app's services: the `release` process and `run`. They have the app's image,
//! network, config vars and limits, and are removed however they end.

use std::sync::Arc;
use std::time::Duration;

use bollard::container::AttachContainerResults;
use bollard::models::{ContainerCreateBody, HostConfig, HostConfigLogConfig};
use bollard::query_parameters::{
    AttachContainerOptionsBuilder, CreateContainerOptionsBuilder, RemoveContainerOptionsBuilder, StartContainerOptions,
    UploadToContainerOptionsBuilder, WaitContainerOptions,
};
use futures_util::StreamExt as _;
use skypanel_core::console::Terminal;
use skypanel_core::model::{Application, Artifact, DeploymentId, Plan, ReleaseVersion};
use skypanel_core::store::ConfigVars;

use crate::config_secret;
use crate::engine::{call, find};
use crate::image::{self, ImageFacts};
use crate::rollout::ensure_network;
use crate::service_spec::{INIT, MAX_PROCESSES, memory_bytes, nano_cpus, no_core_dumps, start_arguments};
use crate::{DeployError, Parts, names};

const REMOVE_LIMIT: Duration = Duration::from_secs(30);
/// Exit status where the engine lost the container.
const LOST: i64 = 255;

/// What to run once.
pub(crate) struct OneOffSpec<'a> {
    pub(crate) app: &'a Application,
    pub(crate) plan: &'a Plan,
    pub(crate) deployment: DeploymentId,
    pub(crate) version: ReleaseVersion,
    pub(crate) artifact: &'a Artifact,
    pub(crate) config: &'a ConfigVars,
    /// `release` or `run`.
    pub(crate) role: &'static str,
    /// Value of `DYNO`, such as `run.4711`.
    pub(crate) name: &'a str,
    /// The command line, for bash; empty for the image's own command.
    pub(crate) command: &'a str,
    /// The terminal, where the process has one.
    pub(crate) terminal: Option<&'a Terminal>,
    /// Whether the process reads what someone types or pipes in.
    pub(crate) input: bool,
}

/// A container that is removed when this is dropped, unless [`OneOff::remove`] did it before.
pub(crate) struct OneOff {
    parts: Arc<Parts>,
    id: String,
    removed: bool,
}

impl OneOff {
    /// Makes the container, with the config vars inside; it is not started.
    pub(crate) async fn create(parts: &Arc<Parts>, spec: &OneOffSpec<'_>) -> Result<Self, DeployError> {
        let reference = image::reference(parts, &spec.app.slug, spec.artifact.image);
        let (facts, network) = tokio::try_join!(image::ensure(parts, &reference), ensure_network(parts, spec.app))?;
        let body = body(parts, spec, &reference, &facts, network);
        let unique = uuid::Uuid::new_v4().simple().to_string();
        let name = format!("skypanel-{}-{}-{}", spec.app.slug, spec.role, &unique[..8]);
        let options = CreateContainerOptionsBuilder::new().name(&name).build();
        let made = call("Making a one-off process", parts.engine.create_container(Some(options), body)).await?;
        let one_off = Self { parts: Arc::clone(parts), id: made.id, removed: false };
        one_off.upload_config(spec.config, &facts).await?;
        Ok(one_off)
    }

    /// Puts the config vars where a task has its secret: they appear in no inspection.
    async fn upload_config(&self, config: &ConfigVars, facts: &ImageFacts) -> Result<(), DeployError> {
        let (uid, gid) = facts.owner.unwrap_or((0, 0));
        let mode = if facts.owner.is_some() { 0o400 } else { 0o444 };
        let bytes = config_secret::encode(config);
        let archive = || {
            let mut archive = tar::Builder::new(Vec::new());
            let mut directory = tar::Header::new_ustar();
            directory.set_entry_type(tar::EntryType::Directory);
            directory.set_mode(0o755);
            directory.set_size(0);
            archive.append_data(&mut directory, "run/secrets/", std::io::empty())?;
            let mut file = tar::Header::new_ustar();
            file.set_mode(mode);
            file.set_uid(u64::from(uid));
            file.set_gid(u64::from(gid));
            file.set_size(bytes.len() as u64);
            archive.append_data(&mut file, format!("run/secrets/{}", config_secret::FILE), bytes.as_slice())?;
            archive.into_inner()
        };
        let tar = archive().map_err(|error| DeployError::Host(format!("Config vars could not be packed: {error}.")))?;
        let options = UploadToContainerOptionsBuilder::new().path("/").build();
        let upload = self.parts.engine.upload_to_container(&self.id, Some(options), bollard::body_full(tar.into()));
        call("Handing over the config vars", upload).await
    }

    /// Connects to input and output; before the start, so that nothing is missed.
    pub(crate) async fn attach(&self, input: bool) -> Result<AttachContainerResults, DeployError> {
        let options = AttachContainerOptionsBuilder::new().stream(true).stdin(input).stdout(true).stderr(true).build();
        call("Attaching to a one-off process", self.parts.engine.attach_container(&self.id, Some(options))).await
    }

    /// Starts it.
    pub(crate) async fn start(&self) -> Result<(), DeployError> {
        let start = self.parts.engine.start_container(&self.id, None::<StartContainerOptions>);
        call("Starting a one-off process", start).await
    }

    /// Waits for its end, as long as it takes, and answers its exit status.
    pub(crate) async fn wait(&self) -> i64 {
        let mut wait = Box::pin(self.parts.engine.wait_container(&self.id, None::<WaitContainerOptions>));
        match wait.next().await {
            Some(Ok(ended)) => ended.status_code,
            Some(Err(bollard::errors::Error::DockerContainerWaitError { code, .. })) => code,
            Some(Err(error)) => {
                tracing::warn!(%error, container = self.id, "lost sight of a one-off process");
                LOST
            }
            None => LOST,
        }
    }

    /// The container's id.
    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    /// Ends and removes it.
    pub(crate) async fn remove(mut self) -> Result<(), DeployError> {
        self.removed = true;
        remove(&self.parts, &self.id).await
    }
}

impl Drop for OneOff {
    fn drop(&mut self) {
        if self.removed {
            return;
        }
        let (parts, id) = (Arc::clone(&self.parts), std::mem::take(&mut self.id));
        // A future that was cancelled cannot wait for the removal. The tracker is what owns it; one that a crash cuts
        // short is removed as a leftover at the next start.
        self.parts.removals.spawn(async move {
            let removal = tokio::time::timeout(REMOVE_LIMIT, remove(&parts, &id)).await;
            if !matches!(removal, Ok(Ok(()))) {
                tracing::warn!(container = id, "a one-off process could not be removed; the next start does it");
            }
        });
    }
}

/// Ends and removes a container, which may be gone already.
pub(crate) async fn remove(parts: &Parts, id: &str) -> Result<(), DeployError> {
    let options = RemoveContainerOptionsBuilder::new().force(true).v(true).build();
    match find("Removing a container", parts.engine.remove_container(id, Some(options))).await {
        // Another removes it just now.
        Err(error) if crate::engine::status(&error) == Some(409) => Ok(()),
        other => other.map(drop),
    }
}

fn body(
    parts: &Parts,
    spec: &OneOffSpec<'_>,
    reference: &str,
    facts: &ImageFacts,
    network: String,
) -> ContainerCreateBody {
    let mut arguments = start_arguments(spec.role, spec.command, facts);
    let mut environment = vec![
        format!("DYNO={}", spec.name),
        format!("PS={}", spec.name),
        format!("SKYPANEL_APP={}", spec.app.slug),
        format!("SKYPANEL_RELEASE_VERSION={}", spec.version),
    ];
    if let Some(Terminal { term: name, columns, rows }) = spec.terminal {
        arguments.splice(1..1, ["--tty".to_owned(), "--size".to_owned(), format!("{columns}x{rows}")]);
        environment.push(format!("TERM={}", term(name)));
    }
    ContainerCreateBody {
        image: Some(reference.to_owned()),
        user: Some(facts.user.clone()),
        entrypoint: Some(vec![INIT.to_owned()]),
        cmd: Some(arguments),
        env: Some(environment),
        labels: Some(names::release_labels(
            &parts.options.installation,
            spec.app,
            spec.deployment,
            spec.version,
            spec.role,
            spec.role,
        )),
        tty: Some(spec.terminal.is_some()),
        open_stdin: Some(spec.input),
        stdin_once: Some(spec.input),
        attach_stdin: Some(spec.input),
        attach_stdout: Some(true),
        attach_stderr: Some(true),
        healthcheck: Some(bollard::models::HealthConfig { test: Some(vec!["NONE".to_owned()]), ..Default::default() }),
        host_config: Some(HostConfig {
            network_mode: Some(network),
            memory: Some(memory_bytes(spec.plan)),
            nano_cpus: Some(nano_cpus(spec.plan)),
            pids_limit: Some(MAX_PROCESSES),
            ulimits: Some(vec![no_core_dumps()]),
            cap_drop: Some(vec!["ALL".to_owned()]),
            security_opt: Some(vec!["no-new-privileges".to_owned()]),
            init: Some(false),
            // Whoever started it reads what it writes as it comes.
            log_config: Some(HostConfigLogConfig { typ: Some("none".to_owned()), config: None }),
            ..Default::default()
        }),
        ..Default::default()
    }
}

/// `TERM` as a client sent it, where it is one.
fn term(text: &str) -> &str {
    let fits = (1..=64).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.+".contains(&byte));
    if fits { text } else { "dumb" }
}
