//! `GET /api/admin/paas/nodes/{node}/metrics`.

use axum::Json;
use axum::extract::State;
use skypanel_core::actions::MetricsRange;

use crate::error::ErrorBody;
use crate::http::{AdminCaller, Answer, PathOf, QueryOf, Shared};
use crate::processes::metrics::{MetricsAnswer, MetricsQuery};

/// Show what a node uses
///
/// What the machine used, measured every ten seconds: `cpu` in cores, `memory` (what is not available) and
/// `memory_limit` in bytes, `disk` and `disk_limit` of the data directory in bytes, `load` over a minute, `containers`
/// that run, `network_received` and `network_sent`, `block_read` and `block_written` in bytes a second, `processes`,
/// `restarts` of all replicas on it. In the steps of an app's metrics. Without a Prometheus (`metrics.backend`), nothing
/// is known of machines other than the one that answers.
#[utoipa::path(
    get,
    path = "/api/admin/paas/nodes/{node}/metrics",
    tag = "admin",
    params(("node" = String, Path, description = "Its name or id"), MetricsQuery),
    responses(
        (status = OK, body = MetricsAnswer),
        (status = BAD_GATEWAY, description = "No Swarm manager answers, or the Prometheus does not.", body = ErrorBody)
    )
)]
pub(crate) async fn show_node_metrics(
    State(shared): State<Shared>,
    AdminCaller(admin): AdminCaller,
    PathOf(node): PathOf<String>,
    QueryOf(query): QueryOf<MetricsQuery>,
) -> Answer<MetricsAnswer> {
    let range = query.range.unwrap_or(MetricsRange::Hour);
    let node = shared.nodes.named(&node).await?;
    let metrics = shared.actions.node_metrics(&admin, &node, range).await?;
    Ok(Json(MetricsAnswer::new(range, metrics)))
}
