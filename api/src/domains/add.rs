//! `POST /api/paas/apps/{app}/domains`.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use skypanel_core::actions::Actions;
use skypanel_core::model::AppRef;
use utoipa::ToSchema;

use super::DomainItem;
use crate::error::{ApiError, ErrorBody};
use crate::http::{Caller, PathOf, ValidJson};

/// A domain to add.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewDomain {
    /// Such as `www.example.com`; international names as people write them, or in ASCII.
    #[schema(example = "www.example.com")]
    domain: String,
}

/// Add a domain to an app
///
/// The answer says which DNS records it needs. It is routed once they are found: looked up from a minute later on with
/// ever longer pauses for a week, or at once with `verify`. Refused: wildcards, addresses, names that everybody
/// registers below, the platform's own names, and (409) a domain that is active for another app.
#[utoipa::path(
    post,
    path = "/api/paas/apps/{app}/domains",
    tag = "domains",
    params(("app" = String, Path, description = "Slug or id of the app")),
    request_body = NewDomain,
    responses((status = CREATED, body = DomainItem), (status = CONFLICT, body = ErrorBody))
)]
pub(crate) async fn add_domain(
    State(actions): State<Actions>,
    caller: Caller,
    PathOf(app): PathOf<AppRef>,
    ValidJson(new): ValidJson<NewDomain>,
) -> Result<(StatusCode, Json<DomainItem>), ApiError> {
    let added = actions.add_domain(&caller, &app, &new.domain.parse()?).await?;
    Ok((StatusCode::CREATED, Json(added.into())))
}
