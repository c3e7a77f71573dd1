//! `DELETE /api/paas/apps/{app}/domains/{domain}`.

use axum::extract::State;
use axum::http::StatusCode;
use skypanel_core::actions::Actions;
use skypanel_core::model::{AppRef, DomainRef};

use crate::error::ApiError;
use crate::http::{Caller, PathOf};

/// Remove a domain from an app
///
/// It is routed no more within seconds.
#[utoipa::path(
    delete,
    path = "/api/paas/apps/{app}/domains/{domain}",
    tag = "domains",
    params(
        ("app" = String, Path, description = "Slug or id of the app"),
        ("domain" = String, Path, description = "Name or id of the domain"),
    ),
    responses((status = NO_CONTENT))
)]
pub(crate) async fn remove_domain(
    State(actions): State<Actions>,
    caller: Caller,
    PathOf((app, domain)): PathOf<(AppRef, DomainRef)>,
) -> Result<StatusCode, ApiError> {
    actions.remove_domain(&caller, &app, &domain).await?;
    Ok(StatusCode::NO_CONTENT)
}
