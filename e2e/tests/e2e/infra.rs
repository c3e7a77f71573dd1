//! `skypanel infra`: the services beside the platform, with Debian's own Prometheus, Alertmanager and node-exporter as
//! images, since the tests reach no image registry.

use std::collections::BTreeSet;
use std::process::Command;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::Value;
use skypanel_e2e::{App, Connection, Engine, Instance, SETTLE_LIMIT, SettingGuard, root, run, until, until_some};

/// Longest the services may take to start.
const UP_LIMIT: Duration = Duration::from_mins(3);
const LIMIT: Duration = Duration::from_mins(1);
/// For how long the agent tells what it measured again, instead of measuring, and as much for what rounds times.
const TOLD_AGAIN: Duration = Duration::from_secs(2);
/// Ports of the services, outside of those that the kernel gives away.
const PROMETHEUS: u16 = 19_090;
const ALERTMANAGER: u16 = 19_093;
const NODE_EXPORTER: u16 = 19_100;

/// An image of one of this machine's programs with the C library that it needs. Removed when dropped.
struct Image(String);

impl Image {
    fn of(program: &str) -> Self {
        let name = format!("skypanel-e2e/{program}:1");
        // The Alertmanager of Debian has its templates beside it.
        let script = "cd / && shopt -s nullglob \
             && tar --create --dereference --file - \"usr/bin/$1\" usr/share/prometheus/alertmanage[r] \
                 $(ldd \"/usr/bin/$1\" | grep -o '/lib[^ ]*' | cut -c 2-) \
             | docker import --change \"ENTRYPOINT [\\\"/usr/bin/$1\\\"]\" - \"$2\"";
        let _ =
            run(Command::new("bash").args(["-euo", "pipefail", "-c", script, "bash", program, &name]), LIMIT).success();
        Self(name)
    }
}

impl Drop for Image {
    fn drop(&mut self) {
        let removed = Engine::docker(&["image", "rm", "--force", &self.0]);
        assert!(removed.ok() || std::thread::panicking(), "{removed:?}");
    }
}

/// The services, stopped when dropped.
struct Services<'a>(&'a Instance);

impl Services<'_> {
    fn command(&self, words: &[&str]) -> Command {
        let mut command = self.0.program("skypanel");
        command
            .arg("infra")
            .args(words)
            .env("SKYPANEL_EDGE_HTTP_PORT", self.0.http_port.to_string())
            .env("SKYPANEL_API_LISTEN", format!("127.0.0.1:{}", self.0.api_port))
            .env("SKYPANEL_METRICS_LISTEN", format!("127.0.0.1:{}", self.0.metrics_port));
        command
    }
}

impl Drop for Services<'_> {
    fn drop(&mut self) {
        let down = run(&mut self.command(&["down"]), LIMIT);
        assert!(down.ok() || std::thread::panicking(), "{down:?}");
    }
}

/// The answer of a port of this machine.
fn get(port: u16, path: &str) -> Option<Value> {
    let answer = Connection::open(port).ok()?.get("127.0.0.1", path).ok()?;
    serde_json::from_slice(&answer.body).ok()
}

/// The value of the one series that a query of Prometheus finds.
fn query(promql: &str) -> Option<f64> {
    let path = format!(
        "/api/v1/query?query={}",
        promql.replace('{', "%7B").replace('}', "%7D").replace('"', "%22").replace(' ', "%20")
    );
    let answer = get(PROMETHEUS, &path)?;
    answer["data"]["result"][0]["value"][1].as_str()?.parse().ok()
}

#[test]
fn the_services_beside_the_platform_do_what_they_are_there_for() {
    let app = App::probe("watched");
    app.push().live();
    let instance = &app.instance;
    let images = ["prometheus", "prometheus-alertmanager", "prometheus-node-exporter"].map(Image::of);
    let loopback = |port: u16| format!("127.0.0.1:{port}");
    let _settings: Vec<SettingGuard> = [
        ("infra.prometheus_image", images[0].0.clone()),
        ("infra.prometheus_listen", loopback(PROMETHEUS)),
        ("infra.alertmanager_image", images[1].0.clone()),
        ("infra.alertmanager_listen", loopback(ALERTMANAGER)),
        ("infra.node_exporter_image", images[2].0.clone()),
        ("infra.node_exporter_listen", loopback(NODE_EXPORTER)),
        ("metrics.prometheus_url", String::new()),
    ]
    .map(|(key, value)| instance.set(key, &value))
    .into();
    let services = Services(instance);
    let parts = ["prometheus", "alertmanager", "node-exporter"];

    run(&mut services.command(&["status"]), LIMIT).says(0, "Start it with: skypanel infra up prometheus");
    let up = run(services.command(&["up"]).args(parts), UP_LIMIT);
    up.says(0, "It scrapes skypanel, skypanel-agent, node, alertmanager.").says(0, "It measures this machine.");
    up.says(0, &format!("Set metrics.prometheus_url to http://127.0.0.1:{PROMETHEUS}"));
    // Again: nothing is made anew that is as it should be.
    let tasks = || Engine::docker(&["ps", "--quiet", "--filter", "name=skypanel-infra"]).success().out();
    let before = tasks();
    let _ = run(services.command(&["up"]).args(parts), UP_LIMIT).success();
    assert_eq!(tasks(), before);
    let status = run(&mut services.command(&["status"]), LIMIT);
    status
        .says(0, "It routed a request to the platform.")
        .says(0, "It is ready for alerts.")
        .says(0, "loki           off");

    let alertmanager = format!("http://127.0.0.1:{ALERTMANAGER}/api/v2/alerts");
    until("Prometheus knows the Alertmanager", SETTLE_LIMIT, || {
        let told = get(PROMETHEUS, "/api/v1/alertmanagers").unwrap_or_default();
        told["data"]["activeAlertmanagers"][0]["url"] == alertmanager
    });

    // What it has agrees with the engine.
    let wanted = format!(r#"container_spec_memory_limit_bytes{{app="{}"}}"#, app.slug);
    let limit = until_some("the app's memory limit is known", SETTLE_LIMIT, || query(&wanted));
    let task = &Engine::of(instance).tasks(&app.slug, "web")[0];
    assert_eq!(Some(limit), task["HostConfig"]["Memory"].as_f64());
    use_agrees(task["Id"].as_str().expect("has one"));
    assert_eq!(query("count(node_cpu_seconds_total{mode=\"idle\"})"), Some(cores()));

    // Every name that the dashboards ask for is known.
    let _ = app.page("/");
    for (dashboard, names) in dashboards() {
        until(&format!("Prometheus knows {dashboard}'s names"), SETTLE_LIMIT, || {
            let known = get(PROMETHEUS, "/api/v1/label/__name__/values").unwrap_or_default();
            let known: BTreeSet<&str> =
                known["data"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
            let missing: Vec<&String> = names.iter().filter(|name| !known.contains(name.as_str())).collect();
            if !missing.is_empty() {
                println!("{dashboard}: {missing:?} are missing");
            }
            missing.is_empty()
        });
    }

    // Nothing of it is reached from outside.
    let listening =
        run(Command::new("ss").args(["--listening", "--tcp", "--numeric", "--no-header"]), LIMIT).success().out();
    for port in [PROMETHEUS, ALERTMANAGER, NODE_EXPORTER] {
        let addresses: Vec<&str> = listening
            .lines()
            .filter_map(|line| line.split_whitespace().nth(3))
            .filter(|address| address.ends_with(&format!(":{port}")))
            .collect();
        assert_eq!(addresses, [loopback(port)]);
    }

    // One that breaks is told.
    let _ = run(&mut services.command(&["down", "node-exporter"]), LIMIT).success();
    until("Prometheus misses it", SETTLE_LIMIT, || query("up{job=\"node\"}") == Some(0.0));
    run(&mut services.command(&["status"]), LIMIT).says(0, "node-exporter  off");
    let _ = run(&mut services.command(&["down"]), LIMIT).success();
    until("its tasks are gone", SETTLE_LIMIT, || tasks().is_empty());
    assert!(instance.data_dir.join("infra/prometheus/data").exists(), "what it kept stays");
}

/// The CPU time and the memory of a container are for Prometheus what they are for the engine.
fn use_agrees(id: &str) {
    let of = |name: &str| format!(r#"{name}{{id="/docker/{id}"}}"#);
    let cpu = || Engine::statistics(id)["cpu_stats"]["cpu_usage"]["total_usage"].as_f64().expect("is told") / 1e9;
    let counter = of("container_cpu_usage_seconds_total");

    // CPU time only goes up: what was scraped between two looks at the engine lies between what they found.
    let before = cpu();
    let looked = SystemTime::now().duration_since(UNIX_EPOCH).expect("it is after 1970") + TOLD_AGAIN;
    let told = until_some("it is scraped after the first look", SETTLE_LIMIT, || {
        query(&format!("timestamp({counter})")).filter(|at| *at > looked.as_secs_f64())?;
        query(&counter)
    });
    let after = cpu();
    assert!(0.0 < before && before <= told && told <= after, "{told} is not between {before} and {after}");

    // Memory goes up and down, and the kernel counts it in lots of pages for each core.
    until("its working set agrees with the engine's", SETTLE_LIMIT, || {
        let memory = &Engine::statistics(id)["memory_stats"];
        let cached = ["total_inactive_file", "inactive_file"].iter().find_map(|name| memory["stats"][name].as_f64());
        let used = memory["usage"].as_f64().expect("is told") - cached.unwrap_or(0.0);
        let told = query(&of("container_memory_working_set_bytes")).expect("is known");
        println!("working set: {told} for Prometheus, {used} for the engine");
        told > 4_096.0 && (told - used).abs() <= 1_048_576.0
    });
}

/// Names of the metrics that the dashboards ask for.
fn dashboards() -> Vec<(String, BTreeSet<String>)> {
    let directory = root().join("infra/observability/dashboards");
    let read = |path: std::path::PathBuf| {
        let text = std::fs::read_to_string(&path).expect("is there");
        let dashboard: Value = serde_json::from_str(&text).expect("is JSON");
        let targets = dashboard["panels"].as_array().expect("has some").iter().flat_map(|panel| {
            panel["targets"]
                .as_array()
                .into_iter()
                .flatten()
                .filter(|target| target["datasource"]["uid"] == "prometheus")
        });
        let names = targets.flat_map(|target| names(target["expr"].as_str().expect("is PromQL"))).collect();
        (path.display().to_string(), names)
    };
    std::fs::read_dir(directory).expect("is there").map(|entry| read(entry.expect("is read").path())).collect()
}

/// The names of metrics in an expression: words with an underscore that no bracket of a function follows.
fn names(promql: &str) -> Vec<String> {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let without_matchers: String = promql
        .split('{')
        .enumerate()
        .map(|(number, part)| if number == 0 { part } else { part.split_once('}').map_or("", |(_, rest)| rest) })
        .collect::<Vec<_>>()
        .join(" ");
    without_matchers
        .split(|c: char| !is_word(c))
        .filter(|word| ["skypanel_", "container_", "traefik_", "node_"].iter().any(|prefix| word.starts_with(prefix)))
        .map(str::to_owned)
        .collect()
}

#[expect(clippy::cast_precision_loss, reason = "few")]
fn cores() -> f64 {
    std::thread::available_parallelism().expect("is known").get() as f64
}
