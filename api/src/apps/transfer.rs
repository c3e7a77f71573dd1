//! `POST /api/paas/apps/{app}/transfer`.

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use skypanel_core::actions::Actions;
use skypanel_core::model::{AppRef, OrganizationRef};
use utoipa::ToSchema;

use super::AppItem;
use crate::error::ErrorBody;
use crate::http::{Answer, Caller, PathOf, ValidJson};

/// Where an app goes.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Transfer {
    /// The organisation that gets it, by name or id.
    #[schema(value_type = String)]
    organization: OrganizationRef,
}

/// Move an app to another organisation
///
/// For owners of both. It runs on with its releases, config vars, domains and logs; what is being built is cancelled. What
/// it used until now stays the old organisation's to pay. The new one must have room and money for it.
#[utoipa::path(
    post,
    path = "/api/paas/apps/{app}/transfer",
    tag = "apps",
    params(("app" = String, Path, description = "Its slug or id")),
    request_body = Transfer,
    responses(
        (status = OK, body = AppItem),
        (status = CONFLICT, description = "It was moved or destroyed meanwhile.", body = ErrorBody)
    )
)]
pub(crate) async fn transfer_app(
    State(actions): State<Actions>,
    caller: Caller,
    PathOf(app): PathOf<AppRef>,
    ValidJson(transfer): ValidJson<Transfer>,
) -> Answer<AppItem> {
    Ok(Json(actions.transfer_app(&caller, &app, &transfer.organization).await?.into()))
}
