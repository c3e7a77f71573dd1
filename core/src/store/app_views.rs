//! Apps as lists and pages show them: with the names of what they belong to.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::Store;
use crate::model::{AppId, AppSlug, AppStatus, Application, Money, OrganizationId, ReleaseVersion};
use crate::{Error, Result};

/// An app with what is shown of it.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct AppView {
    /// The app.
    #[sqlx(flatten)]
    pub app: Application,
    /// Its name for people; the slug unless they chose another.
    pub name: String,
    /// The repository it is built from when it is not pushed to.
    pub git_url: Option<String>,
    /// Whether a webhook of that repository's host deploys.
    pub auto_deploy: bool,
    /// Name of its organisation.
    pub organization_name: String,
    /// Name of its plan.
    pub plan_name: String,
    /// Replicas of its `web` process that are asked for.
    #[sqlx(try_from = "i32")]
    pub replicas: u32,
    /// What an hour of all that is metered of it now costs; zero of what does not run.
    pub cost_per_hour: Money,
    /// The release that should be running.
    pub version: Option<ReleaseVersion>,
    /// When it was last changed.
    pub updated_at: DateTime<Utc>,
}

/// Which apps to list.
#[derive(Clone, Debug, Default)]
pub struct AppFilter {
    /// Only those of these organisations; of all for none.
    pub organizations: Option<Vec<OrganizationId>>,
    /// Only those in this status.
    pub status: Option<AppStatus>,
}

const VIEW: &str =
    "SELECT app.id, app.organization_id, app.slug, app.subdomain, app.git_branch, app.buildpack, app.stack,
        app.status, app.suspended_reason, app.plan_id, app.price_per_hour, app.health_check_path,
        app.health_check_protocol, app.health_check_port, app.health_check_expected_status,
        app.health_check_interval_seconds, app.health_check_timeout_seconds, app.health_check_retries,
        app.health_check_start_seconds, app.replicas,
        app.current_deployment_id, app.config_version, app.restart_count, app.created_at,
        app.name, app.git_url, app.auto_deploy, app.updated_at,
        organization.name AS organization_name, plan.name AS plan_name, deployment.version,
        (SELECT coalesce(sum(price_per_hour * replicas), 0) FROM paas_metering
         WHERE application_id = app.id AND ended_at IS NULL) AS cost_per_hour
    FROM paas_applications AS app
    JOIN organizations AS organization ON organization.id = app.organization_id
    JOIN paas_plans AS plan ON plan.id = app.plan_id
    LEFT JOIN paas_deployments AS deployment ON deployment.id = app.current_deployment_id";

impl Store {
    /// Apps by slug, from after the slug `after` on.
    pub async fn app_views(&self, filter: &AppFilter, after: Option<&AppSlug>, rows: i64) -> Result<Vec<AppView>> {
        let sql = format!(
            "{VIEW} WHERE ($1::uuid[] IS NULL OR app.organization_id = ANY ($1)) AND ($2::text IS NULL OR app.status = $2)
             AND app.slug > $3 ORDER BY app.slug LIMIT $4"
        );
        let organizations = filter.organizations.as_ref().map(|ids| ids.iter().map(|id| id.0).collect::<Vec<_>>());
        Ok(sqlx::query_as(sqlx::AssertSqlSafe(sql))
            .bind(organizations)
            .bind(filter.status)
            // Every name comes after the empty one; a plan for all values then begins where the page does.
            .bind(after.map_or("", AppSlug::as_str))
            .bind(rows)
            .fetch_all(&self.pool)
            .await?)
    }

    /// The ids of all apps of these organisations.
    pub async fn app_ids_of(&self, organizations: &[OrganizationId]) -> Result<Vec<AppId>> {
        let organizations: Vec<_> = organizations.iter().map(|id| id.0).collect();
        Ok(sqlx::query_scalar("SELECT id FROM paas_applications WHERE organization_id = ANY ($1)")
            .bind(organizations)
            .fetch_all(&self.pool)
            .await?)
    }

    /// The app of that id as it is shown.
    pub async fn app_view(&self, app: AppId) -> Result<AppView> {
        view(&mut *self.pool.acquire().await?, app).await
    }
}

/// The app of that id as it is shown, as this transaction sees it.
pub(crate) async fn view(connection: &mut PgConnection, app: AppId) -> Result<AppView> {
    let sql = format!("{VIEW} WHERE app.id = $1");
    sqlx::query_as(sqlx::AssertSqlSafe(sql))
        .bind(app)
        .fetch_optional(connection)
        .await?
        .ok_or_else(|| Error::NotFound("That app does not exist any more.".to_owned()))
}
