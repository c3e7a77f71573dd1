//! Destroy: remove an app with everything it had. The row goes last, so a crash in between is carried on.

use skypanel_core::jobs::{CleanUp, Destroy};
use skypanel_core::stream::StreamWriter;
use skypanel_core::{Error, Result};

use crate::failure::chain;
use crate::{Job, Worker};

impl Job for Destroy {
    async fn run(self, worker: Worker, _attempt: i16) -> Result<()> {
        let log = match worker.store.destruction(self.app).await? {
            Some(stream) => Some(worker.streams.writer(stream).await?),
            None => None,
        };
        match worker.store.app(self.app).await {
            Ok(_) => {
                if let Err(error) = remove(&self, &worker, log.as_ref()).await {
                    // Its followers wait: the queue tries again.
                    tell(log.as_ref(), &format!("It did not work: {error} It is tried again.")).await;
                    return Err(error);
                }
            }
            // An earlier try did it. What bears the name in the engine now would be another app's.
            Err(Error::NotFound(_)) => {}
            Err(error) => return Err(error),
        }
        if let Some(log) = log {
            log.step(&format!("Destroyed {}", self.slug)).await;
            log.close(true).await?;
        }
        // Its blobs are now referred to by nothing.
        worker.jobs.add(CleanUp::default()).await
    }
}

async fn remove(job: &Destroy, worker: &Worker, log: Option<&StreamWriter>) -> Result<()> {
    let failed = |what: &str, error: &(dyn std::error::Error + 'static)| {
        Error::System(format!("{what} {}: {}", job.slug, chain(error)))
    };
    tell(log, "Removing services, network and routes").await;
    worker.deployer.destroy(&job.slug).await.map_err(|error| failed("destroying", &error))?;
    tell(log, "Removing build caches").await;
    worker.buildkit.purge_cache(job.app).await.map_err(|error| failed("purging the cache of", &error))?;
    tell(log, "Removing releases, config vars, domains and logs").await;
    for source in worker.store.sources(job.app).await? {
        worker.blobs.delete(&source).await?;
    }
    worker.store.delete_app(job.app).await
}

async fn tell(log: Option<&StreamWriter>, text: &str) {
    if let Some(log) = log {
        log.detail(text).await;
    }
}
