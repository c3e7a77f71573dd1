//! Stopping and destroying apps, and removing what a crash left behind. Only what carries this installation's label
//! is ever touched.

use std::collections::BTreeSet;
use std::time::Duration;

use bollard::models::Service;
use bollard::query_parameters::{
    ListContainersOptionsBuilder, ListNetworksOptionsBuilder, ListSecretsOptionsBuilder, ListServicesOptionsBuilder,
    ListVolumesOptionsBuilder, RemoveVolumeOptionsBuilder,
};
use skypanel_core::model::{AppSlug, Application, DeploymentId};
use skypanel_core::store::Store;

use crate::engine::{call, filters, find, status};
use crate::rollout::{label, remove, services, stop_service};
use crate::{DeployError, Deployer, Parts, config_secret, edge, names, one_off, routes};

/// After they ended Swarm still frees their network for a while.
const NETWORK_LIMIT: Duration = Duration::from_mins(1);
const POLL: Duration = Duration::from_millis(100);

impl Deployer {
    /// Ends all processes of an app, one-off ones too, and keeps its services, so that a start is quick. The caller has
    /// set the app's status, from which the route follows.
    pub async fn stop(&self, app: &Application) -> Result<(), DeployError> {
        let parts = &*self.parts;
        for service in services(parts, &app.slug).await?.into_values() {
            if let Some(id) = service.id {
                stop_service(parts, &id).await?;
            }
        }
        parts.wake.notify_one();
        let mut labels = of_app(parts, &app.slug);
        labels.push(names::pair(names::ROLE, names::role::RUN));
        for container in labelled(parts, labels).await? {
            one_off::remove(parts, &container).await?;
        }
        Ok(())
    }

    /// Apps of which something is meant to run, by what the engine says.
    pub async fn running_apps(&self) -> Result<BTreeSet<AppSlug>, DeployError> {
        let parts = &*self.parts;
        let installation = names::pair(names::INSTALLATION, &parts.options.installation);
        let ours = filters([("label", vec![installation])]);
        let options = ListServicesOptionsBuilder::new().filters(&ours).build();
        let services = call("Listing services", parts.engine.list_services(Some(options))).await?;
        let runs = |service: &&Service| {
            let mode = service.spec.as_ref().and_then(|spec| spec.mode.as_ref()?.replicated.as_ref());
            mode.and_then(|mode| mode.replicas).is_some_and(|replicas| replicas > 0)
        };
        let running = services.iter().filter(runs).filter_map(|service| label(service, names::APP)?.parse().ok());
        Ok(running.collect())
    }

    /// Removes everything an app has in the engine, and its route. Done before, it finds nothing to do.
    pub async fn destroy(&self, slug: &AppSlug) -> Result<(), DeployError> {
        let parts = &*self.parts;
        for service in services(parts, slug).await?.values() {
            remove(parts, service).await?;
        }
        parts.wake.notify_one();
        // Nothing is left to drain for: without this they would go on serving for a while.
        for container in containers(parts, slug).await? {
            one_off::remove(parts, &container).await?;
        }
        for secret in config_secret::list(parts, slug).await? {
            if let Some(id) = secret.id {
                config_secret::remove(parts, &id).await?;
            }
        }
        remove_network(parts, slug).await?;
        // One that was just being made when the services went.
        for container in containers(parts, slug).await? {
            one_off::remove(parts, &container).await?;
        }
        remove_volumes(parts, slug).await?;
        let dir = edge::routes_directory(parts);
        let route = dir.join(format!("{slug}.yml"));
        // One that was removed by an attempt that ended then may not have been told of.
        absent_is_fine(std::fs::remove_file(&route))
            .and_then(|()| absent_is_fine(routes::tell(&dir)))
            .map_err(|error| DeployError::Host(format!("The route {} could not be removed: {error}.", route.display())))
    }

    /// Removes what an interrupted process left: one-off processes, secrets that no service refers to, and all that
    /// belongs to apps that are no more. Only while no job runs.
    pub async fn remove_leftovers(&self, store: &Store) -> Result<(), DeployError> {
        let parts = &*self.parts;
        let installation = names::pair(names::INSTALLATION, &parts.options.installation);
        for role in [names::role::RELEASE, names::role::RUN] {
            for container in labelled(parts, vec![installation.clone(), names::pair(names::ROLE, role)]).await? {
                one_off::remove(parts, &container).await?;
            }
        }
        let ours = filters([("label", vec![installation.clone()])]);
        let options = ListSecretsOptionsBuilder::new().filters(&ours).build();
        for secret in call("Listing the config vars' secrets", parts.engine.list_secrets(Some(options))).await? {
            // The engine keeps those that are in use.
            config_secret::remove(parts, secret.id.as_deref().unwrap_or_default()).await?;
        }
        self.remove_orphans(store).await
    }

    /// Removes all that belongs to apps that are no more, such as the network of a one-off process that began while its
    /// app was being destroyed.
    pub async fn remove_orphans(&self, store: &Store) -> Result<(), DeployError> {
        let parts = &*self.parts;
        let installation = names::pair(names::INSTALLATION, &parts.options.installation);
        for slug in slugs_in_engine(parts, &installation).await? {
            // Asked after the engine, and for each anew: one that is being made is known before it has anything there.
            if store.app_by_slug(&slug).await?.is_none() {
                tracing::info!(app = %slug, "removing what is left of an app that is no more");
                self.destroy(&slug).await?;
            }
        }
        Ok(())
    }

    /// Ends what an interrupted try of a deployment left running in the engine of this host: its release command.
    pub async fn end_release_process_of(&self, deployment: DeploymentId) -> Result<(), DeployError> {
        let parts = &*self.parts;
        let labels = vec![
            names::pair(names::INSTALLATION, &parts.options.installation),
            names::pair(names::DEPLOYMENT, &deployment.to_string()),
            names::pair(names::ROLE, names::role::RELEASE),
        ];
        for container in labelled(parts, labels).await? {
            one_off::remove(parts, &container).await?;
        }
        Ok(())
    }
}

/// Ids of an app's containers, running or not.
async fn containers(parts: &Parts, slug: &AppSlug) -> Result<Vec<String>, DeployError> {
    labelled(parts, of_app(parts, slug)).await
}

async fn labelled(parts: &Parts, labels: Vec<String>) -> Result<Vec<String>, DeployError> {
    let ours = filters([("label", labels)]);
    let options = ListContainersOptionsBuilder::new().all(true).filters(&ours).build();
    let found = call("Listing containers", parts.engine.list_containers(Some(options))).await?;
    Ok(found.into_iter().filter_map(|container| container.id).collect())
}

async fn remove_network(parts: &Parts, slug: &AppSlug) -> Result<(), DeployError> {
    let name = names::network(slug);
    let ours = filters([("label", of_app(parts, slug)), ("name", vec![name.clone()])]);
    let options = ListNetworksOptionsBuilder::new().filters(&ours).build();
    let found = call("Listing the app's networks", parts.engine.list_networks(Some(options))).await?;
    for id in found.into_iter().filter_map(|network| network.id) {
        let until_free = async {
            loop {
                match find("Removing the app's network", parts.engine.remove_network(&id)).await {
                    // It is in use as long as a task is being taken down.
                    Err(error) if matches!(status(&error), Some(400 | 403 | 409)) => tokio::time::sleep(POLL).await,
                    other => return other.map(drop),
                }
            }
        };
        tokio::time::timeout(NETWORK_LIMIT, until_free).await.map_err(|_| {
            DeployError::Host(format!("The network {name} is still in use. See: docker network inspect {name}."))
        })??;
    }
    Ok(())
}

async fn remove_volumes(parts: &Parts, slug: &AppSlug) -> Result<(), DeployError> {
    let options = ListVolumesOptionsBuilder::new().filters(&filters([("label", of_app(parts, slug))])).build();
    let found = call("Listing the app's volumes", parts.engine.list_volumes(Some(options))).await?;
    for volume in found.volumes.unwrap_or_default() {
        let options = RemoveVolumeOptionsBuilder::new().force(true).build();
        find("Removing a volume", parts.engine.remove_volume(&volume.name, Some(options))).await?;
    }
    Ok(())
}

/// Apps of this installation that have a service or a network.
async fn slugs_in_engine(parts: &Parts, installation: &str) -> Result<BTreeSet<AppSlug>, DeployError> {
    let ours = filters([("label", vec![installation.to_owned()])]);
    let options = ListServicesOptionsBuilder::new().filters(&ours).build();
    let services = call("Listing services", parts.engine.list_services(Some(options))).await?;
    let options = ListNetworksOptionsBuilder::new().filters(&ours).build();
    let networks = call("Listing networks", parts.engine.list_networks(Some(options))).await?;
    let of_services = services.iter().filter_map(|service| label(service, names::APP));
    let of_networks = networks.iter().filter_map(|network| network.labels.as_ref()?.get(names::APP));
    Ok(of_services.chain(of_networks).filter_map(|slug| slug.parse().ok()).collect())
}

fn of_app(parts: &Parts, slug: &AppSlug) -> Vec<String> {
    vec![names::pair(names::INSTALLATION, &parts.options.installation), names::pair(names::APP, slug.as_str())]
}

/// What is not there needs no removal.
fn absent_is_fine(result: std::io::Result<()>) -> std::io::Result<()> {
    match result {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}
