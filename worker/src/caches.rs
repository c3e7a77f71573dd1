//! Build caches: written to the blob store after a release went live, dropped on demand.

use skypanel_core::jobs::{PurgeCache, SaveCache};
use skypanel_core::{Error, Result};

use crate::failure::chain;
use crate::{Job, Worker};

impl Job for SaveCache {
    async fn run(self, worker: Worker, _attempt: i16) -> Result<()> {
        let deployment = match worker.store.deployment(self.deployment).await {
            Ok(deployment) => deployment,
            Err(Error::NotFound(_)) => return Ok(()),
            Err(error) => return Err(error),
        };
        let app = worker.store.app(deployment.application_id).await?;
        let settings = worker.store.settings().await?;
        worker
            .buildkit
            .save_cache(&app, &deployment, &settings)
            .await
            .map_err(|error| Error::System(format!("saving the build cache of {}: {}", app.slug, chain(&error))))
    }
}

impl Job for PurgeCache {
    async fn run(self, worker: Worker, _attempt: i16) -> Result<()> {
        let log = worker.streams.writer(self.stream).await?;
        let purged = worker.buildkit.purge_cache(self.app).await;
        worker.store.drop_build_caches(self.app).await?;
        match &purged {
            Ok(()) => log.detail("The build cache is empty. The next build starts without one.").await,
            Err(error) => log.error(&error.to_string()).await,
        }
        log.close(purged.is_ok()).await
    }
}
