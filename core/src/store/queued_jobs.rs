//! The queue as admins see it: which jobs wait, run, or have failed for good, and another try for one.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::Store;
use crate::model::{AppId, AppSlug};
use crate::{Error, Result, jobs};

text_enum! {
    /// Where a job of the queue is.
    QueuedJobState {
        /// It could begin, and waits for a worker or for another job of its queue.
        Waiting = "waiting",
        /// A worker is at it.
        Running = "running",
        /// It is not its time yet: it was put off, or failed and is tried again.
        Later = "later",
        /// All its tries failed.
        Failed = "failed",
    }
}

/// A job of the queue. What is done is not kept there.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct QueuedJob {
    /// Goes up with every job.
    pub id: i64,
    /// What is to be done, such as `deploy`.
    pub task: String,
    /// The queue whose jobs run one after the other, if it is in one.
    pub queue: Option<String>,
    /// Of which app, if it is about one.
    pub application_id: Option<AppId>,
    /// That app's unique name; none once it is gone.
    pub slug: Option<AppSlug>,
    /// Where it is.
    pub state: QueuedJobState,
    /// Tries until now.
    pub attempts: i16,
    /// Tries in all.
    pub max_attempts: i16,
    /// Why the last try failed.
    pub last_error: Option<String>,
    /// When it was put into the queue.
    pub created_at: DateTime<Utc>,
    /// Not before this time.
    pub run_at: DateTime<Utc>,
    /// Since when a worker is at it.
    pub locked_at: Option<DateTime<Utc>>,
}

const STATE: &str = "CASE WHEN job.locked_at IS NOT NULL THEN 'running'
         WHEN job.attempts >= job.max_attempts THEN 'failed'
         WHEN job.run_at > now() THEN 'later' ELSE 'waiting' END";

fn select(condition: &str) -> String {
    format!(
        "SELECT * FROM (
             SELECT job.id, task.identifier AS task, queue.queue_name AS queue,
                 (job.payload->>'app')::uuid AS application_id,
                 (SELECT slug FROM paas_applications WHERE id = (job.payload->>'app')::uuid) AS slug,
                 {STATE} AS state, job.attempts, job.max_attempts, job.last_error, job.created_at, job.run_at,
                 job.locked_at
             FROM {0}._private_jobs AS job
             JOIN {0}._private_tasks AS task ON task.id = job.task_id
             LEFT JOIN {0}._private_job_queues AS queue ON queue.id = job.job_queue_id
         ) AS queued WHERE {condition}",
        jobs::SCHEMA
    )
}

impl Store {
    /// Jobs of the queue, newest first, from before the job `before` on; with `state`, those that are there.
    pub async fn queued_jobs(
        &self,
        state: Option<QueuedJobState>,
        before: Option<i64>,
        rows: i64,
    ) -> Result<Vec<QueuedJob>> {
        let sql = select("id < $1 AND ($2::text IS NULL OR state = $2) ORDER BY id DESC LIMIT $3");
        Ok(sqlx::query_as(sqlx::AssertSqlSafe(sql))
            .bind(before.unwrap_or(i64::MAX))
            .bind(state)
            .bind(rows)
            .fetch_all(&self.pool)
            .await?)
    }
}

/// Has a job tried at once, with all its tries anew. Answers it as it was. Refused while a worker is at it.
pub(crate) async fn retry(connection: &mut PgConnection, id: i64) -> Result<QueuedJob> {
    let missing = || Error::NotFound("There is no such job in the queue. What is done is not kept there.".to_owned());
    let job: QueuedJob = sqlx::query_as(sqlx::AssertSqlSafe(select("id = $1")))
        .bind(id)
        .fetch_optional(&mut *connection)
        .await?
        .ok_or_else(missing)?;
    let sql = format!("SELECT count(*) FROM {}.reschedule_jobs(ARRAY[$1], now(), NULL, 0, NULL)", jobs::SCHEMA);
    let (changed,): (i64,) = sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(id).fetch_one(connection).await?;
    if job.state == QueuedJobState::Running || changed == 0 {
        return Err(Error::Conflict("A worker is at it. Wait for what comes of it.".to_owned()));
    }
    Ok(job)
}
