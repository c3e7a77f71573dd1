//! The real Prometheus asks the sampler, and answers the same as the embedded store.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use chrono::{TimeDelta, Utc};
use serde_json::Value;
use skypanel_core::clock::Clock;
use skypanel_core::measurements::{Measurements, Series};
use skypanel_core::settings::HttpAddress;
use skypanel_observer::metrics::{EmbeddedMeasurements, PrometheusMeasurements};
use tempfile::TempDir;

use crate::ports::free_port;
use crate::world::{LIMIT, World, get};

/// A Prometheus that asks one agent every two seconds. It ends with this.
struct Server {
    address: SocketAddr,
    child: Child,
    _directory: TempDir,
}

impl Server {
    fn start(agent: SocketAddr) -> Self {
        let directory = tempfile::tempdir().expect("makes a directory");
        let config = directory.path().join("prometheus.yml");
        let text = format!(
            "global: {{ scrape_interval: 2s }}\nscrape_configs: [{{ job_name: skypanel, static_configs: [{{ targets: ['{agent}'] }}] }}]\n"
        );
        std::fs::write(&config, text).expect("writes");
        let address = SocketAddr::from(([127, 0, 0, 1], free_port()));
        let child = Command::new("prometheus")
            .arg(format!("--config.file={}", config.display()))
            .arg(format!("--storage.tsdb.path={}", directory.path().join("data").display()))
            .arg(format!("--web.listen-address={address}"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("prometheus does not run, run infra/dev/prepare test: {error}"));
        Self { address, child, _directory: directory }
    }

    /// The one value that a query gives; none where it gives none.
    async fn value(&self, query: &str) -> Option<f64> {
        let query: String = form_urlencoded::byte_serialize(query.as_bytes()).collect();
        let told = get(self.address, &format!("/api/v1/query?query={query}")).await;
        let told: Value = serde_json::from_str(&unchunked(&told)).expect("is JSON");
        told["data"]["result"][0]["value"][1].as_str()?.parse().ok()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// An answer may come in chunks: then its one line is between their lengths.
fn unchunked(text: &str) -> String {
    text.lines().find(|line| line.starts_with('{')).unwrap_or(text).to_owned()
}

async fn until(what: &str, mut found: impl AsyncFnMut() -> bool) {
    let began = Instant::now();
    while !found().await {
        assert!(began.elapsed() < LIMIT, "{what}: not within {LIMIT:?}");
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
}

/// The last value of each series.
fn last(series: &[Series]) -> BTreeMap<(String, &'static str), f64> {
    let of = |series: &Series| series.of.as_ref().map_or_else(String::new, ToString::to_string);
    series.iter().filter_map(|one| Some(((of(one), one.name), one.points.last()?.mean))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_prometheus_answers_what_the_store_does() {
    let world = World::new().await;
    world.replica("web.1", "while :; do :; done").await;
    world.replica("worker.1", "sleep 600").await;
    let server = Server::start(world.listen);
    until("the Prometheus listens", async || tokio::net::TcpStream::connect(server.address).await.is_ok()).await;
    let rate = "rate(container_cpu_usage_seconds_total{app=\"shop\",process=\"web\",replica=\"1\"}[1m])";
    until("it knows a rate", async || server.value(rate).await.is_some()).await;

    // What it was told is what we tell.
    let counter = "container_cpu_usage_seconds_total{process=\"web\"}";
    let told = world.exposed().await[&("container_cpu_usage_seconds_total".to_owned(), "web.1".to_owned())];
    until("it has asked again", async || server.value(counter).await.is_some_and(|value| value >= told)).await;
    let kept = server.value(counter).await.expect("is there");
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    let now = world.exposed().await[&("container_cpu_usage_seconds_total".to_owned(), "web.1".to_owned())];
    assert!(told <= kept && kept <= now, "{kept} is not between {told} and {now}");
    let services = server.value("count(container_last_seen{container_label_com_docker_swarm_service_name=~\".+\"})");
    assert_eq!(services.await, Some(2.0));

    let embedded = EmbeddedMeasurements::new(&world.directory.path().join("metrics"), Clock::system());
    let address = HttpAddress {
        tls: false,
        host: server.address.ip().to_string(),
        port: server.address.port(),
        prefix: String::new(),
    };
    let prometheus = PrometheusMeasurements::at(address);
    world.series(|series| last(series).contains_key(&("web.1".to_owned(), "cpu"))).await;
    for hours in [1, 6, 24, 24 * 7] {
        let to = Utc::now();
        let from = to - TimeDelta::hours(hours);
        let ours = embedded.of_app(world.app, from, to).await.expect("reads");
        let theirs = prometheus.of_app(world.app, from, to).await.expect("answers");
        let shape = |series: &[Series]| {
            let of = |one: &Series| (one.of.clone(), one.name, one.unit, one.step);
            series.iter().map(of).collect::<Vec<_>>()
        };
        assert_eq!(shape(&ours), shape(&theirs), "{hours} h");
        let (ours, theirs) = (last(&ours), last(&theirs));
        let both = |replica: &str, name: &'static str| {
            let key = (replica.to_owned(), name);
            (ours[&key], theirs[&key])
        };
        // A rate over a minute that is not over yet is a part of the one over ten seconds; what is held is the same.
        let (one, other) = both("web.1", "cpu");
        assert!(one > 0.05 && other > 0.001 && other < 0.25, "{hours} h: {one} and {other}");
        assert_eq!(both("web.1", "memory_limit"), (67_108_864.0, 67_108_864.0), "{hours} h");
        let (one, other) = both("worker.1", "memory");
        assert!((one - other).abs() < 1_048_576.0, "{hours} h: {one} and {other}");
    }

    let now = Utc::now();
    let nodes = (embedded.nodes_now(now).await.expect("reads"), prometheus.nodes_now(now).await.expect("answers"));
    let names = [&nodes.0, &nodes.1].map(|nodes| nodes.keys().cloned().collect::<Vec<_>>());
    assert_eq!((names[0].len(), &names[0]), (1, &names[1]));
    let (ours, theirs) = (nodes.0[&names[0][0]], nodes.1[&names[0][0]]);
    assert!((ours.memory_limit_bytes - theirs.memory_limit_bytes).abs() < theirs.memory_limit_bytes / 1_000.0);
    assert!((ours.disk_limit_bytes - theirs.disk_limit_bytes).abs() < theirs.disk_limit_bytes / 1_000.0);
    let traffic = prometheus.traffic(now).await.expect("answers");
    assert!(traffic.is_empty(), "no edge is asked here: {traffic:?}");
    // Of a node the same is known from both; of a machine that shows no hardware, no traffic.
    let from = now - TimeDelta::hours(6);
    let ours = embedded.of_node(&names[0][0], from, now).await.expect("reads");
    let theirs = prometheus.of_node(&names[0][0], from, now).await.expect("answers");
    let [ours, theirs] = [ours, theirs].map(|series| series.iter().map(|one| (one.name, one.unit)).collect::<Vec<_>>());
    assert_eq!(ours, theirs);
    let known: Vec<&str> = theirs.iter().map(|(name, _)| *name).collect();
    assert_eq!(known[..7], ["cpu", "memory", "memory_limit", "disk", "disk_limit", "load", "containers"]);
    assert_eq!(known[known.len() - 2..], ["processes", "restarts"]);

    // A replica that is started anew counts for its node.
    world.replica("worker.1", "sleep 600").await;
    let restarts = async |measurements: &dyn Measurements| {
        let now = Utc::now();
        let series = measurements.of_node(&names[0][0], now - TimeDelta::hours(1), now).await.expect("answers");
        let of = series.iter().find(|series| series.name == "restarts").expect("is there");
        of.points.iter().map(|point| point.mean).sum::<f64>()
    };
    until("the store counts it", async || restarts(&embedded).await > 0.5).await;
    until("the Prometheus counts it", async || restarts(&prometheus).await > 0.5).await;

    let address = server.address;
    drop(server);
    let refused = prometheus.of_node("one", now - TimeDelta::hours(1), now).await.expect_err("is gone").to_string();
    assert!(refused.contains("metrics.prometheus_url") && refused.contains("metrics.backend"), "{address}: {refused}");
    world.close().await;
}
