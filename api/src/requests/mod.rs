//! How many requests apps get: of one caller's apps and of all, for lists that show it beside each.

mod show;
mod show_all;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::Serialize;
use skypanel_core::clock::Clock;
use skypanel_core::measurements::{Measurements, TRAFFIC_SPAN, Traffic};
use skypanel_core::model::AppId;
use skypanel_core::{Error, Result};
use tokio::sync::Mutex;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use crate::http::Shared;

/// Longest that reading the measurements may take.
const ANSWER_LIMIT: Duration = Duration::from_secs(5);
/// How long what was read is given again: it is read of all apps at once, and measured half as often.
const KEPT: Duration = Duration::from_secs(5);

/// The routes.
pub(crate) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(show::show_requests)).routes(routes!(show_all::show_all_requests))
}

/// How many requests apps get.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RequestsAnswer {
    /// How far back they were counted, in seconds.
    #[schema(minimum = 1, example = 300)]
    span_seconds: u64,
    /// Requests a minute by the id of the app, as a mean over that time. An app of which nothing is measured is not
    /// there: one that never ran, or that had no request since the edge was started.
    #[schema(value_type = BTreeMap<String, f64>, example = json!({ "0199d1c5-3f0e-7c3b-9a55-0d1f6a0c3b11": 12.4 }))]
    per_minute: BTreeMap<Uuid, f64>,
}

/// What is counted of apps' requests, read once for all who ask at about the same time.
pub(crate) struct Requests {
    measurements: Arc<dyn Measurements>,
    clock: Clock,
    last: Mutex<Option<Counted>>,
}

/// What the measurements told, or why nothing.
struct Counted {
    at: Instant,
    answer: Result<Arc<BTreeMap<AppId, Traffic>>, String>,
}

impl Requests {
    pub(crate) fn new(measurements: Arc<dyn Measurements>, clock: Clock) -> Self {
        Self { measurements, clock, last: Mutex::new(None) }
    }

    /// The requests of those apps that are `shown`.
    async fn of(&self, shown: impl Fn(&AppId) -> bool) -> Result<RequestsAnswer> {
        let minutes = TRAFFIC_SPAN.as_secs_f64() / 60.0;
        let per_minute = self
            .all()
            .await?
            .iter()
            .filter(|(app, _)| shown(app))
            // To a hundredth: what is kept is no more exact.
            .map(|(app, traffic)| (app.0, (traffic.requests / minutes * 100.0).round() / 100.0))
            .collect();
        Ok(RequestsAnswer { span_seconds: TRAFFIC_SPAN.as_secs(), per_minute })
    }

    async fn all(&self) -> Result<Arc<BTreeMap<AppId, Traffic>>> {
        let mut last = self.last.lock().await;
        if let Some(counted) = last.as_ref().filter(|counted| counted.at.elapsed() < KEPT) {
            return counted.answer.clone().map_err(Error::Upstream);
        }
        let read = self.measurements.traffic(self.clock.now());
        let answer = match tokio::time::timeout(ANSWER_LIMIT, read).await {
            Ok(Ok(traffic)) => Ok(Arc::new(traffic)),
            Ok(Err(error)) => {
                tracing::warn!(%error, "apps' requests cannot be told");
                Err("The measurements could not be read. The operator finds the reason in Skypanel's log.".to_owned())
            }
            Err(_) => Err(format!(
                "The measurements could not be read within {} s. Try again in a minute.",
                ANSWER_LIMIT.as_secs()
            )),
        };
        *last = Some(Counted { at: Instant::now(), answer: answer.clone() });
        answer.map_err(Error::Upstream)
    }
}
