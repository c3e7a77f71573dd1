//! `GET /api/paas/apps/{app}/metrics`.

use axum::Json;
use axum::extract::State;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use skypanel_core::actions::{Actions, Metrics, MetricsRange};
use skypanel_core::measurements::Series;
use skypanel_core::model::AppRef;
use utoipa::{IntoParams, ToSchema};

use crate::error::ErrorBody;
use crate::http::{Answer, Caller, PathOf, QueryOf, schema};

/// How far back.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct MetricsQuery {
    /// Without: an hour.
    #[param(value_type = Option<schema::MetricsRange>)]
    pub(crate) range: Option<MetricsRange>,
}

/// What something used over time.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct MetricsAnswer {
    #[schema(value_type = schema::MetricsRange)]
    range: MetricsRange,
    /// The beginning of the range.
    from: DateTime<Utc>,
    /// Its end: now.
    to: DateTime<Utc>,
    series: Vec<SeriesItem>,
}

/// One value over time.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SeriesItem {
    /// What is measured.
    #[schema(example = "cpu")]
    name: &'static str,
    /// Its unit, such as `cores`, `bytes`, `bytes_per_second`, `requests_per_second`, `seconds`.
    #[schema(example = "cores")]
    unit: &'static str,
    /// Process type; null for what is of the whole app or node.
    process: Option<String>,
    /// Number of the replica, from 1; null where there is no process type.
    #[schema(minimum = 1)]
    replica: Option<u64>,
    /// How long a step is, in seconds.
    #[schema(minimum = 1, example = 10)]
    step_seconds: u64,
    /// Beginning of each step in seconds since 1970, and the mean within it; oldest first. Steps in which nothing was
    /// measured have none.
    #[schema(value_type = Vec<Vec<f64>>, example = json!([[1_772_366_400.0, 0.25]]))]
    points: Vec<[f64; 2]>,
    /// The greatest value within the step of each point.
    #[schema(example = json!([0.75]))]
    max: Vec<f64>,
    /// What 95 of 100 values within the step of each point do not exceed.
    #[schema(example = json!([0.5]))]
    p95: Vec<f64>,
}

impl MetricsAnswer {
    pub(crate) fn new(range: MetricsRange, metrics: Metrics) -> Self {
        let Metrics { from, to, series } = metrics;
        Self { range, from, to, series: series.into_iter().map(SeriesItem::from).collect() }
    }
}

impl From<Series> for SeriesItem {
    fn from(series: Series) -> Self {
        #[expect(clippy::cast_precision_loss, reason = "milliseconds since 1970 are far below 2^53")]
        let seconds = |at: DateTime<Utc>| at.timestamp_millis() as f64 / 1_000.0;
        Self {
            name: series.name,
            unit: series.unit,
            process: series.of.as_ref().map(|replica| replica.process.to_string()),
            replica: series.of.as_ref().map(|replica| replica.number),
            step_seconds: series.step.as_secs(),
            points: series.points.iter().map(|point| [seconds(point.at), point.mean]).collect(),
            max: series.points.iter().map(|point| point.max).collect(),
            p95: series.points.iter().map(|point| point.p95).collect(),
        }
    }
}

/// Show what an app uses
///
/// What each replica used, measured every ten seconds: `cpu` in cores, `memory` (without what is only cached) and
/// `memory_limit` in bytes, `network_received`, `network_sent`, `block_read` and `block_written` in bytes a second,
/// `processes`, `open_connections` of the edge, `uptime` in seconds, `restarts` within the step (releases included). And
/// what the edge saw of the app as a whole: `requests` and `requests_2xx` to `requests_5xx` a second, `request_bytes` and
/// `response_bytes` a second, `response_time_p50`, `response_time_p95` and `response_time_p99` in seconds. A series of
/// which nothing was measured within the range is not there. The last hour comes in steps of 10 s, six hours in
/// minutes, a day in steps of 5 minutes, a week in half hours.
///
/// Without a Prometheus (`metrics.backend`), replicas on machines other than the one that answers are not among them.
#[utoipa::path(
    get,
    path = "/api/paas/apps/{app}/metrics",
    tag = "processes",
    params(("app" = String, Path, description = "Its slug or id"), MetricsQuery),
    responses(
        (status = OK, body = MetricsAnswer),
        (status = BAD_GATEWAY, description = "The Prometheus that metrics are read from does not answer.", body = ErrorBody)
    )
)]
pub(crate) async fn show_app_metrics(
    State(actions): State<Actions>,
    caller: Caller,
    PathOf(app): PathOf<AppRef>,
    QueryOf(query): QueryOf<MetricsQuery>,
) -> Answer<MetricsAnswer> {
    let range = query.range.unwrap_or(MetricsRange::Hour);
    let metrics = actions.app_metrics(&caller, &app, range).await?;
    Ok(Json(MetricsAnswer::new(range, metrics)))
}
