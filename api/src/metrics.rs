//! `GET /metrics`: what the platform does, in the text form that Prometheus reads. Requests are counted by this
//! process; everything else is read from the store at the moment it is asked for.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderName, header};
use axum::middleware::Next;
use axum::response::Response;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use skypanel_core::Error;
use skypanel_core::store::{Outcomes, Store};
use tokio::sync::Mutex;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::error::ApiError;
use crate::http::{Caller, Shared};

/// Upper bounds of the durations that are told apart, in seconds.
const BOUNDS: [f64; 11] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0];
/// How long what was read from the store is given again.
const KEPT: Duration = Duration::from_secs(2);

/// The routes.
pub(crate) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(show_metrics))
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Route {
    method: String,
    route: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Answered {
    method: String,
    route: String,
    status: u16,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Queued {
    task: String,
    state: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Task {
    task: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Status {
    status: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct PoolState {
    state: &'static str,
}

/// What ended, as a histogram. The store counts for all processes, so that each of them tells the same numbers.
#[derive(Debug)]
struct Ends {
    name: &'static str,
    help: &'static str,
    /// The label for what ended; the other one is `outcome`.
    label: &'static str,
    outcomes: Vec<Outcomes>,
}

impl Collector for Ends {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> std::fmt::Result {
        let mut metric = encoder.encode_descriptor(self.name, self.help, None, MetricType::Histogram)?;
        for ended in &self.outcomes {
            let labels = [(self.label, ended.name.as_str()), ("outcome", ended.outcome.as_str())];
            let known = ended.buckets.iter().map(|count| u64::try_from(*count).unwrap_or(0));
            let mut buckets: Vec<(f64, u64)> = ended.bounds.iter().copied().zip(known).collect();
            let within: u64 = buckets.iter().map(|(_, count)| count).sum();
            buckets.push((f64::INFINITY, ended.count.saturating_sub(within)));
            let mut family = metric.encode_family(&labels)?;
            family.encode_histogram::<NoLabelSet>(ended.seconds, ended.count, &buckets, None)?;
        }
        Ok(())
    }
}

/// What this process counts.
pub(crate) struct Metrics {
    requests: Family<Answered, Counter>,
    seconds: Family<Route, Histogram>,
    counted: Registry,
    last: Mutex<Option<(Instant, String)>>,
}

impl Metrics {
    pub(crate) fn new() -> Self {
        let requests = Family::<Answered, Counter>::default();
        let seconds = Family::<Route, Histogram>::new_with_constructor(|| Histogram::new(BOUNDS));
        let mut counted = Registry::with_prefix("skypanel_http");
        counted.register("requests", "Requests that were answered by this process", requests.clone());
        counted.register("request_seconds", "Time until an answer began", seconds.clone());
        Self { requests, seconds, counted, last: Mutex::new(None) }
    }

    fn count(&self, method: &str, route: &str, status: u16, elapsed: Duration) {
        let (method, route) = (method.to_owned(), route.to_owned());
        self.requests.get_or_create(&Answered { method: method.clone(), route: route.clone(), status }).inc();
        self.seconds.get_or_create(&Route { method, route }).observe(elapsed.as_secs_f64());
    }

    /// All of it, as Prometheus reads it.
    async fn text(&self, store: &Store) -> Result<String, Error> {
        let failed = |error| Error::System(format!("The metrics could not be written: {error}."));
        let mut text = String::new();
        encode(&mut text, &self.counted).map_err(failed)?;
        // One part ends where the other begins.
        let mut text = text.trim_end_matches("# EOF\n").to_owned();
        let mut last = self.last.lock().await;
        let read = match last.as_ref() {
            Some((at, read)) if at.elapsed() < KEPT => read.clone(),
            _ => {
                let mut read = String::new();
                encode(&mut read, &from_store(store).await?).map_err(failed)?;
                *last = Some((Instant::now(), read.clone()));
                read
            }
        };
        text.write_str(&read).map_err(failed)?;
        Ok(text)
    }
}

async fn from_store(store: &Store) -> Result<Registry, Error> {
    let mut registry = Registry::with_prefix("skypanel");
    let pool = Family::<PoolState, Gauge>::default();
    registry.register("pool_connections", "Connections to the database that this process holds", pool.clone());
    let idle = i64::try_from(store.pool().num_idle()).unwrap_or(i64::MAX);
    pool.get_or_create(&PoolState { state: "idle" }).set(idle);
    pool.get_or_create(&PoolState { state: "used" }).set(i64::from(store.pool().size()) - idle);
    let most = Gauge::<i64>::default();
    registry.register("pool_connections_limit", "Most connections that this process may hold", most.clone());
    most.set(i64::from(store.pool().options().get_max_connections()));

    let jobs = Family::<Queued, Gauge>::default();
    let oldest = Family::<Task, Gauge<f64, std::sync::atomic::AtomicU64>>::default();
    registry.register("jobs", "Jobs in the queue", jobs.clone());
    registry.register("jobs_oldest_seconds", "How long the first job that could begin has waited", oldest.clone());
    for depth in store.queue().await? {
        let states =
            [("waiting", depth.waiting), ("running", depth.running), ("later", depth.later), ("failed", depth.failed)];
        for (state, count) in states {
            jobs.get_or_create(&Queued { task: depth.task.clone(), state }).set(count);
        }
        oldest.get_or_create(&Task { task: depth.task }).set(depth.oldest_seconds);
    }

    registry.register_collector(Box::new(Ends {
        name: "deployment_seconds",
        help: "Deployments of the whole platform by how they ended, and how long they took",
        label: "trigger",
        outcomes: store.deployment_outcomes().await?,
    }));
    registry.register_collector(Box::new(Ends {
        name: "stage_seconds",
        help: "Stages of deployments of the whole platform by how they ended, and how long they took",
        label: "stage",
        outcomes: store.stage_outcomes().await?,
    }));

    let apps = Family::<Status, Gauge>::default();
    registry.register("apps", "Apps by status", apps.clone());
    for (status, count) in store.platform().await?.apps {
        apps.get_or_create(&Status { status: status.to_string() }).set(count);
    }
    Ok(registry)
}

/// Counts every request by the route it took, not by its path: paths are as many as their askers like.
pub(crate) async fn measure(State(metrics): State<Arc<Metrics>>, request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>().map_or("none", MatchedPath::as_str).to_owned();
    let method = match request.method().as_str() {
        known @ ("GET" | "HEAD" | "POST" | "PUT" | "PATCH" | "DELETE" | "OPTIONS") => known.to_owned(),
        _ => "other".to_owned(),
    };
    let started = Instant::now();
    let response = next.run(request).await;
    metrics.count(&method, &route, response.status().as_u16(), started.elapsed());
    response
}

/// Show metrics
///
/// In the text form of OpenMetrics, which Prometheus reads: requests by route with their durations, jobs in the queue,
/// deployments and their stages by outcome with their durations, connections to the database. Requests and connections
/// are those of the process that answers; everything else is the whole platform's, and the same from every process: take
/// the greatest of the instances, not their sum. Needs the token of an admin of the platform;
/// its scope may be `read`.
#[utoipa::path(
    get,
    path = "/metrics",
    tag = "health",
    responses((status = OK, description = "The metrics.", body = String, content_type = "application/openmetrics-text"))
)]
pub(crate) async fn show_metrics(
    State(shared): State<Shared>,
    caller: Caller,
) -> Result<([(HeaderName, &'static str); 1], String), ApiError> {
    if !caller.user()?.is_admin {
        return Err(Error::Forbidden("Only admins of the platform may read its metrics.".to_owned()).into());
    }
    let text = shared.metrics.text(&shared.actions.store).await?;
    Ok(([(header::CONTENT_TYPE, "application/openmetrics-text; version=1.0.0; charset=utf-8")], text))
}
