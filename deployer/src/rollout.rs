//! A rollout: services are made or updated, the new tasks watched until they are healthy, the routes until they
//! lead to them. When that fails, every service goes back to what it was, and the error says why.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use bollard::models::{NetworkCreateRequest, Service, ServiceSpec, ServiceSpecMode, ServiceSpecModeReplicated};
use bollard::query_parameters::{
    InspectNetworkOptions, ListServicesOptionsBuilder, UpdateServiceOptions, UpdateServiceOptionsBuilder,
};
use skypanel_core::model::{AppSlug, Application, ProcessType};

use crate::config_secret::{self, ConfigSecret};
use crate::engine::{call, filters, find, status};
use crate::progress::{Rolling, Watch};
use crate::service_spec::{Ground, service_spec};
use crate::{DeployError, Deployer, Parts, Release, image, names};

/// Another rollout, or the engine's own rollback, may change a service between our reading and our writing of it.
const UPDATE_TRIES: u32 = 5;
/// Longest to wait for an engine that went away in mid-rollout; a restart with many containers takes a minute.
const ENGINE_RETURN_LIMIT: Duration = Duration::from_mins(3);
const ENGINE_RETURN_POLL: Duration = Duration::from_secs(1);

impl Deployer {
    /// Rolls a release out; returns when its new tasks are healthy and the edge sends requests to them. The old
    /// ones drain on behind. On failure what ran before goes on serving, and the error holds the app's last lines.
    pub async fn rollout(&self, release: &Release<'_>) -> Result<(), DeployError> {
        let parts = &*self.parts;
        let _busy = Busy::new(parts);
        let reference = image::reference(parts, &release.app.slug, release.artifact.image);
        let (facts, secret, network, before) = tokio::try_join!(
            image::ensure(parts, &reference),
            config_secret::ensure(parts, release),
            ensure_network(parts, release.app),
            services(parts, &release.app.slug),
        )?;
        stop_if_cancelled(release)?;
        let ground = Ground {
            installation: &parts.options.installation,
            app: release.app,
            plan: release.plan,
            deployment: release.deployment,
            version: release.version,
            settings: release.settings,
            image: &reference,
            facts: &facts,
            secret: &secret,
            network: &network,
        };
        let mut watch = Watch::new(parts, release).await?;
        // While it rolls, old and new tasks serve side by side: Swarm stops an old one as soon as its own successor
        // is healthy.
        parts.favoured().remove(release.app.slug.as_str());
        let rolled = match start(parts, release, &ground, &before, &mut watch).await {
            Ok(()) => watch.until_live(&parts.routes).await,
            Err(error) => Err(error),
        };
        if let Err(error) = rolled {
            parts.favoured().remove(release.app.slug.as_str());
            // The error to tell is the first one, also when going back meets another.
            if let Err(undo) = undo_when_back(parts, release, &before).await {
                tracing::error!(app = %release.app.slug, error = %undo, "a failed rollout could not be taken back");
            }
            return Err(error);
        }
        // The release is live. What cannot be tidied up now is by the next rollout or start.
        if let Err(error) = tidy(parts, release, &before, &secret).await {
            tracing::warn!(app = %release.app.slug, %error, "what a release left behind could not be removed yet");
        }
        Ok(())
    }

    /// Waits until the containers of one-off processes that have ended are gone. For a stop.
    pub async fn settle(&self) {
        self.parts.removals.close();
        self.parts.removals.wait().await;
        self.parts.removals.reopen();
    }
}

/// Removes services of process types that are no more, and secrets of earlier config versions.
async fn tidy(
    parts: &Parts,
    release: &Release<'_>,
    before: &BTreeMap<ProcessType, Service>,
    secret: &ConfigSecret,
) -> Result<(), DeployError> {
    for (process, service) in before {
        if !release.formation.contains_key(process) {
            remove(parts, service).await?;
        }
    }
    config_secret::remove_others(parts, release.app, secret).await
}

/// Counts a rollout while it lives.
struct Busy<'a>(&'a Parts);

impl<'a> Busy<'a> {
    fn new(parts: &'a Parts) -> Self {
        parts.rollouts.fetch_add(1, Ordering::Relaxed);
        parts.wake.notify_one();
        Self(parts)
    }
}

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        self.0.rollouts.fetch_sub(1, Ordering::Relaxed);
    }
}

fn stop_if_cancelled(release: &Release<'_>) -> Result<(), DeployError> {
    if release.cancel.is_cancelled() { Err(DeployError::Cancelled) } else { Ok(()) }
}

/// The app's network, made if it is not there; answers its id.
pub(crate) async fn ensure_network(parts: &Parts, app: &Application) -> Result<String, DeployError> {
    let name = names::network(&app.slug);
    for _ in 0..2 {
        let options = None::<InspectNetworkOptions>;
        let found = find("Looking for the app's network", parts.engine.inspect_network(&name, options)).await?;
        if let Some(found) = found {
            let labels = found.labels.unwrap_or_default();
            let is = |label: &str, value: &str| labels.get(label).is_some_and(|found| found == value);
            if !is(names::INSTALLATION, &parts.options.installation) || !is(names::APP, app.slug.as_str()) {
                return Err(DeployError::Host(format!(
                    "There is a network {name} that belongs to something else. If nothing needs it any more, remove it: \
                     docker network rm {name}."
                )));
            }
            return Ok(found.id.unwrap_or(name));
        }
        let request = NetworkCreateRequest {
            name: name.clone(),
            driver: Some("overlay".to_owned()),
            // One-off processes join it, too; only Skypanel attaches anything.
            attachable: Some(true),
            labels: Some(names::app_labels(&parts.options.installation, app)),
            ..Default::default()
        };
        match call("Making the app's network", parts.engine.create_network(request)).await {
            // Made by another in between: look again whose it is.
            Err(error) if status(&error) == Some(409) => {}
            other => return Ok(other?.id),
        }
    }
    Err(DeployError::Host(format!("The network {name} comes and goes. Try again.")))
}

/// The app's services as they are, by process type.
pub(crate) async fn services(parts: &Parts, slug: &AppSlug) -> Result<BTreeMap<ProcessType, Service>, DeployError> {
    let ours = filters([(
        "label",
        vec![names::pair(names::INSTALLATION, &parts.options.installation), names::pair(names::APP, slug.as_str())],
    )]);
    let options = ListServicesOptionsBuilder::new().filters(&ours).build();
    let found = call("Listing the app's services", parts.engine.list_services(Some(options))).await?;
    Ok(found
        .into_iter()
        .filter_map(|service| Some((label(&service, names::PROCESS)?.parse().ok()?, service)))
        .collect())
}

/// Makes or updates the service of every process type.
async fn start(
    parts: &Parts,
    release: &Release<'_>,
    ground: &Ground<'_>,
    before: &BTreeMap<ProcessType, Service>,
    watch: &mut Watch<'_>,
) -> Result<(), DeployError> {
    for (process, replicas) in release.formation {
        let command = release.artifact.processes.get(process).map_or("", String::as_str);
        if command.is_empty() && ground.facts.command.is_empty() {
            return Err(DeployError::Rollout(format!(
                "The process type \"{process}\" has no command, and the image has neither ENTRYPOINT nor CMD. Name one \
                 in the Procfile or the Dockerfile."
            )));
        }
        let mut spec = service_spec(ground, process, command, *replicas);
        let fingerprint = spec.labels.as_ref().and_then(|labels| labels.get(names::FINGERPRINT)).cloned();
        match before.get(process) {
            Some(service) => {
                // The engine renames no service. One of an earlier version of Skypanel keeps its name.
                spec.name = service.spec.as_ref().and_then(|spec| spec.name.clone()).or(spec.name);
                update(parts, release, service, spec).await?;
            }
            None if *replicas == 0 => continue,
            None => create(parts, spec).await?,
        }
        let fingerprint = fingerprint.unwrap_or_default();
        watch.add(Rolling { process: process.clone(), replicas: *replicas, fingerprint });
    }
    Ok(())
}

async fn create(parts: &Parts, spec: ServiceSpec) -> Result<(), DeployError> {
    let name = spec.name.clone().unwrap_or_default();
    match call("Making a service", parts.engine.create_service(spec, None)).await {
        Ok(_) => Ok(()),
        Err(error) if status(&error) == Some(409) => Err(DeployError::Host(format!(
            "There is a service {name} that belongs to something else. If nothing needs it any more, remove it: \
             docker service rm {name}."
        ))),
        Err(error) => Err(error),
    }
}

/// Brings a service to `spec`. One that has it already is left alone: an update would make the engine forget
/// which specification came before.
async fn update(parts: &Parts, release: &Release<'_>, service: &Service, spec: ServiceSpec) -> Result<(), DeployError> {
    let id = service.id.as_deref().unwrap_or_default();
    // A run of this rollout that was interrupted left its own specification there, which now differs (config vars
    // changed since). First back to the release before, so that this is what a failure goes back to.
    let half_done = label(service, names::DEPLOYMENT) == Some(&release.deployment.to_string())
        && release.app.current_deployment_id != Some(release.deployment)
        && label(service, names::FINGERPRINT) != spec_label(&spec, names::FINGERPRINT);
    if half_done {
        roll_back(parts, id, label(service, names::FINGERPRINT)).await?;
    }
    for tries_left in (0..UPDATE_TRIES).rev() {
        let now = inspect(parts, id).await?;
        // The fingerprint among the labels stands for all that the tasks are made of. The engine leaves zeros out of
        // what it answers, so that whole specifications cannot be compared.
        if now.spec.as_ref().is_some_and(|is| is.labels == spec.labels && is.mode == spec.mode) {
            return Ok(());
        }
        let sent = call("Updating a service", parts.engine.update_service(id, spec.clone(), version(&now), None)).await;
        match sent {
            Err(error) if is_out_of_sequence(&error) && tries_left > 0 => {}
            other => return other.map(drop),
        }
    }
    Ok(())
}

/// Takes back what this rollout did, as soon as the engine answers: one that restarts in mid-rollout would otherwise go
/// on with a release that was called failed.
async fn undo_when_back(
    parts: &Parts,
    release: &Release<'_>,
    before: &BTreeMap<ProcessType, Service>,
) -> Result<(), DeployError> {
    let begun = Instant::now();
    loop {
        match undo(parts, release, before).await {
            Err(error) if error.is_engine_away() && begun.elapsed() < ENGINE_RETURN_LIMIT => {
                tracing::warn!(app = %release.app.slug, %error, "taking a rollout back waits for the engine");
                tokio::time::sleep(ENGINE_RETURN_POLL).await;
            }
            done => return done,
        }
    }
}

/// Takes back what this rollout did, where it did something. Services of a release that is live already (a scale
/// or a restart went wrong) go back only if this rollout changed them; ones it made are removed.
async fn undo(
    parts: &Parts,
    release: &Release<'_>,
    before: &BTreeMap<ProcessType, Service>,
) -> Result<(), DeployError> {
    let is_live = release.app.current_deployment_id == Some(release.deployment);
    for (process, service) in services(parts, &release.app.slug).await? {
        let Some(id) = &service.id else { continue };
        let now = label(&service, names::FINGERPRINT);
        let touched = match before.get(&process) {
            None => true,
            Some(before) => label(before, names::FINGERPRINT) != now,
        };
        let ours = label(&service, names::DEPLOYMENT) == Some(&release.deployment.to_string());
        if ours && (touched || !is_live) && !roll_back(parts, id, now).await? {
            remove(parts, &service).await?;
        }
    }
    Ok(())
}

/// Puts the specification back that a service had before its last update, unless it is another's by now: the engine
/// goes back by itself, too, when it sees a task fail. False where there was none before.
async fn roll_back(parts: &Parts, id: &str, fingerprint: Option<&String>) -> Result<bool, DeployError> {
    for tries_left in (0..UPDATE_TRIES).rev() {
        let now = inspect(parts, id).await?;
        if label(&now, names::FINGERPRINT) != fingerprint {
            return Ok(true);
        }
        let options = UpdateServiceOptions { rollback: Some("previous".to_owned()), ..version(&now) };
        let spec = now.spec.unwrap_or_default();
        match call("Rolling a service back", parts.engine.update_service(id, spec, options, None)).await {
            Err(error) if is_out_of_sequence(&error) && tries_left > 0 => {}
            Err(error) if error.to_string().contains("does not have a previous spec") => return Ok(false),
            other => return other.map(|_| true),
        }
    }
    Ok(true)
}

/// Ends a service's tasks and keeps the service.
pub(crate) async fn stop_service(parts: &Parts, id: &str) -> Result<(), DeployError> {
    for tries_left in (0..UPDATE_TRIES).rev() {
        let now = inspect(parts, id).await?;
        let options = version(&now);
        let replicated = Some(ServiceSpecModeReplicated { replicas: Some(0) });
        let mode = Some(ServiceSpecMode { replicated, ..Default::default() });
        let spec = ServiceSpec { mode, ..now.spec.unwrap_or_default() };
        match call("Stopping a service", parts.engine.update_service(id, spec, options, None)).await {
            Err(error) if is_out_of_sequence(&error) && tries_left > 0 => {}
            other => return other.map(drop),
        }
    }
    Ok(())
}

/// Removes a service; its tasks drain on behind.
pub(crate) async fn remove(parts: &Parts, service: &Service) -> Result<(), DeployError> {
    let Some(id) = &service.id else { return Ok(()) };
    find("Removing a service", parts.engine.delete_service(id)).await.map(drop)
}

async fn inspect(parts: &Parts, id: &str) -> Result<Service, DeployError> {
    call("Looking at a service", parts.engine.inspect_service(id, None)).await
}

pub(crate) fn version(service: &Service) -> UpdateServiceOptions {
    let index = service.version.as_ref().and_then(|version| version.index).unwrap_or_default();
    UpdateServiceOptionsBuilder::new().version(i32::try_from(index).unwrap_or(i32::MAX)).build()
}

pub(crate) fn is_out_of_sequence(error: &DeployError) -> bool {
    error.to_string().contains("update out of sequence")
}

fn spec_label<'a>(spec: &'a ServiceSpec, key: &str) -> Option<&'a String> {
    spec.labels.as_ref().and_then(|labels: &HashMap<_, _>| labels.get(key))
}

/// A label of a service.
pub(crate) fn label<'a>(service: &'a Service, key: &str) -> Option<&'a String> {
    service.spec.as_ref().and_then(|spec| spec_label(spec, key))
}
