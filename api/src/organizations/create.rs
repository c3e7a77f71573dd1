//! `POST /api/organizations`.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use skypanel_core::actions::Actions;
use skypanel_core::model::Role;
use utoipa::ToSchema;

use super::list::OrganizationItem;
use crate::error::{ApiError, ErrorBody};
use crate::http::{Caller, ValidJson};

/// Which organisation to make.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct OrganizationRequest {
    /// Up to 39 lower-case letters, digits and dashes.
    #[schema(example = "acme", pattern = "^[a-z0-9][a-z0-9-]{0,38}$")]
    name: String,
}

/// Make an organisation
///
/// The caller becomes its owner. Its wallet is empty.
#[utoipa::path(
    post, path = "/api/organizations", tag = "organizations", request_body = OrganizationRequest,
    responses(
        (status = CREATED, body = OrganizationItem),
        (status = CONFLICT, body = ErrorBody, description = "The name is taken, or the caller owns too many."),
    ),
)]
pub(crate) async fn create_organization(
    State(actions): State<Actions>,
    caller: Caller,
    ValidJson(request): ValidJson<OrganizationRequest>,
) -> Result<(StatusCode, Json<OrganizationItem>), ApiError> {
    let organization = actions.create_organization(&caller, &request.name).await?;
    Ok((StatusCode::CREATED, Json(OrganizationItem::new(organization, Role::Owner))))
}
