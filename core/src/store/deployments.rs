//! Deployments: their life from queued to final, their stages, and which of them are kept.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use sqlx::types::Json;

use super::Store;
pub(crate) use super::deployment_ends::{Cancelled, cancel, report};
use crate::model::{
    AppId, Artifact, Deployment, DeploymentId, DeploymentStatus, NewDeployment, ProcessType, ReleaseVersion,
    Sha256Digest, Stage, StageTiming,
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

    /// Writes down whose artifact a deployment runs again.
    pub async fn set_parent(&self, id: DeploymentId, parent: DeploymentId) -> Result<()> {
        sqlx::query("UPDATE paas_deployments SET parent_id = $2 WHERE id = $1")
            .bind(id)
            .bind(parent)
            .execute(&self.pool)
            .await?;
        Ok(())
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

    /// Deployments that are not final, of all apps.
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
          description, parent_id, created_by, created_at, source_id)
         VALUES ($1, $2, 'queued', $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
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
    .bind(new.trigger.builds().then_some(new.id))
    .execute(&mut *connection)
    .await?;
    if new.trigger.is_limited() {
        super::quotas::count_deployment(connection, new.application_id, now).await?;
    }
    sqlx::query("INSERT INTO paas_streams (id, application_id) VALUES ($1, $2)")
        .bind(new.id.0)
        .bind(new.application_id)
        .execute(connection)
        .await?;
    Ok(())
}

/// Whether a deployment of the app has not ended.
pub(crate) async fn is_under_way(connection: &mut PgConnection, app: AppId) -> Result<bool> {
    let sql = "SELECT EXISTS (SELECT FROM paas_deployments
         WHERE application_id = $1 AND status NOT IN ('succeeded', 'failed', 'cancelled'))";
    Ok(sqlx::query_scalar(sql).bind(app).fetch_one(connection).await?)
}

/// Notes a stage that is over.
pub(crate) async fn note_stage(
    connection: &mut PgConnection,
    id: DeploymentId,
    stage: Stage,
    began: DateTime<Utc>,
) -> Result<()> {
    sqlx::query(
        "INSERT INTO paas_deployment_stages (deployment_id, stage, started_at, finished_at)
         VALUES ($1, $2, $3, clock_timestamp())",
    )
    .bind(id)
    .bind(stage)
    .bind(began)
    .execute(connection)
    .await?;
    Ok(())
}

/// Process types of a deployment and their commands; none before it is built.
pub(crate) async fn process_types(
    connection: &mut PgConnection,
    id: DeploymentId,
) -> Result<Option<BTreeMap<ProcessType, String>>> {
    let types: Option<Option<Json<BTreeMap<ProcessType, String>>>> =
        sqlx::query_scalar("SELECT process_types FROM paas_deployments WHERE id = $1")
            .bind(id)
            .fetch_optional(connection)
            .await?;
    Ok(types.flatten().map(|types| types.0))
}
