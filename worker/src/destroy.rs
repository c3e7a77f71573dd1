//! Destroy: remove an app with everything it had. The row goes last, so a crash in between is carried on.

use skypanel_core::jobs::{CleanUp, Destroy};
use skypanel_core::{Error, Result};

use crate::failure::chain;
use crate::{Job, Worker};

impl Job for Destroy {
    async fn run(self, worker: Worker, _attempt: i16) -> Result<()> {
        match worker.store.app(self.app).await {
            Ok(_) => remove(&self, &worker).await?,
            // An earlier try did it. What bears the name in the engine now would be another app's.
            Err(Error::NotFound(_)) => {}
            Err(error) => return Err(error),
        }
        // Its blobs are now referred to by nothing.
        worker.jobs.add(CleanUp::default()).await
    }
}

async fn remove(job: &Destroy, worker: &Worker) -> Result<()> {
    let failed = |what: &str, error: &(dyn std::error::Error + 'static)| {
        Error::System(format!("{what} {}: {}", job.slug, chain(error)))
    };
    worker.deployer.destroy(&job.slug).await.map_err(|error| failed("destroying", &error))?;
    worker.buildkit.purge_cache(job.app).await.map_err(|error| failed("purging the cache of", &error))?;
    worker.store.delete_app(job.app).await
}
