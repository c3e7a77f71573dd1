//! What deployments change beside the release before them: written down once while they begin, and kept for the newest.

use sqlx::types::Json;

use super::Store;
use crate::Result;
use crate::model::{AppId, Changes, DeploymentId, NoChanges, ReleaseBefore, ReleaseVersion};

/// Deployments of an app whose changes are kept.
const KEPT: i64 = 100;
/// How many releases that only changed config vars are gone back for the one with the code.
const MAX_STEPS: i32 = 2_000;

/// What is written down of a deployment.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct StoredChanges {
    /// Release number of what the app ran before.
    pub base_version: Option<ReleaseVersion>,
    /// The commit of that.
    pub base_commit: Option<String>,
    /// Why it is not known what changed.
    pub missing: Option<NoChanges>,
    /// What changed.
    pub changes: Option<Json<Changes>>,
}

impl Store {
    /// What an app runs now, with the commit its code is of.
    pub async fn release_before(&self, app: AppId) -> Result<ReleaseBefore> {
        let rows: Vec<(Option<ReleaseVersion>, Option<String>)> = sqlx::query_as(
            "WITH RECURSIVE line AS (
                 SELECT deployment.version, deployment.git_commit, deployment.parent_id, 1 AS step
                 FROM paas_applications AS app JOIN paas_deployments AS deployment ON deployment.id = app.current_deployment_id
                 WHERE app.id = $1
                 UNION ALL
                 SELECT deployment.version, deployment.git_commit, deployment.parent_id, step + 1
                 FROM line JOIN paas_deployments AS deployment ON deployment.id = line.parent_id
                 WHERE line.git_commit IS NULL AND step < $2)
             SELECT version, git_commit FROM line WHERE step = 1 OR git_commit IS NOT NULL ORDER BY step",
        )
        .bind(app)
        .bind(MAX_STEPS)
        .fetch_all(&self.pool)
        .await?;
        Ok(ReleaseBefore {
            version: rows.first().and_then(|(version, _)| *version),
            commit: rows.into_iter().find_map(|(_, commit)| commit),
        })
    }

    /// Writes down what a deployment changes, or why that is not known, and drops what is kept no longer of its app.
    pub async fn save_changes(
        &self,
        app: AppId,
        deployment: DeploymentId,
        before: &ReleaseBefore,
        changes: Result<&Changes, NoChanges>,
    ) -> Result<()> {
        let mut transaction = self.pool.begin().await?;
        sqlx::query(
            "INSERT INTO paas_deployment_changes
             (deployment_id, application_id, base_version, base_commit, missing, changes, created_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7)
             ON CONFLICT (deployment_id) DO UPDATE SET base_version = $3, base_commit = $4, missing = $5, changes = $6",
        )
        .bind(deployment)
        .bind(app)
        .bind(before.version)
        .bind(&before.commit)
        .bind(changes.as_ref().err())
        .bind(changes.ok().map(Json))
        .bind(self.clock.now())
        .execute(&mut *transaction)
        .await?;
        sqlx::query(
            "DELETE FROM paas_deployment_changes WHERE application_id = $1 AND created_at < (
                 SELECT created_at FROM paas_deployment_changes WHERE application_id = $1
                 ORDER BY created_at DESC OFFSET $2 LIMIT 1)",
        )
        .bind(app)
        .bind(KEPT - 1)
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await?;
        Ok(())
    }

    /// What is written down of what a deployment changes.
    pub async fn stored_changes(&self, deployment: DeploymentId) -> Result<Option<StoredChanges>> {
        let sql =
            "SELECT base_version, base_commit, missing, changes FROM paas_deployment_changes WHERE deployment_id = $1";
        Ok(sqlx::query_as(sql).bind(deployment).fetch_optional(&self.pool).await?)
    }
}
