//! `GET /api/admin/paas/apps`.

use axum::Json;
use axum::extract::State;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use skypanel_core::actions::Actions;
use skypanel_core::model::{AppStatus, Money, OrganizationId, SuspensionReason};
use skypanel_core::store::{AdminApp, AdminAppFilter};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::http::{AdminCaller, Answer, Listed, Page, QueryOf, schema};

/// Which apps to list; all that are given must fit.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct AppsQuery {
    /// Of an organisation.
    organization_id: Option<Uuid>,
    /// In a status.
    #[param(value_type = Option<schema::AppStatus>)]
    status: Option<AppStatus>,
    /// With this in its name, in whatever case.
    #[param(max_length = 100)]
    search: Option<String>,
}

/// An app as admins see it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AdminAppItem {
    id: Uuid,
    /// Its unique name.
    slug: String,
    /// Its name for people.
    name: String,
    #[schema(value_type = schema::AppStatus)]
    status: AppStatus,
    /// Why it is suspended, if it is.
    #[schema(value_type = Option<schema::SuspensionReason>)]
    suspended_reason: Option<SuspensionReason>,
    organization_id: Uuid,
    /// Name of its organisation.
    organization: String,
    /// Name of its plan.
    plan: String,
    /// Number of the release that should be running; null before the first.
    version: Option<i32>,
    /// Replicas that are meant to run.
    replicas: i64,
    /// What they cost an hour.
    #[schema(value_type = schema::Money)]
    cost_per_hour: Money,
    /// What it used in the month, as far as it is settled.
    #[schema(value_type = schema::Money)]
    cost_month: Money,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

impl From<AdminApp> for AdminAppItem {
    fn from(app: AdminApp) -> Self {
        Self {
            id: app.id.0,
            slug: app.slug.to_string(),
            name: app.name,
            status: app.status,
            suspended_reason: app.suspended_reason,
            organization_id: app.organization_id.0,
            organization: app.organization_name,
            plan: app.plan_name,
            version: app.version.map(|version| version.0),
            replicas: app.replicas,
            cost_per_hour: app.cost_per_hour,
            cost_month: app.cost_month,
            created_at: app.created_at,
            updated_at: app.updated_at,
        }
    }
}

/// List all apps
///
/// The apps of all organisations, by slug, with what they cost.
#[utoipa::path(
    get,
    path = "/api/admin/paas/apps",
    tag = "admin",
    params(AppsQuery, Page),
    responses((status = OK, body = Listed<AdminAppItem>))
)]
pub(crate) async fn list_all_apps(
    State(actions): State<Actions>,
    _admin: AdminCaller,
    QueryOf(query): QueryOf<AppsQuery>,
    page: Page,
) -> Answer<Listed<AdminAppItem>> {
    let filter = AdminAppFilter {
        organization: query.organization_id.map(OrganizationId),
        status: query.status,
        search: query.search,
    };
    let after: Option<String> = page.after()?;
    let apps = actions.store.admin_apps(&filter, after.as_deref(), page.rows()).await?;
    Ok(Json(page.list(apps, |app| app.slug.to_string(), AdminAppItem::from)))
}
