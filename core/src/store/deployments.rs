//! Deployments: their life from queued to final, their stages, and which of them are kept.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use sqlx::types::Json;

use super::Store;
use crate::model::{
    AppId, Artifact, Deployment, DeploymentId, DeploymentStatus, NewDeployment, ReleaseVersion, Sha256Digest, Stage,
    StageTiming,
};
use crate::{Error, Result};

impl Store {
    /// Writes down a deployment that was asked for, with its live stream. Refused while nothing of the organisation
    /// may run.
    pub async fn create_deployment(&self, new: &NewDeployment) -> Result<()> {
        let mut transaction = self.pool.begin().await?;
        super::suspension::ensure_app_may_run(&mut transaction, new.application_id).await?;
        insert(&mut transaction, new, self.clock.now()).await?;
        transaction.commit().await?;
        Ok(())
    }

    /// The deployment of that id.
    pub async fn deployment(&self, id: DeploymentId) -> Result<Deployment> {
        sqlx::query_as("SELECT * FROM paas_deployments WHERE id = $1")
            .bind(id)
            .fetch_optional(&self.pool)
            .await?
            .ok_or_else(|| Error::NotFound("That deployment does not exist any more.".to_owned()))
    }

    /// An app's releases (deployments with a version), newest first.
    pub async fn releases(&self, app: AppId, limit: u32) -> Result<Vec<Deployment>> {
        Ok(sqlx::query_as(
            "SELECT * FROM paas_deployments WHERE application_id = $1 AND version IS NOT NULL
             ORDER BY version DESC LIMIT $2",
        )
        .bind(app)
        .bind(i64::from(limit))
        .fetch_all(&self.pool)
        .await?)
    }

    /// The release of that version.
    pub async fn release(&self, app: AppId, version: ReleaseVersion) -> Result<Deployment> {
        sqlx::query_as("SELECT * FROM paas_deployments WHERE application_id = $1 AND version = $2")
            .bind(app)
            .bind(version)
            .fetch_optional(&self.pool)
            .await?
            .ok_or_else(|| Error::NotFound(format!("There is no release {version}. `releases` lists them.")))
    }

    /// Deployments of an app that are not final, oldest first.
    pub async fn unfinished_deployments(&self, app: AppId) -> Result<Vec<Deployment>> {
        Ok(sqlx::query_as(
            "SELECT * FROM paas_deployments WHERE application_id = $1
             AND status NOT IN ('succeeded', 'failed', 'cancelled') ORDER BY created_at",
        )
        .bind(app)
        .fetch_all(&self.pool)
        .await?)
    }

    /// Moves a deployment on. False when it is final already (cancelled meanwhile): the caller then stops.
    pub async fn advance_deployment(&self, id: DeploymentId, status: DeploymentStatus) -> Result<bool> {
        let changed = sqlx::query(
            "UPDATE paas_deployments SET status = $2 WHERE id = $1 AND status NOT IN ('succeeded', 'failed', 'cancelled')",
        )
        .bind(id)
        .bind(status)
        .execute(&self.pool)
        .await?;
        Ok(changed.rows_affected() == 1)
    }

    /// Writes down what the build made.
    pub async fn set_artifact(&self, id: DeploymentId, artifact: &Artifact) -> Result<()> {
        sqlx::query(
            "UPDATE paas_deployments SET image_digest = $2, slug_digest = $3, slug_bytes = $4, buildpack = $5,
             process_types = $6 WHERE id = $1",
        )
        .bind(id)
        .bind(artifact.image)
        .bind(artifact.slug)
        .bind(i64::try_from(artifact.bytes).unwrap_or(i64::MAX))
        .bind(&artifact.buildpack)
        .bind(Json(&artifact.processes))
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// Gives a deployment its release number and notes the config version it is released with. Asked again
    /// for the same deployment, it answers the same number.
    pub async fn assign_version(&self, id: DeploymentId, config_version: i32) -> Result<ReleaseVersion> {
        let mut transaction = self.pool.begin().await?;
        let (version,): (Option<ReleaseVersion>,) =
            sqlx::query_as("SELECT version FROM paas_deployments WHERE id = $1 FOR UPDATE")
                .bind(id)
                .fetch_one(&mut *transaction)
                .await?;
        let version = if let Some(version) = version {
            version
        } else {
            let (next,): (ReleaseVersion,) = sqlx::query_as(
                "UPDATE paas_applications SET last_version = last_version + 1
                 WHERE id = (SELECT application_id FROM paas_deployments WHERE id = $1) RETURNING last_version",
            )
            .bind(id)
            .fetch_one(&mut *transaction)
            .await?;
            next
        };
        sqlx::query("UPDATE paas_deployments SET version = $2, config_version = $3 WHERE id = $1")
            .bind(id)
            .bind(version)
            .bind(config_version)
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await?;
        Ok(version)
    }

    /// Makes a deployment the release that should be running, on the terms it was rolled out with, and ends it as
    /// succeeded, in one step. False, and nothing changed, when it had ended before: somebody cancelled it at the last
    /// moment.
    pub async fn complete_deployment(&self, id: DeploymentId) -> Result<bool> {
        let mut transaction = self.pool.begin().await?;
        // The app first, like all who hold both.
        let app: Option<(AppId,)> = sqlx::query_as(
            "SELECT id FROM paas_applications
             WHERE id = (SELECT application_id FROM paas_deployments WHERE id = $1) FOR NO KEY UPDATE",
        )
        .bind(id)
        .fetch_optional(&mut *transaction)
        .await?;
        let Some((app,)) = app else { return Ok(false) };
        let changed = sqlx::query(
            "UPDATE paas_deployments SET status = 'succeeded', finished_at = now()
             WHERE id = $1 AND status NOT IN ('succeeded', 'failed', 'cancelled')",
        )
        .bind(id)
        .execute(&mut *transaction)
        .await?;
        if changed.rows_affected() == 0 {
            return Ok(false);
        }
        sqlx::query("UPDATE paas_applications SET current_deployment_id = $2 WHERE id = $1")
            .bind(app)
            .bind(id)
            .execute(&mut *transaction)
            .await?;
        super::terms::complete(&mut transaction, app).await?;
        super::metering::record(&mut transaction, app, self.clock.now()).await?;
        transaction.commit().await?;
        Ok(true)
    }

    /// Ends a deployment. The first end counts; false when it had ended before.
    pub async fn finish_deployment(
        &self,
        id: DeploymentId,
        status: DeploymentStatus,
        failure: Option<(&str, &str)>,
    ) -> Result<bool> {
        let changed = sqlx::query(
            "UPDATE paas_deployments SET status = $2, error_code = $3, error = $4, finished_at = now()
             WHERE id = $1 AND status NOT IN ('succeeded', 'failed', 'cancelled')",
        )
        .bind(id)
        .bind(status)
        .bind(failure.map(|(code, _)| code))
        .bind(failure.map(|(_, text)| text))
        .execute(&self.pool)
        .await?;
        Ok(changed.rows_affected() == 1)
    }

    /// Notes that a stage begins; one begun before (by a worker that died) begins anew.
    pub async fn start_stage(&self, id: DeploymentId, stage: Stage, at: DateTime<Utc>) -> Result<()> {
        sqlx::query(
            "INSERT INTO paas_deployment_stages (deployment_id, stage, started_at) VALUES ($1, $2, $3)
             ON CONFLICT (deployment_id, stage) DO UPDATE SET started_at = $3, finished_at = NULL, failed = false",
        )
        .bind(id)
        .bind(stage)
        .bind(at)
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// Notes that a stage ended.
    pub async fn finish_stage(&self, id: DeploymentId, stage: Stage, failed: bool) -> Result<()> {
        sqlx::query(
            "UPDATE paas_deployment_stages SET finished_at = clock_timestamp(), failed = $3
             WHERE deployment_id = $1 AND stage = $2",
        )
        .bind(id)
        .bind(stage)
        .bind(failed)
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// The stages of a deployment, in order of time.
    pub async fn stages(&self, id: DeploymentId) -> Result<Vec<StageTiming>> {
        Ok(sqlx::query_as(
            "SELECT stage, started_at, finished_at, failed FROM paas_deployment_stages
             WHERE deployment_id = $1 ORDER BY started_at",
        )
        .bind(id)
        .fetch_all(&self.pool)
        .await?)
    }

    /// Marks the artifacts of all but the newest `keep` successful releases of an app as dropped, the current
    /// one never, and answers the deployments it did that to.
    pub async fn prune_releases(&self, app: AppId, keep: u64) -> Result<Vec<DeploymentId>> {
        let rows: Vec<(DeploymentId,)> = sqlx::query_as(
            "UPDATE paas_deployments SET pruned_at = now()
             WHERE application_id = $1 AND pruned_at IS NULL
             AND status IN ('succeeded', 'failed', 'cancelled')
             AND id IS DISTINCT FROM (SELECT current_deployment_id FROM paas_applications WHERE id = $1)
             AND id NOT IN (
                 SELECT id FROM paas_deployments WHERE application_id = $1 AND status = 'succeeded' AND version IS NOT NULL
                 ORDER BY version DESC LIMIT $2)
             RETURNING id",
        )
        .bind(app)
        .bind(i64::try_from(keep).unwrap_or(i64::MAX))
        .fetch_all(&self.pool)
        .await?;
        Ok(rows.into_iter().map(|(id,)| id).collect())
    }

    /// Digests of all images that some deployment may still run.
    pub async fn images_in_use(&self) -> Result<Vec<Sha256Digest>> {
        let rows: Vec<(Sha256Digest,)> = sqlx::query_as(
            "SELECT DISTINCT image_digest FROM paas_deployments WHERE image_digest IS NOT NULL AND pruned_at IS NULL",
        )
        .fetch_all(&self.pool)
        .await?;
        Ok(rows.into_iter().map(|(digest,)| digest).collect())
    }

    /// Deployments that are not final, of all apps: their sources are still needed.
    pub async fn all_unfinished_deployments(&self) -> Result<Vec<Deployment>> {
        Ok(sqlx::query_as(
            "SELECT * FROM paas_deployments WHERE status NOT IN ('succeeded', 'failed', 'cancelled') ORDER BY created_at",
        )
        .fetch_all(&self.pool)
        .await?)
    }

    /// Drops the streams of operations that ended a week ago; those of deployments stay as their logs.
    pub async fn drop_old_streams(&self) -> Result<()> {
        sqlx::query(
            "DELETE FROM paas_streams WHERE closed_at < now() - interval '7 days'
             AND NOT EXISTS (SELECT 1 FROM paas_deployments WHERE paas_deployments.id = paas_streams.id)",
        )
        .execute(&self.pool)
        .await?;
        Ok(())
    }
}

/// Writes down a deployment that was asked for, with its live stream.
pub(crate) async fn insert(connection: &mut PgConnection, new: &NewDeployment, now: DateTime<Utc>) -> Result<()> {
    sqlx::query(
        "INSERT INTO paas_deployments
         (id, application_id, status, trigger, git_branch, git_commit, git_message, git_author, no_cache,
          description, parent_id, created_by, created_at)
         VALUES ($1, $2, 'queued', $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
    )
    .bind(new.id)
    .bind(new.application_id)
    .bind(new.trigger)
    .bind(&new.git_branch)
    .bind(&new.git_commit)
    .bind(&new.git_message)
    .bind(&new.git_author)
    .bind(new.no_cache)
    .bind(&new.description)
    .bind(new.parent_id)
    .bind(new.created_by)
    .bind(now)
    .execute(&mut *connection)
    .await?;
    sqlx::query("INSERT INTO paas_streams (id, application_id) VALUES ($1, $2)")
        .bind(new.id.0)
        .bind(new.application_id)
        .execute(connection)
        .await?;
    Ok(())
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
