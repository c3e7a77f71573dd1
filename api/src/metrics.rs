//! `GET /metrics`: what the platform does, in the text form that Prometheus reads. Requests are counted by this
//! process; everything else is read from the store at the moment it is asked for.

mod facts;

use std::collections::VecDeque;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant, UNIX_EPOCH};

use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderName, header};
use axum::middleware::Next;
use axum::response::Response;
use chrono::{DateTime, Utc};
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
use skypanel_core::store::{ApiAnswers, Outcomes, Store};
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::error::ApiError;
use crate::http::{Caller, Shared};

/// Upper bounds of the durations that are told apart, in seconds.
const BOUNDS: [f64; 12] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0];
/// Where routes of the API begin; others are pages for visitors of apps.
const API: &str = "/api";
/// How often it is written down how requests were answered, and how long that may take.
const TOLD_EVERY: Duration = Duration::from_secs(10);
const TELL_LIMIT: Duration = Duration::from_secs(5);
/// So many times it is kept for later when that fails: for six minutes, which is further back than any rule looks.
const MOST_UNTOLD: usize = 36;
/// How long what was read from the store is given again.
const KEPT: Duration = Duration::from_secs(2);
/// The same for what rules of alerts look at, which is as old as that when they look.
const FACTS_KEPT: Duration = Duration::from_secs(30);

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

/// Answers that the store did not take yet, each with when they were counted; the oldest first.
type Untold = VecDeque<(DateTime<Utc>, ApiAnswers)>;

/// What this process counts.
pub(crate) struct Metrics {
    /// When this process began to answer, in seconds since 1970.
    started: f64,
    requests: Family<Answered, Counter>,
    seconds: Family<Route, Histogram>,
    counted: Registry,
    /// What the rules of alerts want to know, and was not written down yet.
    answers: std::sync::Mutex<ApiAnswers>,
    /// From how many milliseconds on an answer counts as slow there.
    slow_ms: AtomicU64,
    last: Last,
    facts: Last,
}

impl Metrics {
    pub(crate) fn new() -> Self {
        let requests = Family::<Answered, Counter>::default();
        let seconds = Family::<Route, Histogram>::new_with_constructor(|| Histogram::new(BOUNDS));
        let mut counted = Registry::with_prefix("skypanel_http");
        counted.register("requests", "Requests that were answered by this process", requests.clone());
        counted.register("request_seconds", "Time until an answer began", seconds.clone());
        let (answers, slow_ms) = (std::sync::Mutex::default(), AtomicU64::new(u64::MAX));
        let started = UNIX_EPOCH.elapsed().unwrap_or_default().as_secs_f64();
        Self { started, requests, seconds, counted, answers, slow_ms, last: Last::default(), facts: Last::default() }
    }

    /// Writes down what the rules of alerts want to know of the API's answers, until `cancel`.
    pub(crate) async fn tell(&self, store: &Store, cancel: &CancellationToken) {
        let mut untold = Untold::new();
        loop {
            let stops = tokio::time::timeout(TOLD_EVERY, cancel.cancelled()).await.is_ok();
            if let Err(error) = tokio::time::timeout(TELL_LIMIT, self.tell_once(store, &mut untold))
                .await
                .unwrap_or_else(|_| Err(Error::System(format!("It took longer than {} s.", TELL_LIMIT.as_secs()))))
            {
                tracing::warn!(%error, "how requests were answered could not be written down");
            }
            if stops {
                return;
            }
        }
    }

    /// What the store does not take stays in `untold`, with its time: an outage is what rules have to see, and where
    /// it was. If only the store's word got lost, they count it twice.
    async fn tell_once(&self, store: &Store, untold: &mut Untold) -> Result<(), Error> {
        let answers = std::mem::take(&mut *self.answers.lock().unwrap_or_else(PoisonError::into_inner));
        if answers.requests > 0 {
            untold.push_back((store.clock().now(), answers));
        }
        if untold.len() > MOST_UNTOLD {
            untold.pop_front();
        }
        let settings = store.settings().await?;
        let slow_ms = if settings.alerts_api_slow_ms == 0 { u64::MAX } else { settings.alerts_api_slow_ms };
        self.slow_ms.store(slow_ms, Relaxed);
        while let Some((counted, answers)) = untold.front() {
            store.add_api_answers(answers, *counted).await?;
            untold.pop_front();
        }
        Ok(())
    }

    fn count(&self, method: &str, route: &str, status: u16, elapsed: Duration) {
        if route.starts_with(API) {
            let is_slow = elapsed.as_millis() > u128::from(self.slow_ms.load(Relaxed));
            let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
            answers.requests += 1;
            answers.errors += u64::from(status >= 500);
            answers.slow += u64::from(is_slow);
        }
        let (method, route) = (method.to_owned(), route.to_owned());
        self.requests.get_or_create(&Answered { method: method.clone(), route: route.clone(), status }).inc();
        self.seconds.get_or_create(&Route { method, route }).observe(elapsed.as_secs_f64());
    }

    /// All of it, as Prometheus reads it.
    async fn text(&self, shared: &Shared) -> Result<String, Error> {
        let store = &shared.actions.store;
        let mut text = written(&self.counted)?;
        text += &self.last.get(KEPT, from_store(store, self.started)).await?;
        text += &self.facts.get(FACTS_KEPT, facts::of_the_store(store)).await?;
        text += &written(&facts::of_the_outside(&shared.nodes, &shared.health).await)?;
        text += "# EOF\n";
        Ok(text)
    }
}

/// What was written last, which is given again for a while.
#[derive(Default)]
struct Last(Mutex<Option<(Instant, String)>>);

impl Last {
    async fn get(&self, kept: Duration, read: impl Future<Output = Result<Registry, Error>>) -> Result<String, Error> {
        let mut last = self.0.lock().await;
        if let Some((_, text)) = last.as_ref().filter(|(at, _)| at.elapsed() < kept) {
            return Ok(text.clone());
        }
        let text = written(&read.await?)?;
        *last = Some((Instant::now(), text.clone()));
        Ok(text)
    }
}

/// Without an end: more follows.
fn written(registry: &Registry) -> Result<String, Error> {
    let mut text = String::new();
    encode(&mut text, registry)
        .map_err(|error| Error::System(format!("The metrics could not be written: {error}.")))?;
    Ok(text.trim_end_matches("# EOF\n").to_owned())
}

async fn from_store(store: &Store, started: f64) -> Result<Registry, Error> {
    let mut registry = Registry::with_prefix("skypanel");
    let start = Gauge::<f64, AtomicU64>::default();
    registry.register("start_time_seconds", "When this process began to answer, in seconds since 1970", start.clone());
    start.set(started);
    let pool = Family::<PoolState, Gauge>::default();
    registry.register("pool_connections", "Connections to the database that this process holds", pool.clone());
    let idle = i64::try_from(store.pool().num_idle()).unwrap_or(i64::MAX);
    pool.get_or_create(&PoolState { state: "idle" }).set(idle);
    pool.get_or_create(&PoolState { state: "used" }).set(i64::from(store.pool().size()) - idle);
    let most = Gauge::<i64>::default();
    registry.register("pool_connections_limit", "Most connections that this process may hold", most.clone());
    most.set(i64::from(store.pool().options().get_max_connections()));

    let jobs = Family::<Queued, Gauge>::default();
    let oldest = Family::<Task, Gauge<f64, AtomicU64>>::default();
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
/// deployments and their stages by outcome with their durations, connections to the database, and what the rules of
/// alerts look at with the settings they go by. Requests and connections
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
    let text = shared.metrics.text(&shared).await?;
    Ok(([(header::CONTENT_TYPE, "application/openmetrics-text; version=1.0.0; charset=utf-8")], text))
}
