//! `GET /api/organizations`.

use axum::Json;
use chrono::{DateTime, Utc};
use serde::Serialize;
use skypanel_core::model::{Organization, Role};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::http::{Answer, Caller, LargePage, Listed, schema};

/// An organisation as its members see it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct OrganizationItem {
    id: Uuid,
    /// Unique name.
    name: String,
    /// What the caller is in it.
    #[schema(value_type = schema::Role)]
    role: Role,
    /// Whether members may create apps, as an owner says.
    allow_app_creation: bool,
    /// Whether the platform's admins leave that to the owners; if not, members create none.
    admin_allows_app_creation: bool,
    /// Set while an admin or an empty wallet holds its apps.
    suspended_at: Option<DateTime<Utc>>,
}

impl OrganizationItem {
    pub(super) fn new(organization: Organization, role: Role) -> Self {
        Self {
            id: organization.id.0,
            name: organization.name,
            role,
            allow_app_creation: organization.owners_allow_app_creation,
            admin_allows_app_creation: organization.allow_app_creation,
            suspended_at: organization.suspended_at,
        }
    }
}

/// List organisations
///
/// Those that the caller is a member of, by name.
#[utoipa::path(
    get, path = "/api/organizations", tag = "organizations",
    params(LargePage),
    responses((status = OK, body = Listed<OrganizationItem>)),
)]
pub(crate) async fn list_organizations(caller: Caller, page: LargePage) -> Answer<Listed<OrganizationItem>> {
    let memberships = caller.identity.iter().flat_map(|identity| identity.memberships.clone()).collect();
    let show = |(organization, role)| OrganizationItem::new(organization, role);
    Ok(Json(page.cut(memberships, |(organization, _)| organization.name.clone(), show)?))
}
