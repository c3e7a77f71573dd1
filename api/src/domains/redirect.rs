//! `PATCH /api/paas/apps/{app}/domains`.

use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use skypanel_core::actions::Actions;
use skypanel_core::model::AppRef;
use utoipa::ToSchema;

use crate::error::ApiError;
use crate::http::{Caller, PathOf, ValidJson};

/// How an app's domains are served.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct DomainChoice {
    /// Whether plain HTTP on its own domains is sent on to HTTPS.
    https_redirect: bool,
}

/// Switch redirects to HTTPS on or off
///
/// On for new apps. A domain is only redirected once the edge serves a certificate for it.
#[utoipa::path(
    patch,
    path = "/api/paas/apps/{app}/domains",
    tag = "domains",
    params(("app" = String, Path, description = "Slug or id of the app")),
    request_body = DomainChoice,
    responses((status = NO_CONTENT))
)]
pub(crate) async fn set_https_redirect(
    State(actions): State<Actions>,
    caller: Caller,
    PathOf(app): PathOf<AppRef>,
    ValidJson(choice): ValidJson<DomainChoice>,
) -> Result<StatusCode, ApiError> {
    actions.set_https_redirect(&caller, &app, choice.https_redirect).await?;
    Ok(StatusCode::NO_CONTENT)
}
