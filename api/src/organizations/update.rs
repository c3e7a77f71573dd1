//! `PATCH /api/organizations/{organization}`.

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use skypanel_core::actions::Actions;
use skypanel_core::model::{OrganizationRef, Role};
use utoipa::ToSchema;

use super::list::OrganizationItem;
use crate::http::{Answer, Caller, PathOf, ValidJson};

/// What to change.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct OrganizationChange {
    /// Whether members may create apps. An admin's word against it holds all the same.
    allow_app_creation: bool,
}

/// Change an organisation
///
/// For owners.
#[utoipa::path(
    patch, path = "/api/organizations/{organization}", tag = "organizations", request_body = OrganizationChange,
    params(("organization" = String, Path, description = "Name or id.")),
    responses((status = OK, body = OrganizationItem)),
)]
pub(crate) async fn update_organization(
    State(actions): State<Actions>,
    caller: Caller,
    PathOf(name): PathOf<OrganizationRef>,
    ValidJson(change): ValidJson<OrganizationChange>,
) -> Answer<OrganizationItem> {
    let organization = actions.set_app_creation(&caller, &name, change.allow_app_creation).await?;
    Ok(Json(OrganizationItem::new(organization, Role::Owner)))
}
