//! Clean-up: old releases, blobs that nothing refers to, caches out of their time, old streams.

use std::collections::HashSet;

use chrono::{TimeDelta, Utc};
use serde::Deserialize;
use skypanel_core::Result;
use skypanel_core::blob::{BlobError, BlobKey, remove_unused};
use skypanel_core::jobs::{CleanUp, StartAgain};
use skypanel_core::model::{AppStatus, Sha256Digest};
use tokio::io::AsyncReadExt as _;

use crate::failure::chain;
use crate::{Job, Worker};

/// A blob that was stored or reused this little before, beside the time a build may take, may belong to a build that
/// has not written it down yet.
const MIN_AGE: TimeDelta = TimeDelta::hours(2);
/// Rules of alerts look back a few minutes.
const API_ANSWERS_KEPT: TimeDelta = TimeDelta::hours(24);
/// An image manifest is smaller than this.
const MAX_MANIFEST: u64 = 4 * 1024 * 1024;

impl Job for CleanUp {
    async fn run(self, worker: Worker, _attempt: i16) -> Result<()> {
        worker.recover().await?;
        reconcile(&worker).await?;
        let settings = worker.store.settings().await?;
        for app in worker.store.apps(None).await? {
            let pruned = worker.store.prune_releases(app.id, settings.releases_keep).await?;
            if !pruned.is_empty() {
                tracing::info!(app = %app.slug, releases = pruned.len(), "dropped old releases");
            }
            worker.remove_old_sources(app.id).await;
        }
        worker.store.expire_build_caches(settings.cache_ttl_days).await?;
        worker.store.drop_old_streams().await?;
        worker.store.drop_old_sessions().await?;
        let kept = TimeDelta::days(i64::try_from(settings.alerts_keep_days).unwrap_or(i64::from(i32::MAX)));
        let now = worker.store.clock().now();
        worker.store.drop_old_alerts(now - kept).await?;
        worker.store.drop_old_api_answers(now - API_ANSWERS_KEPT).await?;
        if let Err(error) = worker.deployer.remove_orphans(&worker.store).await {
            tracing::warn!(error = %chain(&error), "what is left of apps that are no more could not be removed");
        }
        let images: HashSet<Sha256Digest> = worker.store.images_in_use().await?.into_iter().collect();
        let removed = worker.deployer.remove_old_images(&images).await;
        match removed {
            Ok(0) => {}
            Ok(removed) => tracing::info!(images = removed, "removed images of releases that are not kept"),
            // The engine may be busy; blobs are worth collecting all the same.
            Err(error) => tracing::warn!(error = %chain(&error), "old images could not be removed"),
        }
        let build = TimeDelta::try_seconds(i64::try_from(settings.build_timeout_seconds).unwrap_or(i64::MAX));
        collect_blobs(&worker, images, MIN_AGE + build.unwrap_or(MIN_AGE)).await
    }
}

/// Has what the store says carried out once more where the engine says something else, or where it is not known what
/// runs: an earlier try met trouble with the engine to its end.
async fn reconcile(worker: &Worker) -> Result<()> {
    let running = match worker.deployer.running_apps().await {
        Ok(running) => running,
        Err(error) => {
            tracing::warn!(error = %chain(&error), "what runs could not be compared with what should");
            return Ok(());
        }
    };
    let in_doubt = worker.store.apps_in_doubt().await?;
    for app in worker.store.apps(None).await? {
        let runs_on = !app.status.should_run() && running.contains(&app.slug);
        if app.status != AppStatus::Deleting && (runs_on || in_doubt.contains(&app.id)) {
            tracing::warn!(app = %app.slug, "what runs is not what should; applying it once more");
            worker.apply(app.id).await?;
        }
    }
    start_missing(worker).await
}

/// Has replicas started again that the engine gave up and of which no agent told: it was away, or the store was.
async fn start_missing(worker: &Worker) -> Result<()> {
    let missing = match worker.deployer.missing_replicas().await {
        Ok(missing) => missing,
        Err(error) => {
            tracing::warn!(error = %chain(&error), "replicas that are missing could not be looked for");
            return Ok(());
        }
    };
    for (slug, process) in missing {
        if let Some(app) = worker.store.app_by_slug(&slug).await? {
            // 0 is no replica's number, so that no start is put off or brought forward by this one.
            worker.jobs.add(StartAgain { app: app.id, process, replica: 0 }).await?;
        }
    }
    Ok(())
}

async fn collect_blobs(worker: &Worker, images: HashSet<Sha256Digest>, age: TimeDelta) -> Result<()> {
    let mut needed: HashSet<BlobKey> = HashSet::new();
    for image in images.into_iter().chain(worker.buildkit.images_in_use()) {
        for digest in references(worker, image).await? {
            needed.extend([BlobKey::image(digest), BlobKey::slug(digest), BlobKey::layer(digest)]);
        }
        needed.insert(BlobKey::image(image));
    }
    needed.extend(worker.store.caches_in_use().await?.into_iter().map(BlobKey::cache));
    needed.extend(worker.store.sources_in_use().await?);
    let mut removed = 0u64;
    for prefix in [BlobKey::SLUGS, BlobKey::LAYERS, BlobKey::IMAGES, BlobKey::CACHES, BlobKey::SOURCES] {
        for blob in worker.blobs.list(prefix).await? {
            // Old by the list; a build may have found it since, which only the removal itself can tell.
            let unused = !needed.contains(&blob.key) && Utc::now() - blob.modified > age;
            if unused && remove_unused(&worker.store, &*worker.blobs, &blob.key, age).await? {
                removed += blob.bytes;
            }
        }
    }
    if removed > 0 {
        tracing::info!(bytes = removed, "removed blobs that nothing refers to");
    }
    Ok(())
}

/// Configuration and layers of an image. A manifest that is gone refers to nothing.
async fn references(worker: &Worker, image: Sha256Digest) -> Result<Vec<Sha256Digest>> {
    #[derive(Deserialize)]
    struct Manifest {
        config: Descriptor,
        layers: Vec<Descriptor>,
    }
    #[derive(Deserialize)]
    struct Descriptor {
        digest: Sha256Digest,
    }
    let reader = match worker.blobs.get(&BlobKey::image(image)).await {
        Ok((reader, _)) => reader,
        Err(BlobError::Missing(_)) => return Ok(Vec::new()),
        Err(error) => return Err(error.into()),
    };
    let mut json = Vec::new();
    let key = BlobKey::image(image);
    reader
        .take(MAX_MANIFEST)
        .read_to_end(&mut json)
        .await
        .map_err(|source| BlobError::Disk { action: format!("Reading {key}"), source })?;
    let manifest: Manifest = serde_json::from_slice(&json)
        .map_err(|error| skypanel_core::Error::System(format!("The image manifest {key} is damaged: {error}.")))?;
    Ok(manifest.layers.into_iter().chain([manifest.config]).map(|part| part.digest).collect())
}
