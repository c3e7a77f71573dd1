//! Destroy: remove an app with everything it had. The row goes last, so a crash in between is carried on.

use skypanel_core::jobs::{CleanUp, Destroy};
use skypanel_core::{Error, Result};

use crate::failure::chain;
use crate::{Job, Worker};

impl Job for Destroy {
    async fn run(self, worker: Worker, _attempt: i16) -> Result<()> {
        worker
            .deployer
            .destroy(&self.slug)
            .await
            .map_err(|error| Error::System(format!("destroying {}: {}", self.slug, chain(&error))))?;
        worker
            .buildkit
            .purge_cache(self.app)
            .await
            .map_err(|error| Error::System(format!("purging the cache of {}: {}", self.slug, chain(&error))))?;
        worker.store.delete_app(self.app).await?;
        // Its blobs are now referred to by nothing.
        worker.jobs.add(CleanUp::default()).await
    }
}
