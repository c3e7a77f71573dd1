//! `GET /api/paas/requests`.

use std::collections::HashSet;

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use skypanel_core::model::OrganizationRef;
use utoipa::IntoParams;

use super::RequestsAnswer;
use crate::error::ErrorBody;
use crate::http::{Answer, Caller, QueryOf, Shared};

/// Of which apps.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct RequestsQuery {
    /// Only those of this organisation, by name or id.
    #[param(value_type = Option<String>)]
    organization: Option<OrganizationRef>,
}

/// Show requests
///
/// How many requests the apps of the caller's organisations get. The list of apps does without it, so that neither
/// waits for the other.
#[utoipa::path(
    get,
    path = "/api/paas/requests",
    tag = "apps",
    params(RequestsQuery),
    responses(
        (status = OK, body = RequestsAnswer),
        (status = BAD_GATEWAY, description = "The measurements cannot be read.", body = ErrorBody)
    )
)]
pub(crate) async fn show_requests(
    State(shared): State<Shared>,
    caller: Caller,
    QueryOf(query): QueryOf<RequestsQuery>,
) -> Answer<RequestsAnswer> {
    let apps = shared.actions.app_ids(&caller, query.organization.as_ref()).await?;
    let apps: HashSet<_> = apps.into_iter().collect();
    Ok(Json(shared.requests.of(|app| apps.contains(app)).await?))
}
