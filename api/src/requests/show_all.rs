//! `GET /api/admin/paas/requests`.

use axum::Json;
use axum::extract::State;

use super::RequestsAnswer;
use crate::error::ErrorBody;
use crate::http::{AdminCaller, Answer, Shared};

/// Show all requests
///
/// How many requests the apps of all organisations get.
#[utoipa::path(
    get,
    path = "/api/admin/paas/requests",
    tag = "admin",
    responses(
        (status = OK, body = RequestsAnswer),
        (status = BAD_GATEWAY, description = "The measurements cannot be read.", body = ErrorBody)
    )
)]
pub(crate) async fn show_all_requests(State(shared): State<Shared>, _admin: AdminCaller) -> Answer<RequestsAnswer> {
    Ok(Json(shared.requests.of(|_| true).await?))
}
