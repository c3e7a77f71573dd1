//! How deployments end: with all that follows from it in one transaction, so that a crash leaves nothing half told.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::{Store, events};
use crate::Result;
use crate::jobs::{self, ReportStatus};
use crate::model::{AppId, Deployment, DeploymentId, DeploymentStatus};

/// Longest reason of a failure that an event tells, in characters.
const MAX_REASON: usize = 300;

impl Store {
    /// Makes a deployment the release that should be running, on the terms it was rolled out with, and ends it as
    /// succeeded, in one step: its app runs, unless it was stopped or suspended meanwhile. False, and nothing changed,
    /// when it had ended before: somebody cancelled it at the last moment.
    pub async fn complete_deployment(&self, id: DeploymentId) -> Result<bool> {
        let mut transaction = self.pool.begin().await?;
        let Some(app) = lock_app(&mut transaction, id).await? else { return Ok(false) };
        if !end(&mut transaction, id, DeploymentStatus::Succeeded, None, self.clock.now()).await? {
            return Ok(false);
        }
        sqlx::query(
            "UPDATE paas_applications SET current_deployment_id = $2,
                 status = CASE WHEN status IN ('stopped', 'suspended', 'deleting') THEN status ELSE 'running' END
             WHERE id = $1",
        )
        .bind(app)
        .bind(id)
        .execute(&mut *transaction)
        .await?;
        super::terms::complete(&mut transaction, app).await?;
        super::crashes::succeed(&mut transaction, app, true).await?;
        super::metering::record(&mut transaction, app, self.clock.now()).await?;
        transaction.commit().await?;
        Ok(true)
    }

    /// Ends a deployment that did not go live. Its app, where it should run, goes on with the release before, or has
    /// failed without one, or as it had before. The first end counts; false when it had ended before.
    pub async fn finish_deployment(
        &self,
        id: DeploymentId,
        status: DeploymentStatus,
        failure: Option<(&str, &str)>,
    ) -> Result<bool> {
        let mut transaction = self.pool.begin().await?;
        let Some(app) = lock_app(&mut transaction, id).await? else { return Ok(false) };
        let ended = end(&mut transaction, id, status, failure, self.clock.now()).await?;
        sqlx::query(
            "UPDATE paas_applications SET status = CASE
                 WHEN current_deployment_id IS NULL THEN 'failed'
                 WHEN EXISTS (SELECT 1 FROM paas_given_up WHERE application_id = $1 AND NOT again) THEN 'failed'
                 ELSE 'running' END
             WHERE id = $1 AND status NOT IN ('inactive', 'stopped', 'suspended', 'deleting')",
        )
        .bind(app)
        .execute(&mut *transaction)
        .await?;
        super::metering::record(&mut transaction, app, self.clock.now()).await?;
        transaction.commit().await?;
        Ok(ended)
    }
}

/// The app of a deployment, which nobody else changes until the transaction ends. It comes first, as with all who hold
/// both.
async fn lock_app(connection: &mut PgConnection, id: DeploymentId) -> Result<Option<AppId>> {
    let app: Option<(AppId,)> = sqlx::query_as(
        "SELECT id FROM paas_applications
         WHERE id = (SELECT application_id FROM paas_deployments WHERE id = $1) FOR NO KEY UPDATE",
    )
    .bind(id)
    .fetch_optional(connection)
    .await?;
    Ok(app.map(|(app,)| app))
}

/// Ends a deployment, tells its app's people and the host of its commit. False when it had ended before.
async fn end(
    connection: &mut PgConnection,
    id: DeploymentId,
    status: DeploymentStatus,
    failure: Option<(&str, &str)>,
    now: DateTime<Utc>,
) -> Result<bool> {
    let ended: Option<Deployment> = sqlx::query_as(
        "UPDATE paas_deployments SET status = $2, error_code = $3, error = $4, finished_at = now()
         WHERE id = $1 AND status NOT IN ('succeeded', 'failed', 'cancelled') RETURNING *",
    )
    .bind(id)
    .bind(status)
    .bind(failure.map(|(code, _)| code))
    .bind(failure.map(|(_, text)| text))
    .fetch_optional(&mut *connection)
    .await?;
    let Some(ended) = ended else { return Ok(false) };
    let kind = match status {
        DeploymentStatus::Succeeded => "release",
        DeploymentStatus::Cancelled => "cancel",
        _ => "failure",
    };
    let what = ended.description.as_deref().unwrap_or("Deploy");
    let message = match (status, ended.version) {
        (DeploymentStatus::Succeeded, Some(version)) => format!("Released {version}: {what}"),
        (DeploymentStatus::Succeeded, None) => format!("Released: {what}"),
        (DeploymentStatus::Cancelled, _) => format!("{what} was cancelled"),
        _ => format!("{what} failed: {}", reason(ended.error.as_deref().unwrap_or_default())),
    };
    events::record(connection, ended.application_id, ended.created_by, kind, &message, now).await?;
    report(connection, &[id]).await?;
    Ok(true)
}

/// Has the hosts of their commits told how these deployments go. Those that are of no repository elsewhere have none.
pub(crate) async fn report(connection: &mut PgConnection, deployments: &[DeploymentId]) -> Result<()> {
    let ids: Vec<uuid::Uuid> = deployments.iter().map(|id| id.0).collect();
    let fetched: Vec<(DeploymentId,)> =
        sqlx::query_as("SELECT deployment_id FROM paas_deployment_sources WHERE deployment_id = ANY ($1)")
            .bind(ids)
            .fetch_all(&mut *connection)
            .await?;
    let reports: Vec<ReportStatus> = fetched.into_iter().map(|(deployment,)| ReportStatus { deployment }).collect();
    jobs::add_within(connection, &reports).await
}

/// Cancels one deployment, or all of an app, that is not final, and says why; answers those it did that to, as they
/// were, oldest first. The caller holds the app's row.
pub(crate) async fn cancel(
    connection: &mut PgConnection,
    app: AppId,
    only: Cancelled<'_>,
    (code, reason): (&str, &str),
    now: DateTime<Utc>,
) -> Result<Vec<Deployment>> {
    let (ids, queued_builds) = match only {
        Cancelled::These(ids) => (Some(ids.iter().map(|id| id.0).collect::<Vec<_>>()), false),
        Cancelled::All => (None, false),
        Cancelled::QueuedBuilds => (None, true),
    };
    let found: Vec<Deployment> = sqlx::query_as(
        "SELECT * FROM paas_deployments WHERE application_id = $1 AND ($2::uuid[] IS NULL OR id = ANY ($2))
         AND status NOT IN ('succeeded', 'failed', 'cancelled')
         AND (NOT $3 OR (status = 'queued' AND trigger IN ('push', 'webhook', 'api')))
         ORDER BY created_at, id FOR UPDATE",
    )
    .bind(app)
    .bind(ids)
    .bind(queued_builds)
    .fetch_all(&mut *connection)
    .await?;
    for deployment in &found {
        sqlx::query(
            "UPDATE paas_deployments SET status = 'cancelled', error_code = $2, error = $3, finished_at = $4 WHERE id = $1",
        )
        .bind(deployment.id)
        .bind(code)
        .bind(reason)
        .bind(now)
        .execute(&mut *connection)
        .await?;
        if deployment.status == DeploymentStatus::Queued {
            super::operations::end_unbegun(connection, deployment.id, reason).await?;
        }
    }
    let cancelled: Vec<DeploymentId> = found.iter().map(|deployment| deployment.id).collect();
    report(connection, &cancelled).await?;
    Ok(found)
}

/// Which deployments of an app to cancel, of those that are not final.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Cancelled<'a> {
    /// Those of these ids.
    These(&'a [DeploymentId]),
    /// All.
    All,
    /// Those that no worker has begun to build.
    QueuedBuilds,
}

/// The first line of a failure, which may be followed by what a build or an app wrote.
fn reason(error: &str) -> String {
    let line = error.lines().find(|line| !line.trim().is_empty()).unwrap_or("see its log");
    line.trim().chars().take(MAX_REASON).collect()
}
