//! How many requests apps get: of one caller's apps and of all, for lists that show it beside each.

mod show;
mod show_all;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use skypanel_core::Result;
use skypanel_core::clock::Clock;
use skypanel_core::measurements::{Measurements, TRAFFIC_SPAN, Traffic};
use skypanel_core::model::AppId;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use crate::http::Shared;
use crate::http::read_once::{ReadOnce, Unread};

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
    last: ReadOnce<BTreeMap<AppId, Traffic>>,
}

impl Requests {
    pub(crate) fn new(measurements: Arc<dyn Measurements>, clock: Clock) -> Self {
        Self { measurements, clock, last: ReadOnce::new(KEPT) }
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
        let unread = Unread {
            log: "apps' requests cannot be told",
            failed: "The measurements could not be read.",
            late: "The measurements could not be read",
        };
        self.last.get(self.measurements.traffic(self.clock.now()), unread).await
    }
}
