//! Deployments as lists and pages show them: with who caused them and the release they run again.

use chrono::{DateTime, Utc};

use super::Store;
use crate::model::{AppId, Deployment, DeploymentId, ReleaseVersion};
use crate::{Error, Result};

/// A deployment with what is shown of it.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct DeploymentView {
    /// The deployment.
    #[sqlx(flatten)]
    pub deployment: Deployment,
    /// The branch it was made from.
    pub git_branch: Option<String>,
    /// E-mail address of who caused it.
    pub created_by_email: Option<String>,
    /// Release number of the deployment whose artifact it runs again.
    pub parent_version: Option<ReleaseVersion>,
    /// Whether it is what should be running now.
    pub is_current: bool,
    /// Whether it was fetched from a repository elsewhere, from where its commit can be had again.
    pub is_fetched: bool,
}

impl DeploymentView {
    /// Whether it can be deployed again: it has ended, and there is something to build it from.
    pub fn can_redeploy(&self) -> bool {
        let Deployment { status, trigger, source_id, .. } = &self.deployment;
        status.is_final() && trigger.builds() && (self.is_fetched || source_id.is_some())
    }
}

const VIEW: &str = "SELECT deployment.*, users.email AS created_by_email, parent.version AS parent_version,
        app.current_deployment_id IS NOT DISTINCT FROM deployment.id AS is_current,
        EXISTS (SELECT FROM paas_deployment_sources WHERE deployment_id = deployment.id) AS is_fetched
    FROM paas_deployments AS deployment
    JOIN paas_applications AS app ON app.id = deployment.application_id
    LEFT JOIN users ON users.id = deployment.created_by
    LEFT JOIN paas_deployments AS parent ON parent.id = deployment.parent_id";

impl Store {
    /// Deployments of an app, newest first, from before the one `before` on.
    pub async fn deployment_views(
        &self,
        app: AppId,
        before: Option<(DateTime<Utc>, DeploymentId)>,
        rows: i64,
    ) -> Result<Vec<DeploymentView>> {
        let sql = format!(
            "{VIEW} WHERE deployment.application_id = $1
             AND ($2::timestamptz IS NULL OR (deployment.created_at, deployment.id) < ($2, $3))
             ORDER BY deployment.created_at DESC, deployment.id DESC LIMIT $4"
        );
        Ok(sqlx::query_as(sqlx::AssertSqlSafe(sql))
            .bind(app)
            .bind(before.map(|(at, _)| at))
            .bind(before.map(|(_, id)| id))
            .bind(rows)
            .fetch_all(&self.pool)
            .await?)
    }

    /// A deployment of an app.
    pub async fn deployment_view(&self, app: AppId, id: DeploymentId) -> Result<DeploymentView> {
        let sql = format!("{VIEW} WHERE deployment.id = $2 AND deployment.application_id = $1");
        sqlx::query_as(sqlx::AssertSqlSafe(sql))
            .bind(app)
            .bind(id)
            .fetch_optional(&self.pool)
            .await?
            .ok_or_else(|| Error::NotFound("The app has no deployment of that id.".to_owned()))
    }
}
