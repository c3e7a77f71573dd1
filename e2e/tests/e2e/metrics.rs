//! What an app uses and which requests it gets: the agent measures it, the edge counts it, and the API and the commands
//! tell it, from the agent's own store or from the real Prometheus.

use std::collections::BTreeSet;
use std::process::{Child, Command, Stdio};

use serde_json::Value;
use skypanel_e2e::{Api, App, Connection, Engine, SETTLE_LIMIT, User, until, until_some};

const REQUESTS: u32 = 60;
const PORT: u16 = 18_190;

/// Sum over time of what is measured a second.
fn total(series: &Value) -> f64 {
    let step = series["step_seconds"].as_f64().expect("has a step");
    let points = series["points"].as_array().expect("has points");
    points.iter().filter_map(|point| point[1].as_f64()).sum::<f64>() * step
}

fn named<'a>(metrics: &'a Value, name: &str) -> Option<&'a Value> {
    metrics["series"].as_array()?.iter().find(|series| series["name"] == name)
}

fn names(metrics: &Value) -> BTreeSet<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let series = metrics["series"].as_array().expect("is a list");
    series.iter().map(|series| (text(&series["name"]), text(&series["process"]))).collect()
}

/// A Prometheus that asks the agent. It ends with this.
struct Prometheus {
    child: Child,
    _directory: tempfile::TempDir,
}

impl Prometheus {
    fn of(agent: u16) -> Self {
        let directory = tempfile::tempdir().expect("makes a directory");
        let config = directory.path().join("prometheus.yml");
        let target = format!("[{{ targets: ['127.0.0.1:{agent}'] }}]");
        let text = format!(
            "global: {{ scrape_interval: 2s }}\nscrape_configs: [{{ job_name: skypanel, static_configs: {target} }}]\n"
        );
        std::fs::write(&config, text).expect("writes");
        let child = Command::new("prometheus")
            .arg(format!("--config.file={}", config.display()))
            .arg(format!("--storage.tsdb.path={}", directory.path().join("data").display()))
            .arg(format!("--web.listen-address=127.0.0.1:{PORT}"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("prometheus does not run, run infra/dev/prepare test: {error}"));
        Self { child, _directory: directory }
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn what_an_app_does_is_measured() {
    let app = App::probe("metrics");
    app.push().live();
    let prometheus = Prometheus::of(app.instance.metrics_port);
    for _ in 0..REQUESTS {
        assert_eq!(app.get("/").status, 200);
    }
    let shown = || -> Value {
        let told = app.command("metrics", &["--json"]).success().out();
        serde_json::from_str(&told).unwrap_or_else(|error| panic!("{error}: {told}"))
    };
    let metrics = until_some("all requests are counted", SETTLE_LIMIT, || {
        let metrics = shown();
        let counted = named(&metrics, "requests_2xx").map(total)?;
        (counted > f64::from(REQUESTS) * 0.99).then_some(metrics)
    });
    let counted = named(&metrics, "requests_2xx").map(total).expect("is there");
    // Those that waited for the route and the health of the first release are counted, too.
    assert!(counted < f64::from(REQUESTS) * 2.0, "{metrics}");
    let last = |name: &str| {
        let points =
            named(&metrics, name).unwrap_or_else(|| panic!("{name} is missing in {metrics}"))["points"].clone();
        points.as_array().and_then(|points| points.last()?[1].as_f64()).expect("has a value")
    };
    let container = &Engine::of(&app.instance).tasks(&app.slug, "web")[0];
    assert!((last("memory_limit") - container["HostConfig"]["Memory"].as_f64().expect("has a limit")).abs() < 1.0);
    assert!(last("memory") > 1e5 && last("memory") < last("memory_limit"), "{metrics}");
    assert!(last("processes") >= 1.0 && last("uptime") > 0.0 && last("response_time_p50") < 5.0, "{metrics}");
    let text = app.command("metrics", &["--range", "6h"]).success().out();
    assert!(text.contains("EDGE") && text.contains("web.1") && text.contains("response time p95"), "{text}");

    // The Prometheus answers the same, once it has seen what a rate needs.
    let api = Api::of(&app.instance, &User::admin(&app.instance));
    let path = format!("/api/paas/apps/{}/metrics?range=1h", app.slug);
    let embedded = api.get(&path).is(200);
    let nodes = api.get("/api/admin/paas/nodes").is(200);
    let node = nodes["items"][0]["name"].as_str().expect("has a name").to_owned();
    let usage = |nodes: &Value| nodes["items"][0]["usage"]["containers"].as_f64().unwrap_or(0.0);
    assert!(usage(&nodes) >= 1.0, "{nodes}");
    let of_node = format!("/api/admin/paas/nodes/{node}/metrics");
    let of_embedded = api.get(&of_node).is(200);
    let _backend = app.instance.set("metrics.backend", "prometheus");
    let _url = app.instance.set("metrics.prometheus_url", &format!("http://127.0.0.1:{PORT}"));
    until("the Prometheus knows as much", SETTLE_LIMIT, || {
        app.get("/");
        let answered = api.get(&path);
        answered.status == 200 && names(&answered.json) == names(&embedded)
    });
    assert_eq!(names(&api.get(&of_node).is(200)), names(&of_embedded));
    let nodes = api.get("/api/admin/paas/nodes").is(200);
    assert!(usage(&nodes) >= 1.0, "{nodes}");

    // What it asks is for this machine alone, and has the labels that dashboards go by.
    let mut agent = Connection::open(app.instance.metrics_port).expect("the agent listens");
    let text = agent.get("localhost", "/metrics").expect("answers").text();
    let label = format!("app=\"{}\"", app.slug);
    for name in ["container_memory_working_set_bytes{", "traefik_service_requests_total{"] {
        assert!(
            text.lines().any(|line| line.starts_with(name) && line.contains(&label)),
            "{name} is missing in {text}"
        );
    }
    drop(prometheus);
}
