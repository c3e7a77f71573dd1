//! Which sources are kept: those of what is queued or under way, that of an app's newest deployment that has ended and
//! that of what is live, so that both can be deployed again. Several deployments may be built from one source.

use sqlx::PgConnection;

use super::Store;
use crate::Result;
use crate::blob::BlobKey;
use crate::model::{AppId, DeploymentId};

impl Store {
    /// Gives up the sources of an app that are not kept any more, and answers where they lie: nothing refers to them from
    /// here on, so that they can be removed. What a crash leaves there, clean-up finds.
    pub async fn give_up_sources(&self, app: AppId) -> Result<Vec<BlobKey>> {
        let mut transaction = self.pool.begin().await?;
        // Whoever deploys again holds the app, too, so that a source is given up before that or not at all.
        let held = sqlx::query("SELECT FROM paas_applications WHERE id = $1 FOR NO KEY UPDATE")
            .bind(app)
            .fetch_optional(&mut *transaction)
            .await?;
        if held.is_none() {
            return Ok(Vec::new());
        }
        // What is live may be a change of config vars of a rollback: its source is that of the build behind them.
        let gone: Vec<(DeploymentId,)> = sqlx::query_as(
            "WITH RECURSIVE live AS (
                 SELECT deployment.id, deployment.parent_id, deployment.source_id
                 FROM paas_deployments AS deployment
                 JOIN paas_applications AS app ON app.current_deployment_id = deployment.id WHERE app.id = $1
                 UNION
                 SELECT deployment.id, deployment.parent_id, deployment.source_id
                 FROM paas_deployments AS deployment JOIN live ON deployment.id = live.parent_id
             ), kept AS (
                 SELECT source_id FROM live WHERE source_id IS NOT NULL
                 UNION
                 SELECT source_id FROM paas_deployments WHERE application_id = $1 AND source_id IS NOT NULL
                 AND status NOT IN ('succeeded', 'failed', 'cancelled')
                 UNION
                 (SELECT source_id FROM paas_deployments WHERE application_id = $1 AND source_id IS NOT NULL
                  AND status IN ('succeeded', 'failed', 'cancelled') ORDER BY created_at DESC, id DESC LIMIT 1)
             ), gone AS (
                 SELECT id, source_id FROM paas_deployments
                 WHERE application_id = $1 AND source_id IS NOT NULL AND source_id NOT IN (SELECT source_id FROM kept)
             ), given_up AS (
                 UPDATE paas_deployments SET source_id = NULL FROM gone WHERE paas_deployments.id = gone.id
             )
             SELECT DISTINCT source_id FROM gone",
        )
        .bind(app)
        .fetch_all(&mut *transaction)
        .await?;
        transaction.commit().await?;
        Ok(gone.into_iter().map(|(id,)| BlobKey::source(id)).collect())
    }

    /// Where all sources of an app lie, for when it goes.
    pub async fn sources(&self, app: AppId) -> Result<Vec<BlobKey>> {
        let sources: Vec<(DeploymentId,)> = sqlx::query_as(
            "SELECT DISTINCT source_id FROM paas_deployments WHERE application_id = $1 AND source_id IS NOT NULL",
        )
        .bind(app)
        .fetch_all(&self.pool)
        .await?;
        Ok(sources.into_iter().map(|(id,)| BlobKey::source(id)).collect())
    }

    /// Where all sources lie that some deployment is built from or can be built from again.
    pub async fn sources_in_use(&self) -> Result<Vec<BlobKey>> {
        let sources: Vec<(DeploymentId,)> = sqlx::query_as(
            "SELECT source_id FROM paas_deployments WHERE source_id IS NOT NULL
             UNION
             SELECT id FROM paas_deployments WHERE status NOT IN ('succeeded', 'failed', 'cancelled')",
        )
        .fetch_all(&self.pool)
        .await?;
        Ok(sources.into_iter().map(|(id,)| BlobKey::source(id)).collect())
    }
}

/// Has a deployment built from the source of another of its app. False where that one's is given up. The caller holds the
/// app's row.
pub(crate) async fn build_from(connection: &mut PgConnection, new: DeploymentId, of: DeploymentId) -> Result<bool> {
    let built = sqlx::query(
        "UPDATE paas_deployments SET source_id = earlier.source_id FROM paas_deployments AS earlier
         WHERE paas_deployments.id = $1 AND earlier.id = $2 AND earlier.source_id IS NOT NULL",
    )
    .bind(new)
    .bind(of)
    .execute(connection)
    .await?;
    Ok(built.rows_affected() == 1)
}
