//! What admins of the platform see of all apps, organisations and users, and do with them.

mod change_user;
mod delete_organization;
mod limit_organization;
mod list_apps;
mod list_jobs;
mod list_organizations;
mod list_users;
mod resume_organization;
mod retry_job;
mod show_organization;
mod suspend_organization;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use skypanel_core::model::Money;
use skypanel_core::store::AdminOrganization;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use crate::http::{Shared, schema};

/// The routes.
pub(crate) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(list_apps::list_all_apps))
        .routes(routes!(list_organizations::list_all_organizations))
        .routes(routes!(
            show_organization::show_any_organization,
            limit_organization::limit_organization,
            delete_organization::delete_any_organization
        ))
        .routes(routes!(suspend_organization::suspend_organization))
        .routes(routes!(resume_organization::resume_organization))
        .routes(routes!(list_jobs::list_queued_jobs))
        .routes(routes!(retry_job::retry_job))
        .routes(routes!(list_users::list_users))
        .routes(routes!(change_user::change_user))
}

/// What to look for.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Search {
    /// Only what has this in its name, in whatever case.
    #[param(max_length = 100)]
    search: Option<String>,
}

/// An organisation as admins see it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AdminOrganizationItem {
    id: Uuid,
    name: String,
    created_at: DateTime<Utc>,
    /// When an admin suspended it, if one did.
    suspended_at: Option<DateTime<Utc>>,
    /// When its deletion was asked for; it goes with the last of its apps.
    deleting_at: Option<DateTime<Utc>>,
    /// How many members it has.
    members: i64,
    /// How many apps it has.
    apps: i64,
    /// Those of them that are meant to run.
    running_apps: i64,
    /// Those of them that are suspended.
    suspended_apps: i64,
    /// What is in its wallet.
    #[schema(value_type = schema::Money)]
    balance: Money,
    /// What its apps cost an hour.
    #[schema(value_type = schema::Money)]
    cost_per_hour: Money,
    /// What it used in the month, as far as it is settled.
    #[schema(value_type = schema::Money)]
    cost_month: Money,
    /// Whether its members may create apps.
    allow_app_creation: bool,
    /// Most apps; null: as the platform's settings say.
    max_apps: Option<i32>,
    /// Most deployments an hour; null: as the platform's settings say.
    max_deployments_per_hour: Option<i32>,
    /// Most builds at once; null: as the platform's settings say.
    max_concurrent_builds: Option<i32>,
}

impl From<AdminOrganization> for AdminOrganizationItem {
    fn from(organization: AdminOrganization) -> Self {
        Self {
            id: organization.id.0,
            name: organization.name,
            created_at: organization.created_at,
            suspended_at: organization.suspended_at,
            deleting_at: organization.deleting_at,
            members: organization.members,
            apps: organization.apps,
            running_apps: organization.running_apps,
            suspended_apps: organization.suspended_apps,
            balance: organization.balance,
            cost_per_hour: organization.cost_per_hour,
            cost_month: organization.cost_month,
            allow_app_creation: organization.allow_app_creation,
            max_apps: organization.max_apps,
            max_deployments_per_hour: organization.max_deployments_per_hour,
            max_concurrent_builds: organization.max_concurrent_builds,
        }
    }
}
