//! `GET /api/health` and its kin: whether everything that Skypanel depends on answers, for load balancers and
//! operators. Public; reasons go to the log only.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Serialize;
use skypanel_core::blob::Blobs;
use skypanel_core::store::Store;
use tokio::sync::Mutex;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::http::Shared;
use crate::nodes::Nodes;

/// Longest one dependency may take to answer.
const CHECK_LIMIT: Duration = Duration::from_secs(5);
/// How long a result is given again: a crowd that asks must not load what it asks about.
const KEPT: Duration = Duration::from_secs(2);

/// The routes.
pub(crate) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(show_health)).routes(routes!(show_liveness)).routes(routes!(show_readiness))
}

/// Checks the dependencies, one check at a time.
pub(crate) struct Health {
    store: Store,
    blobs: Blobs,
    nodes: Arc<Nodes>,
    last: Mutex<Option<(Instant, Report)>>,
}

/// Whether everything answers.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct Report {
    /// `ok`, or `degraded` when anything below failed.
    #[schema(example = "ok")]
    status: &'static str,
    /// Whether this process answers at all: true.
    live: bool,
    /// Whether requests can be served: what they need answers. The engine is not part of that: what only looks at the
    /// store goes on without it.
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
}

/// The outcome of one check.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct Check {
    /// `ok` or `failed`.
    #[schema(example = "ok")]
    status: &'static str,
    /// How long its answer took.
    milliseconds: u64,
}

/// That this process answers.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Liveness {
    /// `ok`.
    #[schema(example = "ok")]
    status: &'static str,
}

impl Health {
    /// Checks these dependencies.
    pub(crate) fn new(store: Store, blobs: Blobs, nodes: Arc<Nodes>) -> Self {
        Self { store, blobs, nodes, last: Mutex::new(None) }
    }

    async fn report(&self) -> Report {
        let mut last = self.last.lock().await;
        if let Some((at, report)) = last.as_ref()
            && at.elapsed() < KEPT
        {
            return report.clone();
        }
        let (database, queue, blobs, engine) = tokio::join!(
            check("database", self.store.ping()),
            check("queue", self.store.queue()),
            check("blobs", self.blobs.probe()),
            check("engine", self.nodes.list()),
        );
        let is_ok = |check: &Check| check.status == "ok";
        let ready = [&database, &queue, &blobs].into_iter().all(is_ok);
        let report = Report {
            status: if ready && is_ok(&engine) { "ok" } else { "degraded" },
            live: true,
            ready,
            checks: Checks { database, queue, blobs, engine },
            version: env!("CARGO_PKG_VERSION"),
        };
        *last = Some((Instant::now(), report.clone()));
        report
    }
}

async fn check<T, E: std::error::Error>(what: &str, work: impl Future<Output = Result<T, E>>) -> Check {
    let started = Instant::now();
    let status = match tokio::time::timeout(CHECK_LIMIT, work).await {
        Ok(Ok(_)) => "ok",
        Ok(Err(error)) => {
            tracing::warn!(what, %error, "a health check failed");
            "failed"
        }
        Err(_) => {
            tracing::warn!(what, limit = ?CHECK_LIMIT, "a health check got no answer in time");
            "failed"
        }
    };
    Check { status, milliseconds: u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX) }
}

async fn answer(health: &Health) -> (StatusCode, Json<Report>) {
    let report = health.report().await;
    (if report.ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }, Json(report))
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
    answer(&health).await
}

/// Show readiness
///
/// The same, for load balancers: 200 while requests can be served, else 503.
#[utoipa::path(
    get,
    path = "/api/health/ready",
    tag = "health",
    security(()),
    responses(
        (status = OK, body = Report),
        (status = SERVICE_UNAVAILABLE, description = "Something that requests need does not answer.", body = Report)
    )
)]
pub(crate) async fn show_readiness(State(health): State<Arc<Health>>) -> (StatusCode, Json<Report>) {
    answer(&health).await
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
