//! `GET /api/health/live`.

use axum::Json;
use serde::Serialize;
use utoipa::ToSchema;

/// That this process answers.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Liveness {
    /// `ok`.
    #[schema(example = "ok")]
    status: &'static str,
}

/// Show liveness
///
/// Whether this process answers, whatever it depends on does: what decides on a restart.
#[utoipa::path(
    get,
    path = "/api/health/live",
    tag = "health",
    security(()),
    responses((status = OK, body = Liveness))
)]
pub(crate) async fn show_liveness() -> Json<Liveness> {
    Json(Liveness { status: "ok" })
}
