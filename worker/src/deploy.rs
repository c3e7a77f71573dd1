//! Build and release: from the stored source (or an earlier artifact) to a live, routed app.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use skypanel_buildkit::BuildRequest;
use skypanel_core::jobs::{CleanUp, Deploy, SaveCache};
use skypanel_core::logs::RELEASE_STEP;
use skypanel_core::model::{
    AppStatus, Application, Artifact, Deployment, DeploymentId, DeploymentStatus, ProcessType, Stage, Trigger,
    resolve_formation,
};
use skypanel_core::settings::Settings;
use skypanel_core::store::{Store, Turn};
use skypanel_core::stream::StreamWriter;
use skypanel_core::{Error, Result};
use skypanel_deployer::Release;
use tokio_util::sync::CancellationToken;

use crate::failure::{Failure, chain};
use crate::{Job, Worker};

/// A deployment whose worker died this often is given up: it may be what kills the workers.
const MAX_ATTEMPTS: i16 = 3;
/// Pauses before a build is tried again whose failure was ours, and so may have passed.
const BUILD_RETRIES: [Duration; 2] = [Duration::from_secs(2), Duration::from_secs(8)];
/// How often a running deployment looks whether it was cancelled.
const CANCEL_CHECK: Duration = Duration::from_millis(500);

impl Job for Deploy {
    async fn run(self, worker: Worker, attempt: i16) -> Result<()> {
        let mut deployment = match worker.store.deployment(self.deployment).await {
            Ok(deployment) => deployment,
            // Its app was destroyed while it waited.
            Err(Error::NotFound(_)) => return Ok(()),
            Err(error) => return Err(error),
        };
        let log = worker.streams.writer(deployment.id.into()).await?;
        let app = worker.store.app(deployment.application_id).await?;
        if attempt > 1 {
            end_leftovers(&worker, deployment.id).await?;
        }
        if deployment.status.is_final() {
            if attempt > 1 {
                // It ended after the try before this one, which died: what runs may be of another release.
                worker.apply(app.id).await?;
            }
            end_stream_of_finished(&worker.store, &deployment, log).await?;
            worker.remove_old_sources(app.id).await;
            return Ok(());
        }
        // Also what is fetched takes time and room, so the turn comes before.
        let builds =
            deployment.artifact().is_none() && !matches!(deployment.trigger, Trigger::Rollback | Trigger::Config);
        if let Turn::Later { again } = worker.store.take_turn(deployment.id, builds).await? {
            if !again {
                log.step("Waiting for other builds of the organisation, which builds as much as it may").await;
            }
            log.leave().await;
            return Ok(());
        }
        if deployment.trigger == Trigger::Config {
            // It is about what is live when its turn comes: that need not be what was live when it was asked for.
            let Some(live) = app.current_deployment_id else {
                return end_without_release(&worker, &deployment, log).await;
            };
            worker.store.set_parent(deployment.id, live).await?;
            deployment.parent_id = Some(live);
        }
        if attempt > 1 {
            log.step("Skypanel was interrupted; starting this deployment again").await;
        }
        let has_begun_to_roll = AtomicBool::new(false);
        let outcome = if attempt > MAX_ATTEMPTS {
            Err(Failure::Told {
                code: "DEPLOY_FAILED",
                text: format!("Skypanel was interrupted {MAX_ATTEMPTS} times during this deployment and gave it up."),
            })
        } else {
            let cancel = CancellationToken::new();
            let work = Run {
                worker: &worker,
                app: &app,
                deployment: &deployment,
                log: &log,
                cancel: &cancel,
                has_begun_to_roll: &has_begun_to_roll,
            };
            tokio::select! {
                biased;
                outcome = Box::pin(work.deploy()) => outcome,
                never = watch_for_cancel(&worker.store, deployment.id, &cancel) => match never {},
            }
        };
        // What was interrupted, or cancelled or struck by trouble of ours when it had rolled out already, has to be
        // taken back. A rollout that failed for the app's sake has done so itself.
        let has_rolled = attempt > MAX_ATTEMPTS || has_begun_to_roll.load(Ordering::Relaxed);
        if outcome.is_err() && (has_rolled || matches!(outcome, Err(Failure::Cancelled))) {
            worker.store.forget_rollout(app.id).await?;
            worker.apply(app.id).await?;
        }
        let failed = outcome.is_err();
        conclude(&worker, &app, &deployment, log, outcome).await?;
        if failed { worker.store.end_build(deployment.id).await } else { Ok(()) }
    }
}

/// Ends what the try before this one left running, whose worker died: nobody watches its limits, and it must not go on
/// beside this try.
async fn end_leftovers(worker: &Worker, deployment: DeploymentId) -> Result<()> {
    let failed = |error: &(dyn std::error::Error + 'static)| {
        Error::System(format!("ending what an interrupted deployment left: {}", chain(error)))
    };
    worker.buildkit.end_build_of(deployment).await.map_err(|error| failed(&error))?;
    worker.deployer.end_release_process_of(deployment).await.map_err(|error| failed(&error))
}

/// Ends a change of config vars that was to follow a first release, which failed: there is nothing to run with it.
async fn end_without_release(worker: &Worker, deployment: &Deployment, log: StreamWriter) -> Result<()> {
    let why = "Nothing was released yet. The change counts from the first release on.";
    worker.store.finish_deployment(deployment.id, DeploymentStatus::Cancelled, Some(("CANCELLED", why))).await?;
    let ended = worker.store.deployment(deployment.id).await?;
    end_stream_of_finished(&worker.store, &ended, log).await?;
    worker.store.end_build(deployment.id).await
}

/// A deployment that was cancelled while it waited still owes its followers an end.
async fn end_stream_of_finished(store: &Store, deployment: &Deployment, log: StreamWriter) -> Result<()> {
    let (_, is_told) = store.stream_text(log.id()).await?;
    if deployment.status == DeploymentStatus::Cancelled && !is_told {
        log.error(deployment.error.as_deref().unwrap_or("Cancelled.")).await;
    }
    log.close(deployment.status == DeploymentStatus::Succeeded).await
}

/// Cancels `cancel` once the deployment has become final by another's hand. Never returns.
async fn watch_for_cancel(store: &Store, id: DeploymentId, cancel: &CancellationToken) -> std::convert::Infallible {
    loop {
        tokio::time::sleep(CANCEL_CHECK).await;
        match store.deployment(id).await {
            Ok(deployment) if !deployment.status.is_final() => {}
            Err(Error::Database(error)) => tracing::warn!(%error, "could not look whether a deployment was cancelled"),
            _ => cancel.cancel(),
        }
    }
}

/// Writes down how it ended, if that is not done yet, and tells the followers.
async fn conclude(
    worker: &Worker,
    app: &Application,
    deployment: &Deployment,
    log: StreamWriter,
    outcome: Result<(), Failure>,
) -> Result<()> {
    let store = &worker.store;
    let succeeded = outcome.is_ok();
    match outcome {
        Ok(()) => {
            let keep = store.settings().await?.releases_keep;
            if !store.prune_releases(app.id, keep).await?.is_empty() {
                worker.jobs.add(CleanUp::default()).await?;
            }
        }
        Err(failure) => {
            let serves = |app: Application| app.current_deployment_id.is_some() && app.status.should_run();
            let has_crashed = store.given_up(app.id).await.is_ok_and(|given_up| !given_up.is_empty());
            let serves = store.app(app.id).await.is_ok_and(serves) && !has_crashed;
            let (status, code, text) = match failure {
                Failure::Told { code, text } | Failure::Passing { code, text } => {
                    (DeploymentStatus::Failed, code, text)
                }
                Failure::Cancelled => {
                    // Who cancelled it has said why.
                    let why = store.deployment(deployment.id).await.ok().and_then(|deployment| deployment.error);
                    (DeploymentStatus::Cancelled, "CANCELLED", why.unwrap_or_else(|| "Cancelled.".to_owned()))
                }
            };
            log.error(&text).await;
            if serves {
                log.error("The release that ran before goes on serving.").await;
            }
            store.finish_deployment(deployment.id, status, Some((code, &text))).await?;
        }
    }
    log.close(succeeded).await?;
    worker.remove_old_sources(app.id).await;
    Ok(())
}

/// One run of one deployment.
struct Run<'a> {
    worker: &'a Worker,
    app: &'a Application,
    deployment: &'a Deployment,
    log: &'a StreamWriter,
    cancel: &'a CancellationToken,
    /// Set once processes of it may run.
    has_begun_to_roll: &'a AtomicBool,
}

impl Run<'_> {
    async fn deploy(&self) -> Result<(), Failure> {
        self.worker.store.ensure_may_run(self.app.organization_id).await?;
        let settings = self.worker.store.settings().await?;
        let (artifact, built) = if let Some(artifact) = self.existing_artifact().await? {
            (artifact, false)
        } else {
            let fetched = self.fetch().await?;
            (self.build(fetched.as_ref().unwrap_or(self.deployment), &settings).await?, true)
        };
        self.worker.store.set_artifact(self.deployment.id, &artifact).await?;
        self.worker.store.end_build(self.deployment.id).await?;
        if !built {
            // Clean-up may have dropped the release between our reading of it and our writing down that we need it.
            self.existing_artifact().await?;
        }
        Box::pin(self.release(&settings, &artifact)).await?;
        if built && settings.cache_enabled {
            self.worker.jobs.add(SaveCache { app: self.app.id, deployment: self.deployment.id }).await?;
        }
        Ok(())
    }

    /// The artifact to release again, for rollbacks and config changes, or the one an interrupted run made.
    async fn existing_artifact(&self) -> Result<Option<Artifact>, Failure> {
        match (self.deployment.trigger, self.deployment.artifact()) {
            // An interrupted run may have begun with what is not live any more.
            (Trigger::Config, _) | (Trigger::Rollback, None) => {}
            (_, artifact) => return Ok(artifact),
        }
        let gone = || Failure::Told {
            code: "NOT_FOUND",
            text: "The release to run again is not kept any more. `releases` lists what is there.".to_owned(),
        };
        let parent = self.worker.store.deployment(self.deployment.parent_id.ok_or_else(gone)?).await?;
        Ok(Some(parent.artifact().ok_or_else(gone)?))
    }

    /// Fetches the source of a deployment that was not pushed, and gives the deployment as it is known then.
    async fn fetch(&self) -> Result<Option<Deployment>, Failure> {
        let fetcher = self.worker.fetcher();
        let Some(source) = fetcher.missing(self.deployment).await? else { return Ok(None) };
        let fetch = async {
            tokio::select! {
                fetched = fetcher.fetch(self.app, self.deployment, source, self.log) => fetched.map_err(Failure::from),
                () = self.cancel.cancelled() => Err(Failure::Cancelled),
            }
        };
        self.stage(Stage::Receive, DeploymentStatus::Building, fetch).await?;
        let fetched = self.worker.store.deployment(self.deployment.id).await?;
        if fetched.status.is_final() { Err(Failure::Cancelled) } else { Ok(Some(fetched)) }
    }

    async fn build(&self, deployment: &Deployment, settings: &Settings) -> Result<Artifact, Failure> {
        let (_, config) = self.worker.store.config_vars(self.app.id).await?;
        let request =
            BuildRequest { app: self.app, deployment, settings, config: &config, log: self.log, cancel: self.cancel };
        if self.app.current_deployment_id.is_none() {
            self.worker.store.report_app_status(self.app.id, AppStatus::Building).await?;
        }
        for pause in BUILD_RETRIES {
            match self.build_and_package(&request).await {
                Err(Failure::Passing { text, .. }) => self.log.error(&text).await,
                outcome => return outcome,
            }
            self.log.step(&format!("Building again in {} s", pause.as_secs())).await;
            tokio::select! {
                () = self.cancel.cancelled() => return Err(Failure::Cancelled),
                () = tokio::time::sleep(pause) => {}
            }
        }
        self.build_and_package(&request).await
    }

    async fn build_and_package(&self, request: &BuildRequest<'_>) -> Result<Artifact, Failure> {
        let kit = &self.worker.buildkit;
        let build = async { kit.build(request).await.map_err(Failure::from) };
        let built = self.stage(Stage::Build, DeploymentStatus::Building, build).await?;
        let package = async { kit.package(request, built).await.map_err(Failure::from) };
        self.stage(Stage::Package, DeploymentStatus::Packaging, package).await
    }

    async fn release(&self, settings: &Settings, artifact: &Artifact) -> Result<(), Failure> {
        let store = &self.worker.store;
        let started = Instant::now();
        let (config_version, config) = store.config_vars(self.app.id).await?;
        let version = store.assign_version(self.deployment.id, config_version).await?;
        let plan = store.plan(self.app.plan_id).await?;
        let formation = resolve_formation(&artifact.processes, &store.formation(self.app.id).await?);
        let release = Release {
            app: self.app,
            plan: &plan,
            deployment: self.deployment.id,
            version,
            artifact,
            formation: &formation,
            config: &config,
            config_version,
            settings,
            log: self.log,
            cancel: self.cancel,
        };
        let deployer = &self.worker.deployer;
        if artifact.processes.contains_key(&ProcessType::release()) && !self.has_run_release_command().await? {
            self.log.step(RELEASE_STEP).await;
            let run = async { deployer.run_release_process(&release).await.map_err(Failure::from) };
            self.stage(Stage::Release, DeploymentStatus::Releasing, run).await?;
        }
        // Stopped or suspended, before or while it was built: it must not start by itself.
        let runs = store.report_app_status(self.app.id, AppStatus::Deploying).await?;
        if runs {
            self.log.step(&format!("Launching {version}")).await;
            // Scaled or moved to another plan while it was built: what counts is what is asked for now.
            let now = store.begin_rollout(self.app.id).await?;
            self.has_begun_to_roll.store(true, Ordering::Relaxed);
            let plan = store.plan(now.app.plan_id).await?;
            let formation = resolve_formation(&artifact.processes, &now.scaled);
            let release = Release { app: &now.app, plan: &plan, formation: &formation, ..release };
            let rollout = async { deployer.rollout(&release).await.map_err(Failure::from) };
            let rolled = self.stage(Stage::Deploy, DeploymentStatus::Deploying, rollout).await;
            if let Err(Failure::Told { .. }) = &rolled {
                // It has put back what it found, which is left alone: nothing else was rolled out.
                self.has_begun_to_roll.store(false, Ordering::Relaxed);
                store.forget_rollout(self.app.id).await?;
            }
            rolled?;
        }
        if !store.complete_deployment(self.deployment.id).await? {
            return Err(Failure::Cancelled);
        }
        if !runs {
            let why = match store.app(self.app.id).await?.status {
                AppStatus::Suspended => "The app is suspended; it starts with this release once that is lifted.",
                _ => "The app is stopped; `ps:start` starts it.",
            };
            self.log.detail(&format!("{version} is ready. {why}")).await;
            return Ok(());
        }
        if store.app(self.app.id).await?.status != AppStatus::Running {
            // The job that stops its processes waits behind this one.
            self.log.detail(&format!("{version} is ready. The app was stopped meanwhile; `ps:start` starts it.")).await;
            return Ok(());
        }
        let took = started.elapsed().as_secs_f32();
        if formation.get(&ProcessType::web()).is_some_and(|replicas| *replicas > 0) {
            let address = self.worker.addresses.of(&self.app.subdomain, &settings.apps_default_domain);
            self.log.detail(&format!("{address} is live ({version}, rolled out in {took:.1} s)")).await;
        } else {
            self.log.detail(&format!("{version} is running (rolled out in {took:.1} s)")).await;
        }
        Ok(())
    }

    /// Whether an earlier try of this deployment, which was interrupted later, ran the release command to its end.
    /// It runs once, but for a crash between that end and its being written down.
    async fn has_run_release_command(&self) -> Result<bool> {
        let stages = self.worker.store.stages(self.deployment.id).await?;
        Ok(stages.iter().any(|stage| stage.stage == Stage::Release && stage.finished_at.is_some() && !stage.failed))
    }

    /// Runs one stage with its status and its times written down; stops before it when cancelled.
    async fn stage<T>(
        &self,
        stage: Stage,
        status: DeploymentStatus,
        work: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Failure> {
        let store = &self.worker.store;
        let id = self.deployment.id;
        if !store.advance_deployment(id, status).await? {
            return Err(Failure::Cancelled);
        }
        store.start_stage(id, stage, chrono::Utc::now()).await?;
        let outcome = work.await;
        store.finish_stage(id, stage, outcome.is_err()).await?;
        match outcome {
            Err(_) if self.cancel.is_cancelled() => Err(Failure::Cancelled),
            outcome => outcome,
        }
    }
}
