//! Apply: make what runs equal to what the store says should run.

use skypanel_core::Result;
use skypanel_core::jobs::Apply;
use skypanel_core::model::{AppStatus, resolve_formation};
use skypanel_core::stream::StreamWriter;
use skypanel_deployer::Release;
use tokio_util::sync::CancellationToken;

use crate::failure::Failure;
use crate::{Job, Worker};

impl Job for Apply {
    async fn run(self, worker: Worker, _attempt: i16) -> Result<()> {
        let log = worker.streams.writer(self.stream).await?;
        let outcome = apply(&self, &worker, &log).await;
        if let Err(Failure::Told { text, .. } | Failure::Passing { text, .. }) = &outcome {
            log.error(text).await;
        }
        log.close(outcome.is_ok()).await
    }
}

async fn apply(job: &Apply, worker: &Worker, log: &StreamWriter) -> Result<(), Failure> {
    let store = &worker.store;
    let app = store.app(job.app).await?;
    if !app.status.should_run() {
        worker.deployer.stop(&app).await?;
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
    let plan = store.plan(app.plan_id).await?;
    let formation = resolve_formation(&artifact.processes, &store.formation(app.id).await?);
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
    store.report_app_status(app.id, AppStatus::Running).await?;
    for (process, replicas) in &formation {
        log.detail(&format!("{process}: {replicas} running")).await;
    }
    Ok(())
}
