//! `GET /api/admin/paas/overview`.

use std::collections::BTreeMap;
use std::fmt::Display;

use axum::Json;
use axum::extract::State;
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive as _;
use serde::Serialize;
use skypanel_core::model::{AppStatus, DeploymentStatus, Money, NodeState};
use skypanel_core::store::QueueDepth;
use utoipa::ToSchema;

use crate::http::{AdminCaller, Answer, Shared, schema};

/// What there is on the platform and what it uses.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct OverviewAnswer {
    /// Apps by status, all statuses, and their `total`.
    applications: BTreeMap<String, i64>,
    /// Deployments of the last 24 hours by status, all statuses, and their `total`.
    deployments: BTreeMap<String, i64>,
    organizations: OrganizationCounts,
    users: UserCounts,
    resource_usage: ResourceUsage,
    /// Nodes of the Swarm by state, all states, and their `total`; empty while no manager answers.
    worker_nodes: BTreeMap<String, i64>,
    queue: QueueCounts,
}

/// Organisations.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct OrganizationCounts {
    total: i64,
    /// Those that an admin suspended.
    suspended: i64,
}

/// Users.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct UserCounts {
    total: i64,
    /// Those who administer the platform.
    admins: i64,
}

/// What all that is meant to run may use and costs.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ResourceUsage {
    replicas: i64,
    /// CPU limits together, in cores.
    #[schema(example = 12.5)]
    total_cpu: f64,
    /// Memory limits together, in MB (2^20 bytes).
    total_ram_mb: i64,
    /// What it costs an hour now.
    #[schema(value_type = schema::Money)]
    cost_per_hour: Money,
    /// What was used since midnight UTC, as far as it is settled; a number for show, while the texts are exact.
    total_cost_today: f64,
    /// What was used in the month, as far as it is settled.
    #[schema(value_type = schema::Money)]
    total_cost_month: Money,
}

/// The job queue.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct QueueCounts {
    /// Jobs that could begin now.
    waiting: i64,
    /// Jobs that a worker is at.
    running: i64,
    /// Jobs whose tries are used up.
    failed: i64,
    /// How long the first of those that could begin has waited, in seconds.
    oldest_seconds: i64,
}

/// Show the overview
///
/// Counts and sums over the whole platform. Everything is there, as zero, on an empty one.
#[utoipa::path(
    get,
    path = "/api/admin/paas/overview",
    tag = "admin",
    responses((status = OK, body = OverviewAnswer))
)]
pub(crate) async fn show_overview(State(shared): State<Shared>, _admin: AdminCaller) -> Answer<OverviewAnswer> {
    let store = &shared.actions.store;
    let (platform, queue, nodes) = tokio::join!(store.platform(), store.queue(), shared.nodes.list());
    let (platform, queue) = (platform?, queue?);
    let totals = platform.totals;
    let nodes = nodes.map(|nodes| {
        let mut states: BTreeMap<NodeState, i64> = BTreeMap::new();
        for node in nodes.iter() {
            *states.entry(node.state).or_default() += 1;
        }
        counts(NodeState::ALL, &states.into_iter().collect::<Vec<_>>())
    });
    Ok(Json(OverviewAnswer {
        applications: counts(AppStatus::ALL, &platform.apps),
        deployments: counts(DeploymentStatus::ALL, &platform.deployments),
        organizations: OrganizationCounts { total: totals.organizations, suspended: totals.suspended_organizations },
        users: UserCounts { total: totals.users, admins: totals.admins },
        resource_usage: ResourceUsage {
            replicas: totals.replicas,
            total_cpu: number(totals.cpu_cores),
            total_ram_mb: totals.ram_mb,
            cost_per_hour: totals.cost_per_hour,
            total_cost_today: number(totals.cost_today.0),
            total_cost_month: totals.cost_month,
        },
        worker_nodes: nodes.unwrap_or_default(),
        queue: queue_counts(&queue),
    }))
}

fn number(exact: Decimal) -> f64 {
    exact.to_f64().unwrap_or_default()
}

/// A count for each value there is, and `total`.
fn counts<T: Display + PartialEq>(all: &[T], found: &[(T, i64)]) -> BTreeMap<String, i64> {
    let count = |value: &T| found.iter().filter(|(of, _)| of == value).map(|(_, count)| count).sum();
    let mut counts: BTreeMap<String, i64> = all.iter().map(|value| (value.to_string(), count(value))).collect();
    counts.insert("total".to_owned(), found.iter().map(|(_, count)| count).sum());
    counts
}

fn queue_counts(queue: &[QueueDepth]) -> QueueCounts {
    #[expect(clippy::cast_possible_truncation, reason = "seconds of a wait, far below 2^63")]
    let seconds = |depth: &QueueDepth| depth.oldest_seconds as i64;
    QueueCounts {
        waiting: queue.iter().map(|depth| depth.waiting).sum(),
        running: queue.iter().map(|depth| depth.running).sum(),
        failed: queue.iter().map(|depth| depth.failed).sum(),
        oldest_seconds: queue.iter().map(seconds).max().unwrap_or(0),
    }
}
