//! Start again: after its pause, have the engine start what it has given up after a few quick tries of its own.

use skypanel_core::jobs::StartAgain;
use skypanel_core::store::StartAgainNow;
use skypanel_core::{Error, Result};

use crate::failure::chain;
use crate::{Job, Worker};

impl Job for StartAgain {
    async fn run(self, worker: Worker, _attempt: i16) -> Result<()> {
        let failed = |error: &(dyn std::error::Error + 'static)| {
            Error::System(format!("starting {} of {} again: {}", self.process, self.app, chain(error)))
        };
        let app = match worker.store.app(self.app).await {
            Ok(app) => app,
            Err(Error::NotFound(_)) => return Ok(()),
            Err(error) => return Err(error),
        };
        // Looked at before the store is asked: a rollout that begins in between changes it, and then this does nothing.
        let standing = worker.deployer.standing(&app, &self.process).await.map_err(|error| failed(&error))?;
        let Some(standing) = standing else { return Ok(()) };
        match worker.store.may_start_again(self.app, &self.process).await? {
            StartAgainNow::Yes => worker.deployer.start_again(standing).await.map_err(|error| failed(&error)),
            StartAgainNow::Later => worker.store.start_again_later(self).await,
            StartAgainNow::No => Ok(()),
        }
    }
}
