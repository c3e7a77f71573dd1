//! What was started and can be waited for: deployments and operations such as a restart. Each has a live stream of
//! the same id; how far one is, its deployment, its stream and the queue tell together.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::Store;
use crate::model::{AppId, AppSlug, Application, DeploymentId, DeploymentStatus, OrganizationId, StreamId};
use crate::{Error, Result, jobs};

text_enum! {
    /// How far a job is.
    JobState {
        /// Waits for a worker, or for another job of the same app.
        Queued = "queued",
        /// A worker is at it.
        Running = "running",
        /// It ended, well or not.
        Done = "done",
    }
}

/// Something that was started.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Operation {
    /// Its id, and its stream's.
    pub id: StreamId,
    /// Of which app; it may be gone, if this is its destruction.
    pub application_id: AppId,
    /// That app's unique name.
    pub slug: AppSlug,
    /// Whose it is.
    pub organization_id: OrganizationId,
    /// Where the deployment is, if it is one.
    pub deployment_status: Option<DeploymentStatus>,
    /// When it was asked for.
    pub created_at: DateTime<Utc>,
    /// When it ended.
    pub finished_at: Option<DateTime<Utc>>,
    /// Whether it went well, once it ended.
    pub succeeded: Option<bool>,
    /// Whether the queue has its job, with tries left, and whether a worker has taken it.
    taken: Option<bool>,
}

impl Operation {
    /// How far it is.
    pub fn state(&self) -> JobState {
        match self.deployment_status {
            Some(status) if status.is_final() => JobState::Done,
            Some(DeploymentStatus::Queued) => JobState::Queued,
            Some(_) => JobState::Running,
            None if self.succeeded.is_some() => JobState::Done,
            None => match self.taken {
                Some(true) => JobState::Running,
                Some(false) => JobState::Queued,
                // Its job is gone without an end: all its tries failed.
                None => JobState::Done,
            },
        }
    }

    /// Whether it went well; none while that is open.
    pub fn outcome(&self) -> Option<bool> {
        match self.deployment_status {
            Some(status) => status.is_final().then_some(status == DeploymentStatus::Succeeded),
            None => (self.state() == JobState::Done).then_some(self.succeeded.unwrap_or(false)),
        }
    }
}

impl Store {
    /// What was started under that id.
    pub async fn operation(&self, id: StreamId) -> Result<Operation> {
        let sql = format!(
            "SELECT stream.id, coalesce(stream.application_id, stream.destroyed_id) AS application_id,
                    coalesce(app.slug, stream.destroyed_slug) AS slug,
                    coalesce(app.organization_id, stream.organization_id) AS organization_id,
                    deployment.status AS deployment_status,
                    COALESCE(deployment.created_at, stream.created_at) AS created_at,
                    COALESCE(deployment.finished_at, stream.closed_at) AS finished_at, stream.succeeded,
                    (SELECT job.locked_at IS NOT NULL FROM {0}.jobs AS job
                     WHERE job.key = coalesce('destroy:' || stream.destroyed_id::text, $2)
                     AND (job.locked_at IS NOT NULL OR job.attempts < job.max_attempts)) AS taken
             FROM paas_streams AS stream LEFT JOIN paas_deployments AS deployment ON deployment.id = stream.id
             LEFT JOIN paas_applications AS app ON app.id = stream.application_id
             WHERE stream.id = $1",
            jobs::SCHEMA
        );
        sqlx::query_as(sqlx::AssertSqlSafe(sql))
            .bind(id)
            .bind(jobs::operation_key(id))
            .fetch_optional(&self.pool)
            .await?
            .ok_or_else(|| Error::NotFound("There is no job of that id that you have access to.".to_owned()))
    }

    /// The stream on which the destruction of an app is followed, until it ends.
    pub async fn destruction(&self, app: AppId) -> Result<Option<StreamId>> {
        let row: Option<(StreamId,)> = sqlx::query_as(
            "SELECT id FROM paas_streams WHERE destroyed_id = $1 AND closed_at IS NULL ORDER BY created_at LIMIT 1",
        )
        .bind(app)
        .fetch_optional(&self.pool)
        .await?;
        Ok(row.map(|(id,)| id))
    }

    /// All that a stream holds by now, and whether it ended.
    pub async fn stream_text(&self, id: StreamId) -> Result<(Vec<u8>, bool)> {
        let ended: Option<(bool,)> = sqlx::query_as("SELECT closed_at IS NOT NULL FROM paas_streams WHERE id = $1")
            .bind(id)
            .fetch_optional(&self.pool)
            .await?;
        let Some((ended,)) = ended else {
            return Err(Error::NotFound("This output is not kept any more.".to_owned()));
        };
        let chunks: Vec<(Vec<u8>,)> =
            sqlx::query_as("SELECT data FROM paas_stream_chunks WHERE stream_id = $1 ORDER BY seq")
                .bind(id)
                .fetch_all(&self.pool)
                .await?;
        Ok((chunks.into_iter().flat_map(|(data,)| data).collect(), ended))
    }
}

/// Makes the stream on which the destruction of an app is followed, also once the app is gone.
pub(crate) async fn begin_destruction(connection: &mut PgConnection, app: &Application) -> Result<StreamId> {
    let id = StreamId::new();
    sqlx::query("INSERT INTO paas_streams (id, organization_id, destroyed_id, destroyed_slug) VALUES ($1, $2, $3, $4)")
        .bind(id)
        .bind(app.organization_id)
        .bind(app.id)
        .bind(&app.slug)
        .execute(connection)
        .await?;
    Ok(id)
}

/// Ends the stream of a deployment that no worker has begun with a word to its followers, so that they need not wait
/// for its turn in the queue.
pub(crate) async fn end_unbegun(connection: &mut PgConnection, id: DeploymentId, words: &str) -> Result<()> {
    sqlx::query(
        "WITH closed AS (
             UPDATE paas_streams SET closed_at = clock_timestamp(), succeeded = false WHERE id = $1 AND closed_at IS NULL
             RETURNING id
         ), said AS (
             INSERT INTO paas_stream_chunks (stream_id, seq, data)
             SELECT id, (SELECT COALESCE(max(seq), -1) + 1 FROM paas_stream_chunks WHERE stream_id = id), $2 FROM closed
             ON CONFLICT DO NOTHING
         ) SELECT pg_notify($3, id::text) FROM closed",
    )
    .bind(id)
    .bind(format!(" !     {words}\n").into_bytes())
    .bind(crate::stream::CHANNEL)
    .execute(connection)
    .await?;
    Ok(())
}
