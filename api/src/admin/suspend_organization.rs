//! `POST /api/admin/paas/organizations/{organization}/suspend`.

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use skypanel_core::actions::Actions;
use skypanel_core::model::OrganizationRef;
use utoipa::ToSchema;

use super::AdminOrganizationItem;
use crate::http::{AdminCaller, Answer, PathOf, ValidJson};

/// Why.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct WantedSuspension {
    /// For the audit log.
    #[schema(max_length = 1000)]
    reason: Option<String>,
}

/// Suspend an organisation
///
/// Stops all its apps, and refuses deployments, until an admin resumes it. One that is suspended stays as it is.
#[utoipa::path(
    post,
    path = "/api/admin/paas/organizations/{organization}/suspend",
    tag = "admin",
    params(("organization" = String, Path, description = "Its name or id")),
    request_body = WantedSuspension,
    responses((status = OK, body = AdminOrganizationItem))
)]
pub(crate) async fn suspend_organization(
    State(actions): State<Actions>,
    admin: AdminCaller,
    PathOf(organization): PathOf<OrganizationRef>,
    ValidJson(wanted): ValidJson<WantedSuspension>,
) -> Answer<AdminOrganizationItem> {
    Ok(Json(actions.suspend_organization(&admin, &organization, wanted.reason.as_deref()).await?.into()))
}
