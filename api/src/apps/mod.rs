//! Apps: listed, made, shown, changed, moved, destroyed.

mod create;
mod destroy;
mod edit;
mod list;
mod show;
mod transfer;

use chrono::{DateTime, Utc};
use serde::Serialize;
use skypanel_core::model::{AppStatus, ExpectedStatus, HealthProtocol, Money, SuspensionReason};
use skypanel_core::store::AppView;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use crate::http::{Shared, schema};

/// The routes.
pub(crate) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(list::list_apps, create::create_app))
        .routes(routes!(show::show_app, edit::edit_app, destroy::destroy_app))
        .routes(routes!(transfer::transfer_app))
}

/// An app.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AppItem {
    id: Uuid,
    /// Its unique name, as in the address of its repository.
    slug: String,
    /// Its name for people.
    name: String,
    organization_id: Uuid,
    organization: String,
    #[schema(value_type = schema::AppStatus)]
    status: AppStatus,
    /// Why it is suspended, where that is known.
    #[schema(value_type = Option<schema::SuspensionReason>)]
    suspended_reason: Option<SuspensionReason>,
    /// The label before the platform's default domain.
    subdomain: String,
    /// The repository it is built from when it is not pushed to.
    git_url: Option<String>,
    /// The branch that is released.
    git_branch: String,
    /// Whether a webhook deploys.
    auto_deploy: bool,
    /// A chosen buildpack; null for detection.
    buildpack: Option<String>,
    stack: String,
    /// HTTP path of the health check; null for `/health` if that answers, else the port.
    health_check_path: Option<String>,
    /// `http` or `tcp`; null for HTTP where a path or statuses are chosen, else HTTP where that works.
    #[schema(value_type = Option<String>)]
    health_check_protocol: Option<HealthProtocol>,
    /// The port that the health check asks on; null for the one that requests go to.
    health_check_port: Option<i32>,
    /// The statuses that count as healthy, such as `200-299,401`; null for 200 to 399.
    #[schema(value_type = Option<String>)]
    health_check_expected_status: Option<ExpectedStatus>,
    /// Seconds between two health checks of a healthy replica; like the three numbers below, null for the platform's
    /// setting.
    health_check_interval_seconds: Option<i32>,
    /// Seconds that a health check may wait for its answer.
    health_check_timeout_seconds: Option<i32>,
    /// Failed health checks in a row after which a replica is replaced.
    health_check_retries: Option<i32>,
    /// Seconds that a new replica may take until it is healthy.
    health_check_start_seconds: Option<i32>,
    /// Replicas of its `web` process that are asked for.
    replicas: u32,
    plan_id: Uuid,
    plan: String,
    /// What an hour of a replica costs.
    #[schema(value_type = schema::Money)]
    price_per_hour: Money,
    /// What an hour of everything that runs of it now costs; zero where nothing runs.
    #[schema(value_type = schema::Money)]
    cost_per_hour: Money,
    /// The deployment that should be running.
    current_deployment_id: Option<Uuid>,
    /// Its release number, as in `v12`.
    version: Option<i32>,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

impl From<AppView> for AppItem {
    fn from(view: AppView) -> Self {
        let app = view.app;
        Self {
            id: app.id.0,
            slug: app.slug.to_string(),
            name: view.name,
            organization_id: app.organization_id.0,
            organization: view.organization_name,
            status: app.status,
            suspended_reason: app.suspended_reason,
            subdomain: app.subdomain,
            git_url: view.git_url,
            git_branch: app.git_branch,
            auto_deploy: view.auto_deploy,
            buildpack: app.buildpack,
            stack: app.stack,
            health_check_path: app.health_check_path,
            health_check_protocol: app.health_target.protocol,
            health_check_port: app.health_target.port,
            health_check_expected_status: app.health_target.expected_status,
            health_check_interval_seconds: app.health.interval_seconds,
            health_check_timeout_seconds: app.health.timeout_seconds,
            health_check_retries: app.health.retries,
            health_check_start_seconds: app.health.start_seconds,
            replicas: view.replicas,
            plan_id: app.plan_id.0,
            plan: view.plan_name,
            price_per_hour: app.price_per_hour,
            cost_per_hour: view.cost_per_hour,
            current_deployment_id: app.current_deployment_id.map(|id| id.0),
            version: view.version.map(|version| version.0),
            created_at: app.created_at,
            updated_at: view.updated_at,
        }
    }
}
