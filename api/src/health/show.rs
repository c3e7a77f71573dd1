//! `GET /api/health`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

use super::check::Check;
use super::{Beside, Health, Needed};

/// Whether everything answers.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct Report {
    /// `ok`, or `degraded` when anything below failed.
    #[schema(example = "ok")]
    status: &'static str,
    /// Whether this process answers at all: true.
    live: bool,
    /// Whether requests can be served: database, queue and blobs answer. What only looks at the store goes on without
    /// the rest.
    ready: bool,
    checks: Checks,
    /// Version of Skypanel.
    version: &'static str,
}

/// What Skypanel depends on.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct Checks {
    /// PostgreSQL.
    database: Check,
    /// The job queue's tables.
    queue: Check,
    /// Where sources, slugs and caches are kept.
    blobs: Check,
    /// The container engine's Swarm.
    engine: Check,
    /// The edge of the host that this process runs on; `off` where it has none.
    edge: Check,
    /// The mail server of the settings: whether it greets. Looked at once a minute.
    mail: Check,
    /// The Loki of the settings: whether it answers a query.
    log_store: Check,
    /// The Prometheus of the settings: whether it answers a query.
    metrics: Check,
}

/// Show health
///
/// Every dependency with the time its answer took. 503 while a request cannot be served.
#[utoipa::path(
    get,
    path = "/api/health",
    tag = "health",
    security(()),
    responses(
        (status = OK, body = Report),
        (status = SERVICE_UNAVAILABLE, description = "Something that requests need does not answer.", body = Report)
    )
)]
pub(crate) async fn show_health(State(health): State<Arc<Health>>) -> (StatusCode, Json<Report>) {
    let (needed, beside) = tokio::join!(health.needed(), health.beside());
    let ready = needed.is_ready();
    let status = if ready && beside.is_well() { "ok" } else { "degraded" };
    let Needed { database, queue, blobs } = needed;
    let Beside { engine, edge, mail, log_store, metrics } = beside;
    let checks = Checks { database, queue, blobs, engine, edge, mail, log_store, metrics };
    let report = Report { status, live: true, ready, checks, version: env!("CARGO_PKG_VERSION") };
    (if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }, Json(report))
}
