//! The job handlers: build and release, apply, destroy, caches, clean-up. Each is safe to run twice; the queue
//! runs the jobs of one app one after the other and gives the jobs of a worker that died to another.

mod alerts;
mod apply;
mod billing;
mod caches;
mod clean_up;
mod deploy;
mod destroy;
mod domains;
mod failure;
mod fetch;
mod sources;
mod start_again;

use std::sync::Arc;
use std::time::Duration;

use graphile_worker::{IntoTaskHandlerResult, TaskHandler, WorkerContext, WorkerOptions as QueueOptions};
use serde::{Deserialize, Serialize};
use skypanel_buildkit::BuildKit;
use skypanel_core::alerts::rules::Outside;
use skypanel_core::blob::Blobs;
use skypanel_core::jobs::{self, Jobs, Payload};
use skypanel_core::model::{AddressFormat, AppId, AppStatus, StreamId};
use skypanel_core::repository::GitClient;
use skypanel_core::store::Store;
use skypanel_core::stream::Streams;
use skypanel_core::{Error, Result, request};
use skypanel_deployer::Deployer;
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

pub use fetch::Fetcher;

/// A worker that died is noticed after this long without a heartbeat.
const DEAD_AFTER: Duration = Duration::from_secs(20);
const HEARTBEAT: Duration = Duration::from_secs(5);
/// Time running jobs get to end when Skypanel is told to stop; after that another worker does them again.
const STOP_GRACE: Duration = Duration::from_secs(20);

/// Everything a job may need. Cheap to clone.
#[derive(Clone)]
pub struct Worker {
    inner: Arc<Parts>,
}

/// What a worker is made of.
pub struct Parts {
    /// The platform's state.
    pub store: Store,
    /// Sources, slugs, images, caches.
    pub blobs: Blobs,
    /// To add jobs that follow from others.
    pub jobs: Jobs,
    /// Where progress is told.
    pub streams: Streams,
    /// The way to repositories elsewhere.
    pub git: GitClient,
    /// Source to image.
    pub buildkit: BuildKit,
    /// Image to running app.
    pub deployer: Deployer,
    /// What the rules of alerts look at beside the store.
    pub outside: Outside,
    /// Most jobs at once.
    pub concurrency: usize,
    /// How an app's address is told to its users.
    pub addresses: AddressFormat,
}

impl Worker {
    /// A worker of these parts.
    pub fn new(parts: Parts) -> Self {
        Self { inner: Arc::new(parts) }
    }

    /// Enqueues the jobs of deployments and deletions that have none: a crash can come between the two. Jobs that
    /// are there stay as they are.
    pub async fn recover(&self) -> Result<()> {
        match tokio::task::spawn_blocking(skypanel_core::repository::remove_leftovers).await {
            Ok(Ok(0)) => {}
            Ok(Ok(removed)) => tracing::info!(removed, "removed what interrupted fetches left"),
            Ok(Err(error)) => tracing::warn!(%error, "could not look for what interrupted fetches left"),
            Err(error) => tracing::warn!(%error, "the removal of what interrupted fetches left broke down"),
        }
        for deployment in self.store.all_unfinished_deployments().await? {
            let deploy = jobs::Deploy { app: deployment.application_id, deployment: deployment.id };
            self.jobs.add_if_missing(deploy).await?;
        }
        // Hours that ended while nothing ran here.
        self.jobs.add_if_missing(jobs::SettleUsage {}).await?;
        for app in self.store.apps(None).await? {
            if app.status == AppStatus::Deleting {
                self.jobs.add_if_missing(jobs::Destroy { app: app.id, slug: app.slug }).await?;
            }
        }
        Ok(())
    }

    /// Takes jobs until `stop` is cancelled, then lets the running ones end.
    pub async fn run(self, stop: CancellationToken) -> Result<()> {
        let queue = QueueOptions::default()
            .pg_pool(self.store.pool().clone())
            .schema(jobs::SCHEMA)
            .concurrency(self.concurrency)
            .heartbeat_interval(HEARTBEAT)
            .sweep_interval(HEARTBEAT)
            .sweep_threshold(DEAD_AFTER)
            .recovery_delay(Duration::ZERO)
            .listen_os_shutdown_signals(false)
            .shutdown_signal(async move { stop.cancelled().await })
            .shutdown_grace_period(STOP_GRACE)
            .shutdown_interrupted_job_retry_delay(Duration::ZERO)
            .define_job::<Task<jobs::Deploy>>()
            .define_job::<Task<jobs::Apply>>()
            .define_job::<Task<jobs::StartAgain>>()
            .define_job::<Task<jobs::Destroy>>()
            .define_job::<Task<jobs::PurgeCache>>()
            .define_job::<Task<jobs::SaveCache>>()
            .define_job::<Task<jobs::CleanUp>>()
            .define_job::<Task<jobs::ReportStatus>>()
            .define_job::<Task<jobs::SettleUsage>>()
            .define_job::<Task<jobs::CheckDomains>>()
            .define_job::<Task<jobs::CheckAlerts>>()
            .define_job::<Task<jobs::SendNotification>>()
            .with_cron(schedule().as_str())
            .map_err(|error| Error::System(format!("The schedule of the worker is broken: {error}.")))?
            .add_extension(self)
            .init()
            .await
            .map_err(|error| Error::System(format!("The worker could not start: {error}.")))?;
        queue.run().await.map_err(|error| Error::System(format!("The worker stopped: {error}.")))
    }
}

impl Worker {
    /// Enqueues what makes an app run as the store says.
    async fn apply(&self, app: AppId) -> Result<()> {
        let stream = StreamId::new();
        self.streams.create(stream, app).await?;
        self.jobs.add(jobs::Apply { app, stream }).await
    }

    fn fetcher(&self) -> Fetcher {
        Fetcher { store: self.store.clone(), blobs: self.blobs.clone(), git: self.git.clone() }
    }
}

impl std::fmt::Debug for Worker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Worker")
    }
}

impl std::ops::Deref for Worker {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.inner
    }
}

/// What is done without being asked for, and when by the machine's clock. Hours are settled within minutes of their end,
/// whatever that clock says and however far its time zone's hours are from those of UTC.
fn schedule() -> String {
    [
        scheduled::<jobs::CheckDomains>("* * * * *", "domains"),
        scheduled::<jobs::CheckAlerts>("* * * * *", "alerts"),
        scheduled::<jobs::SettleUsage>("*/5 * * * *", "settlement"),
        scheduled::<jobs::CleanUp>("17 * * * *", "hourly_clean_up"),
    ]
    .join("\n")
}

/// A line of the schedule. Like a job that is added by hand, it waits for those of its queue, and takes the place of one of
/// its key that waits: so no two of a kind run at once, however long one takes.
fn scheduled<P: Payload + Default>(times: &str, id: &str) -> String {
    let job = P::default();
    let (queue, key) = (job.queue().unwrap_or_default(), job.key().unwrap_or_default());
    format!("{times} {} ?id={id}&queue={queue}&job_key={key}&max={} {{}}", P::TASK, P::ATTEMPTS)
}

/// A job this worker knows how to do.
trait Job: Payload + for<'de> Deserialize<'de> {
    /// Does the job. `attempt` counts from 1. An error means: try again later, if tries are left.
    fn run(self, worker: Worker, attempt: i16) -> impl Future<Output = Result<()>> + Send;
}

/// Ties a [`Job`] to the queue.
#[derive(Serialize, Deserialize)]
struct Task<P> {
    #[serde(flatten)]
    payload: P,
    /// The request that it follows from, if it does from one.
    #[serde(default)]
    request_id: Option<String>,
}

impl<P: Job> TaskHandler for Task<P> {
    const IDENTIFIER: &'static str = P::TASK;

    async fn run(self, context: WorkerContext) -> impl IntoTaskHandlerResult {
        let worker = context.get_ext::<Worker>().ok_or("the queue was started without its worker")?.clone();
        let attempt = *context.job().attempts();
        let span = tracing::info_span!("job", task = P::TASK, request_id = self.request_id.as_deref().unwrap_or(""));
        // A job is a large future, which those around it would hold on the stack several times over.
        let job = Box::pin(self.payload.run(worker, attempt));
        let work = async {
            job.await.map_err(|error| {
                tracing::error!(attempt, error = %failure::chain(&error), "a job failed");
                "see Skypanel's log"
            })
        };
        // What it enqueues follows from the same request.
        request::within_any(self.request_id, work.instrument(span)).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hours_are_settled_within_minutes_wherever_the_clock_hangs() {
        let text = schedule();
        let schedule = graphile_worker::parse_crontab(&text).expect("is right");
        let names: Vec<&str> = schedule.iter().map(graphile_worker::Crontab::identifier).collect();
        assert_eq!(names, ["domains", "alerts", "settlement", "hourly_clean_up"]);
        let midnight = chrono::NaiveDate::from_ymd_opt(2026, 11, 22).and_then(|day| day.and_hms_opt(0, 0, 0));
        let midnight = midnight.expect("is a time");
        // Zones are whole quarters of an hour away from UTC.
        for zone in [0, 15, 30, 45] {
            let runs = (0..60).filter(|minute| {
                let local = midnight + chrono::TimeDelta::minutes(zone + minute);
                schedule[2].should_run_at(&local)
            });
            assert_eq!(runs.collect::<Vec<_>>(), (0..60).step_by(5).collect::<Vec<_>>());
        }
    }

    #[test]
    fn what_is_scheduled_waits_for_its_like() {
        let line = scheduled::<jobs::CheckDomains>("* * * * *", "domains");
        assert_eq!(line, "* * * * * check_domains ?id=domains&queue=check_domains&job_key=check_domains&max=1 {}");
    }
}
