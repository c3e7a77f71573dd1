//! The jobs of the queue: what each carries and how it is enqueued. Handlers live in the worker.
//! Every job is safe to run twice; the jobs of one app run one after the other (named queue).

use std::sync::Arc;
use std::time::Duration;

use graphile_worker::{JobKeyMode, JobSpec, JobSpecBuilder, WorkerUtils};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sqlx::{PgConnection, PgPool};

use crate::model::{AppId, DeploymentId, NotificationId, ProcessType, StreamId, TargetId};
use crate::store::limits;
use crate::{Error, Result, request};

/// Postgres schema of the queue.
pub const SCHEMA: &str = "skypanel_jobs";

/// Build (if its trigger needs one) and release a deployment. Its stream is the deployment's.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Deploy {
    /// Of which app.
    pub app: AppId,
    /// Which one.
    pub deployment: DeploymentId,
}

/// Make what runs equal to what the store says should run: scale, stop, start, restart.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Apply {
    /// Which app.
    pub app: AppId,
    /// Where to tell the progress.
    pub stream: StreamId,
}

/// Start a replica again that crashed, if the engine has not done so itself.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct StartAgain {
    /// Of which app.
    pub app: AppId,
    /// Of which process type.
    pub process: ProcessType,
    /// Which replica of that.
    pub replica: i32,
}

/// Remove an app with everything it had. The app is in status `deleting`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Destroy {
    /// Which app.
    pub app: AppId,
    /// Its slug, to clean up by once the row is gone.
    pub slug: crate::model::AppSlug,
}

/// Drop an app's build caches, hot and cold.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PurgeCache {
    /// Which app.
    pub app: AppId,
    /// Where to tell the progress.
    pub stream: StreamId,
}

/// Write the hot build cache of an app to the blob store.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SaveCache {
    /// Of which app.
    pub app: AppId,
    /// The deployment whose build left it.
    pub deployment: DeploymentId,
}

/// Tell the Git host of a deployment's commit how the deployment goes.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ReportStatus {
    /// Which one.
    pub deployment: DeploymentId,
}

/// Drop old releases, blobs nothing refers to, old streams, expired caches, leftovers of crashes.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct CleanUp {}

/// Settle the hours that are over: usage, charges, suspensions, warnings.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct SettleUsage {}

/// Check the custom domains that are due.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct CheckDomains {}

/// Look for what is wrong, and have whoever wants to know told of it.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct CheckAlerts {}

/// Send a message about alerts.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SendNotification {
    /// Which one.
    pub notification: NotificationId,
    /// To which target.
    pub target: TargetId,
}

/// A payload with the name of its task.
pub trait Payload: Serialize + Send + Sync + 'static {
    /// Task name in the queue.
    const TASK: &'static str;
    /// Tries in all; more than one only where trying again can help.
    const ATTEMPTS: i16;
    /// The named queue that serialises it, if any.
    fn queue(&self) -> Option<String>;
    /// Key that makes a second enqueueing replace the first while that waits.
    fn key(&self) -> Option<String> {
        None
    }
    /// How long it waits at least.
    fn delay(&self) -> Duration {
        Duration::ZERO
    }
}

impl Payload for Deploy {
    const TASK: &'static str = "deploy";
    // Further tries are for workers that die, which the handler counts; a build that fails ends by itself.
    const ATTEMPTS: i16 = 25;
    fn queue(&self) -> Option<String> {
        Some(app_queue(self.app))
    }
    fn key(&self) -> Option<String> {
        Some(format!("deploy:{}", self.deployment))
    }
}

impl Payload for Apply {
    const TASK: &'static str = "apply";
    const ATTEMPTS: i16 = 5;
    fn queue(&self) -> Option<String> {
        Some(app_queue(self.app))
    }
    fn key(&self) -> Option<String> {
        Some(operation_key(self.stream))
    }
}

impl Payload for StartAgain {
    const TASK: &'static str = "start_again";
    const ATTEMPTS: i16 = 10;
    // Not the app's own queue, in which a build would keep it waiting.
    fn queue(&self) -> Option<String> {
        Some(format!("start_again:{}", self.app))
    }
    fn key(&self) -> Option<String> {
        Some(format!("start_again:{}:{}.{}", self.app, self.process, self.replica))
    }
}

impl Payload for Destroy {
    const TASK: &'static str = "destroy";
    const ATTEMPTS: i16 = 25;
    fn queue(&self) -> Option<String> {
        Some(app_queue(self.app))
    }
    fn key(&self) -> Option<String> {
        Some(format!("destroy:{}", self.app))
    }
}

impl Payload for PurgeCache {
    const TASK: &'static str = "purge_cache";
    const ATTEMPTS: i16 = 3;
    fn queue(&self) -> Option<String> {
        Some(app_queue(self.app))
    }
    fn key(&self) -> Option<String> {
        Some(operation_key(self.stream))
    }
}

impl Payload for SaveCache {
    const TASK: &'static str = "save_cache";
    const ATTEMPTS: i16 = 3;
    fn queue(&self) -> Option<String> {
        Some("save_cache".to_owned())
    }
    fn key(&self) -> Option<String> {
        Some(format!("save_cache:{}", self.app))
    }
    // Many pushes in a row store the cache once, and not while they need the machine.
    fn delay(&self) -> Duration {
        Duration::from_secs(60)
    }
}

impl Payload for ReportStatus {
    const TASK: &'static str = "report_status";
    // A minute or so: a host that is down for longer has missed a status of a push that is old by then.
    const ATTEMPTS: i16 = 6;
    // What it was comes before what it became.
    fn queue(&self) -> Option<String> {
        Some(format!("status:{}", self.deployment))
    }
}

impl Payload for CleanUp {
    const TASK: &'static str = "clean_up";
    const ATTEMPTS: i16 = 1;
    fn queue(&self) -> Option<String> {
        Some(Self::TASK.to_owned())
    }
    fn key(&self) -> Option<String> {
        Some(Self::TASK.to_owned())
    }
    // Several pushes in a row are cleaned up after once.
    fn delay(&self) -> Duration {
        Duration::from_secs(120)
    }
}

impl Payload for SettleUsage {
    const TASK: &'static str = "settle_usage";
    // In a few minutes it is tried again anyway.
    const ATTEMPTS: i16 = 3;
    fn queue(&self) -> Option<String> {
        Some(Self::TASK.to_owned())
    }
    fn key(&self) -> Option<String> {
        Some(Self::TASK.to_owned())
    }
}

impl Payload for CheckDomains {
    const TASK: &'static str = "check_domains";
    // The next minute tries again anyway.
    const ATTEMPTS: i16 = 1;
    fn queue(&self) -> Option<String> {
        Some(Self::TASK.to_owned())
    }
    fn key(&self) -> Option<String> {
        Some(Self::TASK.to_owned())
    }
}

impl Payload for CheckAlerts {
    const TASK: &'static str = "check_alerts";
    // The next minute tries again anyway.
    const ATTEMPTS: i16 = 1;
    fn queue(&self) -> Option<String> {
        Some(Self::TASK.to_owned())
    }
    fn key(&self) -> Option<String> {
        Some(Self::TASK.to_owned())
    }
}

impl Payload for SendNotification {
    const TASK: &'static str = "send_notification";
    // Further tries are jobs of their own; what is lost is queued again by the next look for alerts.
    const ATTEMPTS: i16 = 1;
    // What happened first is told first, and a target that is slow keeps no other one waiting.
    fn queue(&self) -> Option<String> {
        Some(format!("notify:{}", self.target))
    }
    fn key(&self) -> Option<String> {
        Some(format!("notify:{}", self.notification))
    }
}

/// A payload as the queue keeps it, with the id of the request that it follows from.
fn written<P: Payload>(payload: &P) -> Result<Value> {
    let mut value = serde_json::to_value(payload)
        .map_err(|error| Error::System(format!("The job could not be written down: {error}.")))?;
    if let (Some(id), Some(object)) = (request::current(), value.as_object_mut()) {
        object.insert("request_id".to_owned(), id.into());
    }
    Ok(value)
}

/// Enqueues jobs as part of a transaction: they exist if and when it commits. The queue's tables must be there.
/// Delays are not for this way.
pub async fn add_within<P: Payload>(connection: &mut PgConnection, payloads: &[P]) -> Result<()> {
    add_later_within(connection, payloads, Duration::ZERO).await
}

/// The same for jobs that are to wait.
pub(crate) async fn add_later_within<P: Payload>(
    connection: &mut PgConnection,
    payloads: &[P],
    delay: Duration,
) -> Result<()> {
    if payloads.is_empty() {
        return Ok(());
    }
    let mut texts = Vec::with_capacity(payloads.len());
    for payload in payloads {
        texts.push(written(payload)?.to_string());
    }
    let queues: Vec<Option<String>> = payloads.iter().map(Payload::queue).collect();
    let keys: Vec<Option<String>> = payloads.iter().map(Payload::key).collect();
    let sql = format!(
        "SELECT count({SCHEMA}.add_job($1, payload::json, queue_name := queue, max_attempts := $5, job_key := key,
             run_at := now() + make_interval(secs => $6)))
         FROM unnest($2::text[], $3::text[], $4::text[]) WITH ORDINALITY AS jobs (payload, queue, key, place)"
    );
    sqlx::query(sqlx::AssertSqlSafe(sql))
        .bind(P::TASK)
        .bind(texts)
        .bind(queues)
        .bind(keys)
        .bind(i32::from(P::ATTEMPTS))
        .bind(delay.as_secs_f64())
        .execute(connection)
        .await?;
    Ok(())
}

/// Enqueues, as part of a transaction, what makes these apps run as the store says, each with a stream of its own.
pub async fn apply_within(connection: &mut PgConnection, apps: &[AppId]) -> Result<Vec<StreamId>> {
    let jobs: Vec<Apply> = apps.iter().map(|app| Apply { app: *app, stream: StreamId::new() }).collect();
    sqlx::query("INSERT INTO paas_streams (id, application_id) SELECT * FROM unnest($1::uuid[], $2::uuid[])")
        .bind(jobs.iter().map(|job| job.stream.0).collect::<Vec<_>>())
        .bind(jobs.iter().map(|job| job.app.0).collect::<Vec<_>>())
        .execute(&mut *connection)
        .await?;
    add_within(connection, &jobs).await?;
    Ok(jobs.into_iter().map(|job| job.stream).collect())
}

/// Enqueues, as part of a transaction, that an app's build cache goes; answers the stream of its progress.
pub(crate) async fn purge_cache_within(connection: &mut PgConnection, app: AppId) -> Result<StreamId> {
    let stream = StreamId::new();
    sqlx::query("INSERT INTO paas_streams (id, application_id) VALUES ($1, $2)")
        .bind(stream)
        .bind(app)
        .execute(&mut *connection)
        .await?;
    add_within(connection, &[PurgeCache { app, stream }]).await?;
    Ok(stream)
}

/// Key of the job that tells its progress on a stream of its own, by which the queue is asked about it.
pub(crate) fn operation_key(stream: StreamId) -> String {
    format!("operation:{stream}")
}

fn app_queue(app: AppId) -> String {
    format!("app:{app}")
}

/// Puts jobs into the queue.
#[derive(Clone)]
pub struct Jobs {
    queue: Arc<WorkerUtils>,
    pool: PgPool,
}

impl Jobs {
    /// Makes the queue's tables if needed.
    pub async fn connect(pool: PgPool) -> Result<Self> {
        // Changing the tables of a long queue may take longer than a statement of every day.
        let unlimited = limits::unlimited(&pool);
        let made = WorkerUtils::new(unlimited.clone(), SCHEMA).migrate().await;
        unlimited.close().await;
        made.map_err(|error| Error::System(format!("The job queue's tables could not be made: {error}.")))?;
        Ok(Self { queue: Arc::new(WorkerUtils::new(pool.clone(), SCHEMA)), pool })
    }

    /// Gives the jobs of all workers of the past back to the queue. Only for the one process that knows that no
    /// other worker lives: it holds the lock on the data directory that its database lies in.
    pub async fn release_dead_workers(&self) -> Result<()> {
        let failed = |error| Error::System(format!("The jobs of an earlier run could not be taken over: {error}."));
        let workers = self.queue.list_active_workers(Duration::ZERO).await.map_err(failed)?;
        let ids: Vec<&str> = workers.iter().map(|worker| worker.worker_id.as_str()).collect();
        if ids.is_empty() {
            return Ok(());
        }
        self.queue.force_unlock_workers(&ids).await.map_err(failed)
    }

    /// Enqueues a job unless one of its key is there already, waiting or running; so what a crash lost between a
    /// change and its job can be made good for, any number of times. One that has used its tries up begins anew.
    pub async fn add_if_missing<P: Payload>(&self, payload: P) -> Result<()> {
        if let Some(key) = payload.key() {
            // The queue keeps it under its key, which would keep the new one out.
            let sql = format!(
                "DELETE FROM {SCHEMA}._private_jobs WHERE key = $1 AND attempts >= max_attempts AND locked_at IS NULL"
            );
            sqlx::query(sqlx::AssertSqlSafe(sql)).bind(key).execute(&self.pool).await?;
        }
        self.enqueue(payload, JobKeyMode::UnsafeDedupe).await
    }

    /// Enqueues a job; the jobs of one app run one at a time, in the order they were added.
    pub async fn add<P: Payload>(&self, payload: P) -> Result<()> {
        self.enqueue(payload, JobKeyMode::Replace).await
    }

    async fn enqueue<P: Payload>(&self, payload: P, mode: JobKeyMode) -> Result<()> {
        let mut spec = JobSpecBuilder::new().max_attempts(P::ATTEMPTS);
        if let Some(queue) = payload.queue() {
            spec = spec.queue_name(queue);
        }
        if let Some(key) = payload.key() {
            spec = spec.job_key(key).job_key_mode(mode);
        }
        if !payload.delay().is_zero() {
            spec = spec.run_at(chrono::Utc::now() + payload.delay());
        }
        let spec: JobSpec = spec.build();
        self.queue
            .add_raw_job(P::TASK, written(&payload)?, spec)
            .await
            .map_err(|error| Error::System(format!("The job could not be queued: {error}. Try again.")))?;
        Ok(())
    }
}
