//! Apply: make what runs equal to what the store says should run.

use skypanel_core::jobs::{Apply, Payload as _};
use skypanel_core::model::{AppStatus, resolve_formation};
use skypanel_core::store::{Rollout, TakenBack};
use skypanel_core::stream::StreamWriter;
use skypanel_core::{Error, Result};
use skypanel_deployer::Release;
use tokio_util::sync::CancellationToken;

use crate::failure::Failure;
use crate::{Job, Worker};

impl Job for Apply {
    async fn run(self, worker: Worker, attempt: i16) -> Result<()> {
        let log = worker.streams.writer(self.stream).await?;
        let failure = match apply(&self, &worker, &log).await {
            Ok(()) => return log.close(true).await,
            Err(failure) => failure,
        };
        match failure {
            Failure::Passing { text, .. } => {
                log.error(&text).await;
                if attempt < Self::ATTEMPTS {
                    log.step("This will be tried again").await;
                    return Err(Error::System(text));
                }
                // What runs is not known. The hourly clean-up has it applied once more.
            }
            Failure::Told { text, .. } => {
                log.error(&text).await;
                take_back(&self, &worker, &log).await?;
            }
            // The app is being destroyed, which says so itself.
            Failure::Cancelled => {}
        }
        log.close(false).await
    }
}

/// Asks no more for what could not be rolled out, and makes sure that what was asked for before runs.
async fn take_back(job: &Apply, worker: &Worker, log: &StreamWriter) -> Result<()> {
    let words = match worker.store.take_back_rollout(job.app).await {
        Ok(TakenBack::Nothing) | Err(Error::NotFound(_)) => return Ok(()),
        Ok(TakenBack::Terms) => "The change was taken back: the plan, its price and the scale are as before.",
        Ok(TakenBack::Stopped) => "The app is stopped. `logs` shows why it did not start; `ps:start` tries again.",
        Err(error) => return Err(error),
    };
    log.error(words).await;
    Ok(())
}

async fn apply(job: &Apply, worker: &Worker, log: &StreamWriter) -> Result<(), Failure> {
    let store = &worker.store;
    let app = store.app(job.app).await?;
    if !app.status.should_run() {
        worker.deployer.stop(&app).await?;
        store.end_rollouts(app.id).await?;
        log.detail("Stopped.").await;
        return Ok(());
    }
    let Some(current) = app.current_deployment_id else {
        // What a first release that was cancelled or interrupted may have begun must not go on by itself.
        worker.deployer.stop(&app).await?;
        log.detail("Nothing was released yet; the change counts from the first push on.").await;
        return Ok(());
    };
    let deployment = store.deployment(current).await?;
    let (Some(artifact), Some(version)) = (deployment.artifact(), deployment.version) else {
        return Err(Failure::Told {
            code: "NOT_FOUND",
            text: "The current release's image is not kept any more. Push again.".to_owned(),
        });
    };
    let settings = store.settings().await?;
    let (config_version, config) = store.config_vars(app.id).await?;
    let Rollout { app, scaled, given_up } = store.begin_rollout(app.id).await?;
    let plan = store.plan(app.plan_id).await?;
    let mut formation = resolve_formation(&artifact.processes, &scaled);
    for (process, replicas) in &mut formation {
        if given_up.contains(process) {
            *replicas = 0;
            log.detail(&format!("{process} crashed too often and is not started; `ps:restart` tries again")).await;
        }
    }
    let release = Release {
        app: &app,
        plan: &plan,
        deployment: current,
        version,
        artifact: &artifact,
        formation: &formation,
        config: &config,
        config_version,
        settings: &settings,
        log,
        cancel: &CancellationToken::new(),
    };
    worker.deployer.rollout(&release).await?;
    store.complete_rollout(app.id).await?;
    store.report_app_status(app.id, AppStatus::Running).await?;
    for (process, replicas) in &formation {
        log.detail(&format!("{process}: {replicas} running")).await;
    }
    Ok(())
}
