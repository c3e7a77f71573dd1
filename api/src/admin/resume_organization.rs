//! `POST /api/admin/paas/organizations/{organization}/resume`.

use axum::Json;
use axum::extract::State;
use skypanel_core::actions::Actions;
use skypanel_core::model::OrganizationRef;

use super::AdminOrganizationItem;
use crate::error::ErrorBody;
use crate::http::{AdminCaller, Answer, PathOf};

/// Resume an organisation
///
/// Ends its suspension: its apps go on as they were, but for those that an empty wallet holds. One that is not suspended
/// stays as it is.
#[utoipa::path(
    post,
    path = "/api/admin/paas/organizations/{organization}/resume",
    tag = "admin",
    params(("organization" = String, Path, description = "Its name or id")),
    responses(
        (status = OK, body = AdminOrganizationItem),
        (status = CONFLICT, description = "It is being deleted.", body = ErrorBody)
    )
)]
pub(crate) async fn resume_organization(
    State(actions): State<Actions>,
    admin: AdminCaller,
    PathOf(organization): PathOf<OrganizationRef>,
) -> Answer<AdminOrganizationItem> {
    Ok(Json(actions.resume_organization(&admin, &organization).await?.into()))
}
