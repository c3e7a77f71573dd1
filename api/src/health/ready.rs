//! `GET /api/health/ready`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

use super::{Health, Needed};

/// Whether requests can be served.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Readiness {
    /// `ok`, or `failed` when anything below failed.
    #[schema(example = "ok")]
    status: &'static str,
    /// Whether they can.
    ready: bool,
    checks: Needed,
}

/// Show readiness
///
/// For load balancers: 200 while what requests need answers, else 503. It waits for nothing else.
#[utoipa::path(
    get,
    path = "/api/health/ready",
    tag = "health",
    security(()),
    responses(
        (status = OK, body = Readiness),
        (status = SERVICE_UNAVAILABLE, description = "Something that requests need does not answer.", body = Readiness)
    )
)]
pub(crate) async fn show_readiness(State(health): State<Arc<Health>>) -> (StatusCode, Json<Readiness>) {
    let checks = health.needed().await;
    let ready = checks.is_ready();
    let (code, status) = if ready { (StatusCode::OK, "ok") } else { (StatusCode::SERVICE_UNAVAILABLE, "failed") };
    (code, Json(Readiness { status, ready, checks }))
}
