//! `GET /api/health`: whether everything that Skypanel depends on answers, for load balancers and operators.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use skypanel_core::blob::Blobs;
use skypanel_core::store::Store;
use tokio::sync::Mutex;

/// Longest one dependency may take to answer.
const CHECK_LIMIT: Duration = Duration::from_secs(5);
/// How long a result is given again: a crowd that asks must not load what it asks about.
const KEPT: Duration = Duration::from_secs(2);

/// Checks the dependencies, one check at a time.
pub(crate) struct Health {
    store: Store,
    blobs: Blobs,
    last: Mutex<Option<(Instant, Report)>>,
}

/// What is answered.
#[derive(Clone, Debug, Serialize)]
struct Report {
    status: &'static str,
    checks: Checks,
    version: &'static str,
}

#[derive(Clone, Debug, Serialize)]
struct Checks {
    database: Check,
    blobs: Check,
}

/// The outcome of one check. Reasons go to the log only: this answer is public.
#[derive(Clone, Debug, Serialize)]
struct Check {
    status: &'static str,
    milliseconds: u64,
}

impl Health {
    /// Checks these dependencies.
    pub(crate) fn new(store: Store, blobs: Blobs) -> Self {
        Self { store, blobs, last: Mutex::new(None) }
    }

    async fn report(&self) -> Report {
        let mut last = self.last.lock().await;
        if let Some((at, report)) = last.as_ref()
            && at.elapsed() < KEPT
        {
            return report.clone();
        }
        let (database, blobs) = tokio::join!(check("database", self.store.ping()), check("blobs", self.blobs.probe()));
        let healthy = database.status == "ok" && blobs.status == "ok";
        let report = Report {
            status: if healthy { "ok" } else { "degraded" },
            checks: Checks { database, blobs },
            version: env!("CARGO_PKG_VERSION"),
        };
        *last = Some((Instant::now(), report.clone()));
        report
    }
}

async fn check<E: std::error::Error>(what: &str, work: impl Future<Output = Result<(), E>>) -> Check {
    let started = Instant::now();
    let status = match tokio::time::timeout(CHECK_LIMIT, work).await {
        Ok(Ok(())) => "ok",
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

/// 200 with `"status":"ok"`, or 503 with `"status":"degraded"` and which check failed.
pub(crate) async fn show(State(health): State<Arc<Health>>) -> Response {
    let report = health.report().await;
    let status = if report.status == "ok" { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, [(header::CACHE_CONTROL, "no-store")], Json(report)).into_response()
}
