//! `GET /api/paas/apps/{app}/metrics`.

use axum::Json;
use axum::extract::State;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use skypanel_core::actions::{Actions, MetricSeries, MetricsRange};
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
    range: Option<MetricsRange>,
}

/// What an app uses.
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

/// One value of one replica over time.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SeriesItem {
    /// `cpu`, `memory` (without what is only cached), `memory_limit`, `network_received`, `network_sent` (both since the
    /// replica was started).
    #[schema(example = "cpu")]
    name: &'static str,
    /// `cores` or `bytes`.
    #[schema(example = "cores")]
    unit: &'static str,
    /// Process type.
    process: String,
    /// Number of the replica, from 1.
    #[schema(minimum = 1)]
    replica: u64,
    /// Time in seconds since 1970, and value; oldest first.
    #[schema(value_type = Vec<Vec<f64>>, example = json!([[1_772_366_400.0, 0.25]]))]
    points: Vec<[f64; 2]>,
}

impl From<MetricSeries> for SeriesItem {
    fn from(series: MetricSeries) -> Self {
        #[expect(clippy::cast_precision_loss, reason = "milliseconds since 1970 are far below 2^53")]
        let seconds = |at: DateTime<Utc>| at.timestamp_millis() as f64 / 1_000.0;
        Self {
            name: series.name,
            unit: series.unit,
            process: series.process.to_string(),
            replica: series.replica,
            points: series.points.into_iter().map(|(at, value)| [seconds(at), value]).collect(),
        }
    }
}

/// Show what an app uses
///
/// CPU, memory and network of each running replica, as the container engine measures them. No history is kept: every
/// series holds one point, the present one, whatever the range. Replicas on machines of the Swarm other than the one
/// that answers are not among them.
#[utoipa::path(
    get,
    path = "/api/paas/apps/{app}/metrics",
    tag = "processes",
    params(("app" = String, Path, description = "Its slug or id"), MetricsQuery),
    responses(
        (status = OK, body = MetricsAnswer),
        (status = BAD_GATEWAY, description = "The container engine does not answer.", body = ErrorBody)
    )
)]
pub(crate) async fn show_app_metrics(
    State(actions): State<Actions>,
    caller: Caller,
    PathOf(app): PathOf<AppRef>,
    QueryOf(query): QueryOf<MetricsQuery>,
) -> Answer<MetricsAnswer> {
    let range = query.range.unwrap_or(MetricsRange::Hour);
    let series = actions.app_metrics(&caller, &app).await?;
    let to = actions.clock.now();
    let from = to - range.duration();
    Ok(Json(MetricsAnswer { range, from, to, series: series.into_iter().map(SeriesItem::from).collect() }))
}
