//! What is to go from the engine: a crashed worker's containers, and the caches of an app on demand or when
//! the app is gone. Only this installation's own things are ever touched.

use std::collections::{HashMap, HashSet};

use bollard::query_parameters::ListContainersOptionsBuilder;
use skypanel_core::model::{AppId, DeploymentId};

use crate::cache::{self, limited};
use crate::{BuildError, Parts, container, dockerfile};

const ACTION: &str = "Removing what an interrupted build left";

/// See [`crate::BuildKit::end_build_of`]; those of all deployments for none.
pub(crate) async fn remove_containers(parts: &Parts, deployment: Option<DeploymentId>) -> Result<(), BuildError> {
    let mut labels =
        vec![format!("skypanel.installation={}", parts.options.installation), "skypanel.role=build".to_owned()];
    labels.extend(deployment.map(|id| format!("skypanel.deployment={id}")));
    let filters = HashMap::from([("label".to_owned(), labels)]);
    let options = ListContainersOptionsBuilder::new().all(true).filters(&filters).build();
    for found in limited(ACTION, parts.engine.list_containers(Some(options))).await? {
        let Some(id) = found.id else { continue };
        container::remove(&parts.engine, &id).await.map_err(BuildError::engine(ACTION))?;
        tracing::info!(container = id, "removed what an interrupted build left");
    }
    Ok(())
}

/// See [`crate::BuildKit::remove_leftovers`].
pub(crate) async fn remove(parts: &Parts) -> Result<(), BuildError> {
    remove_containers(parts, None).await?;
    let apps: HashSet<String> = parts.store.apps(None).await?.iter().map(|app| app.id.to_string()).collect();
    for volume in cache::volumes(parts, None).await? {
        if !apps.contains(&volume.app) {
            limited(ACTION, cache::remove_volume(parts, &volume.name)).await?;
        }
    }
    dockerfile::remove_orphans(parts, &apps).await
}

/// See [`crate::BuildKit::purge_cache`].
pub(crate) async fn purge(parts: &Parts, app: AppId) -> Result<(), BuildError> {
    for volume in cache::volumes(parts, Some(app)).await? {
        limited("Emptying the build cache", cache::remove_volume(parts, &volume.name)).await?;
    }
    dockerfile::remove_images(parts, app, None).await?;
    Ok(parts.store.drop_build_caches(app).await?)
}
