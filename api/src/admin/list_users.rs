//! `GET /api/admin/paas/users`.

use axum::Json;
use axum::extract::State;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use skypanel_core::Error;
use skypanel_core::actions::Actions;
use skypanel_core::model::{Money, Role};
use skypanel_core::store::AdminUser;
use utoipa::ToSchema;
use uuid::Uuid;

use super::Search;
use crate::error::ApiError;
use crate::http::{AdminCaller, Answer, Listed, Page, QueryOf, schema};

/// A user as admins see them.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct UserItem {
    id: Uuid,
    email: String,
    /// Whether they administer the platform.
    is_admin: bool,
    /// When they were locked out; null if they are not.
    disabled_at: Option<DateTime<Utc>>,
    /// Whether a second factor is in force.
    has_second_factor: bool,
    /// When they last logged in to the dashboard.
    last_login_at: Option<DateTime<Utc>>,
    created_at: DateTime<Utc>,
    /// Their organisations, by name.
    organizations: Vec<UserOrganization>,
    /// Number of apps of these.
    #[schema(minimum = 0)]
    apps: i64,
    /// What these used in the month in dollars, as far as it is settled.
    #[schema(value_type = schema::Money)]
    cost_month: Money,
}

/// A membership.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
pub(crate) struct UserOrganization {
    id: Uuid,
    name: String,
    #[schema(value_type = schema::Role)]
    role: Role,
}

impl TryFrom<AdminUser> for UserItem {
    type Error = ApiError;

    fn try_from(user: AdminUser) -> Result<Self, ApiError> {
        let organizations = serde_json::from_value(user.organizations)
            .map_err(|error| Error::System(format!("The memberships of {} cannot be read: {error}.", user.id)))?;
        Ok(Self {
            id: user.id.0,
            email: user.email,
            is_admin: user.is_admin,
            disabled_at: user.disabled_at,
            has_second_factor: user.has_second_factor,
            last_login_at: user.last_login_at,
            created_at: user.created_at,
            organizations,
            apps: user.apps,
            cost_month: user.cost_month,
        })
    }
}

/// List all users
///
/// By e-mail address, with their organisations, and what apps these have and what they used.
#[utoipa::path(
    get,
    path = "/api/admin/paas/users",
    tag = "admin",
    params(Search, Page),
    responses((status = OK, body = Listed<UserItem>))
)]
pub(crate) async fn list_users(
    State(actions): State<Actions>,
    admin: AdminCaller,
    QueryOf(query): QueryOf<Search>,
    page: Page,
) -> Answer<Listed<UserItem>> {
    let after: Option<String> = page.after()?;
    let users = actions.admin_users(&admin, query.search.as_deref(), after.as_deref(), page.rows()).await?;
    let listed = page.list(users, |user| user.email.to_lowercase(), UserItem::try_from);
    let items = listed.items.into_iter().collect::<Result<_, _>>()?;
    Ok(Json(Listed { items, next_cursor: listed.next_cursor }))
}
