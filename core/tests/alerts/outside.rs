//! What the rules find that look at nodes, at services and at what the edge counts.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use futures_util::stream::BoxStream;
use skypanel_core::alerts::rules::Outside;
use skypanel_core::alerts::{Watch, rules};
use skypanel_core::console::{Console, Edge, LogLine, LogQuery, OneOff, OneOffSession, ProcessState};
use skypanel_core::measurements::{Measurements, NodeUsage, Series, Traffic};
use skypanel_core::model::{AlertRule, AppId, Application, Node, NodeAvailability, NodeRole, NodeState};
use skypanel_core::store::ApiAnswers;
use skypanel_core::{Error, Result};

use crate::stand_ins::{Manners, StandIn};
use crate::watched::news;
use crate::world::World;

/// Two nodes, an edge and the traffic of apps, as a test wants them.
#[derive(Default)]
struct Place {
    /// None for an engine that does not answer.
    nodes: Mutex<Option<Vec<Node>>>,
    edge_fails: AtomicBool,
    usage: Mutex<BTreeMap<String, NodeUsage>>,
    traffic: Mutex<BTreeMap<AppId, Traffic>>,
}

impl Place {
    fn new() -> Arc<Self> {
        let place = Self::default();
        *place.nodes.lock().expect("is whole") = Some(["one", "two"].map(node).to_vec());
        Arc::new(place)
    }

    fn change(&self, number: usize, change: impl FnOnce(&mut Node)) {
        change(&mut self.nodes.lock().expect("is whole").as_mut().expect("answers")[number]);
    }

    /// What a node uses: cores of its two, and shares of its memory and disk.
    fn uses(&self, node: &str, cpu_cores: f64, memory: f64, disk: f64) {
        let usage = NodeUsage {
            at: DateTime::default(),
            cpu_cores,
            memory_bytes: memory * 8e9,
            memory_limit_bytes: 8e9,
            disk_bytes: disk * 1e11,
            disk_limit_bytes: 1e11,
            load: 0.0,
            containers: 0.0,
        };
        self.usage.lock().expect("is whole").insert(node.to_owned(), usage);
    }

    fn serves(&self, app: AppId, requests: f64, errors: f64, p95_seconds: f64) {
        let traffic = Traffic { requests, errors, p95_seconds: Some(p95_seconds) };
        self.traffic.lock().expect("is whole").insert(app, traffic);
    }
}

fn node(name: &str) -> Node {
    Node {
        id: format!("id-of-{name}"),
        name: name.to_owned(),
        address: None,
        role: NodeRole::Manager,
        is_leader: name == "one",
        state: NodeState::Ready,
        message: None,
        availability: NodeAvailability::Active,
        engine_version: None,
        cpu_millicores: 2_000,
        memory_bytes: 8_000_000_000,
        replicas: 0,
        joined_at: None,
    }
}

#[async_trait]
impl Console for Place {
    async fn logs(&self, _: &Application, _: LogQuery) -> Result<BoxStream<'static, Result<LogLine>>> {
        Err(Error::System("There is no engine.".to_owned()))
    }

    async fn processes(&self, _: &Application) -> Result<Vec<ProcessState>> {
        Err(Error::System("There is no engine.".to_owned()))
    }

    async fn nodes(&self) -> Result<Vec<Node>> {
        let nodes = self.nodes.lock().expect("is whole").clone();
        nodes.ok_or_else(|| Error::Upstream("It is silent.".to_owned()))
    }

    async fn edge(&self) -> Result<Edge> {
        if self.edge_fails.load(Relaxed) { Err(Error::Upstream("It is silent.".to_owned())) } else { Ok(Edge::Serves) }
    }

    async fn run(&self, _: &Application, _: OneOff) -> Result<OneOffSession> {
        Err(Error::System("There is no engine.".to_owned()))
    }
}

#[async_trait]
impl Measurements for Place {
    async fn of_app(&self, _: AppId, _: DateTime<Utc>, _: DateTime<Utc>) -> Result<Vec<Series>> {
        Ok(Vec::new())
    }

    async fn of_node(&self, _: &str, _: DateTime<Utc>, _: DateTime<Utc>) -> Result<Vec<Series>> {
        Ok(Vec::new())
    }

    async fn nodes_now(&self, _: DateTime<Utc>) -> Result<BTreeMap<String, NodeUsage>> {
        Ok(self.usage.lock().expect("is whole").clone())
    }

    async fn traffic(&self, _: DateTime<Utc>) -> Result<BTreeMap<AppId, Traffic>> {
        Ok(self.traffic.lock().expect("is whole").clone())
    }
}

/// A platform in a place.
struct Placed {
    world: World,
    place: Arc<Place>,
}

impl Placed {
    async fn new() -> Self {
        Self { world: World::new().await, place: Place::new() }
    }

    fn outside(&self) -> Outside {
        Outside { console: self.place.clone(), measurements: self.place.clone(), host: "one".to_owned() }
    }

    /// Has all rules look once a minute for so many minutes; answers what was news.
    async fn look_for(&self, minutes: u32) -> Vec<String> {
        let mut all = Vec::new();
        for _ in 0..minutes {
            self.world.advance(TimeDelta::minutes(1));
            let rules = rules::of_the_store().into_iter().chain(rules::of_the_outside(&self.outside())).collect();
            let looked = Watch::new(self.world.store().clone(), rules).look().await.expect("looks");
            let silent = self.place.nodes.lock().expect("is whole").is_none();
            assert!(silent || looked.blind.is_empty(), "{looked:?}");
            all.extend(news(&looked));
        }
        all
    }

    async fn switch_off(&self, rule: AlertRule) {
        self.world.set(rule.info().settings[0], "0").await;
        assert_eq!(self.look_for(3).await, [""; 0], "{rule}");
        assert_eq!(self.world.open_alerts().await, [], "{rule}");
        self.world.set(rule.info().settings[0], "50").await;
    }
}

#[tokio::test]
async fn there_is_something_that_looks_for_each_rule() {
    let placed = Placed::new().await;
    let all = rules::of_the_store().into_iter().chain(rules::of_the_outside(&placed.outside()));
    let mut names: Vec<AlertRule> = all.map(|rule| rule.name()).collect();
    names.sort();
    assert_eq!(names, AlertRule::ALL);
    assert_eq!(placed.look_for(10).await, [""; 0], "nothing is wrong yet");
    placed.world.close().await;
}

#[tokio::test]
async fn nodes_that_do_not_answer_are_found() {
    let placed = Placed::new().await;
    let place = &placed.place;
    place.change(1, |node| node.state = NodeState::Down);
    assert_eq!(placed.look_for(2).await, [""; 0], "it may come back");
    assert_eq!(placed.look_for(1).await, ["fired node_down two"]);
    place.change(1, |node| node.state = NodeState::Ready);
    assert_eq!(placed.look_for(3).await, ["resolved node_down two"]);
    // Who drains a node may switch it off.
    place.change(1, |node| (node.state, node.availability) = (NodeState::Down, NodeAvailability::Drain));
    assert_eq!(placed.look_for(5).await, [""; 0]);

    place.change(0, |node| node.state = NodeState::Disconnected);
    assert_eq!(placed.look_for(3).await, ["fired node_down one"]);
    let nodes = place.nodes.lock().expect("is whole").take();
    assert_eq!(placed.look_for(3).await, ["fired node_down container engine"]);
    *place.nodes.lock().expect("is whole") = nodes;
    assert_eq!(placed.look_for(3).await, ["resolved node_down container engine"]);
    assert_eq!(placed.world.open_alerts().await, [(AlertRule::NodeDown, "one".to_owned())]);
    placed.switch_off(AlertRule::NodeDown).await;
    placed.world.close().await;
}

#[tokio::test]
async fn nodes_that_have_little_left_are_found() {
    let placed = Placed::new().await;
    let place = &placed.place;
    place.uses("two", 1.0, 0.5, 0.5);
    place.uses("one", 1.88, 0.89, 0.84);
    assert_eq!(placed.look_for(8).await, [""; 0]);
    // For a minute it may be busy.
    place.uses("one", 2.0, 0.99, 0.84);
    assert_eq!(placed.look_for(1).await, [""; 0]);
    place.uses("one", 1.0, 0.5, 0.84);
    assert_eq!(placed.look_for(8).await, [""; 0]);
    place.uses("one", 2.0, 0.5, 0.5);
    assert_eq!(placed.look_for(6).await, ["fired node_cpu one"]);
    place.uses("one", 1.8, 0.5, 0.5);
    assert_eq!(placed.look_for(5).await, [""; 0], "it is hardly better");
    place.uses("one", 1.0, 0.91, 0.5);
    assert_eq!(placed.look_for(6).await, ["resolved node_cpu one", "fired node_memory one"]);
    place.uses("one", 1.0, 0.5, 0.5);
    assert_eq!(placed.look_for(3).await, ["resolved node_memory one"]);
    place.uses("one", 1.0, 0.5, 0.86);
    assert_eq!(placed.look_for(1).await, ["fired node_disk one"]);
    place.uses("one", 1.0, 0.5, 0.96);
    assert_eq!(placed.look_for(1).await, ["worse node_disk one"]);
    // A worker on another machine, which knows nothing of this one, ends nothing.
    place.usage.lock().expect("is whole").remove("one");
    assert_eq!(placed.look_for(10).await, [""; 0]);
    place.uses("one", 1.0, 0.5, 0.5);
    assert_eq!(placed.look_for(3).await, ["resolved node_disk one"]);
    place.uses("one", 2.0, 0.99, 0.99);
    assert_eq!(placed.look_for(6).await, ["fired node_disk one", "fired node_cpu one", "fired node_memory one"]);
    for rule in [AlertRule::NodeCpu, AlertRule::NodeMemory, AlertRule::NodeDisk] {
        placed.world.set(rule.info().settings[0], "0").await;
    }
    assert_eq!(placed.look_for(9).await, [""; 0]);
    assert_eq!(placed.world.open_alerts().await, []);
    placed.world.close().await;
}

#[tokio::test]
async fn an_edge_that_does_not_answer_is_found() {
    let placed = Placed::new().await;
    placed.place.edge_fails.store(true, Relaxed);
    assert_eq!(placed.look_for(3).await, [""; 0]);
    assert_eq!(placed.look_for(1).await, ["fired edge_down one"]);
    placed.place.edge_fails.store(false, Relaxed);
    assert_eq!(placed.look_for(3).await, ["resolved edge_down one"]);
    placed.place.edge_fails.store(true, Relaxed);
    assert_eq!(placed.look_for(4).await, ["fired edge_down one"]);
    placed.switch_off(AlertRule::EdgeDown).await;
    placed.world.close().await;
}

#[tokio::test]
async fn services_that_do_not_answer_are_found() {
    let placed = Placed::new().await;
    let world = &placed.world;
    let loki = StandIn::http("200 OK", r#"{"status":"success","data":[]}"#).await;
    let prometheus = StandIn::http("200 OK", r#"{"status":"success","data":{"result":[{"value":[1,"2"]}]}}"#).await;
    let mail = StandIn::mail(Manners::default()).await;
    let broken = StandIn::http("500 Internal Server Error", "<script>").await;
    let gone = StandIn::mail(Manners::default()).await.port;
    let url = |service: &StandIn| format!("http://127.0.0.1:{}", service.port);
    world.set("smtp.host", "127.0.0.1").await;
    world.set("smtp.security", "none").await;
    world.set("smtp.from", "Skypanel <paas@example.com>").await;
    let point = async |loki: &StandIn, prometheus: &StandIn, mail: u16| {
        world.set("logs.loki_url", &url(loki)).await;
        world.set("metrics.prometheus_url", &url(prometheus)).await;
        world.set("smtp.port", &mail.to_string()).await;
    };
    let all = ["log_store_down log store", "mail_down mail server", "metrics_source_down metrics source"];
    let told = |news: &str| all.map(|one| format!("{news} {one}"));
    point(&loki, &prometheus, mail.port).await;
    assert_eq!(placed.look_for(4).await, [""; 0]);
    point(&broken, &broken, gone).await;
    assert_eq!(placed.look_for(3).await, [""; 0]);
    assert_eq!(placed.look_for(1).await, told("fired"));
    assert!(world.alerts().await.iter().all(|alert| !alert.message.contains("script")));
    point(&loki, &prometheus, mail.port).await;
    assert_eq!(placed.look_for(3).await, told("resolved"));
    point(&broken, &broken, gone).await;
    assert_eq!(placed.look_for(4).await, told("fired"));
    placed.switch_off(AlertRule::MailDown).await;
    // What is not used cannot be down.
    point(&broken, &broken, gone).await;
    world.set("alerts.service_down_minutes", "1").await;
    assert_eq!(placed.look_for(2).await, told("fired"));
    for (key, value) in [("logs.loki_url", ""), ("metrics.prometheus_url", ""), ("smtp.host", "")] {
        world.set(key, value).await;
    }
    assert_eq!(placed.look_for(3).await, [""; 0]);
    assert_eq!(world.open_alerts().await, []);
    placed.world.close().await;
}

#[tokio::test]
async fn apps_that_answer_with_errors_or_late_are_found() {
    let placed = Placed::new().await;
    let (place, app) = (&placed.place, placed.world.app.id);
    placed.world.set("alerts.app_latency_ms", "500").await;
    place.serves(app, 49.0, 49.0, 9.0);
    // One that was destroyed.
    place.serves(AppId::new(), 500.0, 500.0, 9.0);
    assert_eq!(placed.look_for(1).await, [""; 0], "too few to say anything");
    place.serves(app, 1_000.0, 99.0, 0.4);
    assert_eq!(placed.look_for(1).await, [""; 0]);
    place.serves(app, 1_000.0, 100.0, 0.4);
    assert_eq!(placed.look_for(1).await, ["fired app_errors shop"]);
    assert_eq!(placed.world.alerts().await[0].organization_id, Some(placed.world.acme.id));
    place.serves(app, 1_000.0, 95.0, 0.5);
    assert_eq!(placed.look_for(5).await, ["fired app_latency shop"]);
    place.serves(app, 1_000.0, 10.0, 0.46);
    assert_eq!(placed.look_for(3).await, ["resolved app_errors shop"]);
    place.serves(app, 10.0, 0.0, 0.5);
    assert_eq!(placed.look_for(3).await, ["resolved app_latency shop"]);
    place.serves(app, 1_000.0, 900.0, 2.0);
    assert_eq!(placed.look_for(1).await, ["fired app_errors shop", "fired app_latency shop"]);
    for rule in [AlertRule::AppErrors, AlertRule::AppLatency] {
        placed.world.set(rule.info().settings[0], "0").await;
    }
    assert_eq!(placed.look_for(3).await, [""; 0]);
    assert_eq!(placed.world.open_alerts().await, []);
    placed.world.close().await;
}

#[tokio::test]
async fn an_api_that_answers_with_errors_or_late_is_found() {
    let placed = Placed::new().await;
    let world = &placed.world;
    let answers = async |requests: u64, errors: u64, slow: u64| {
        let answers = ApiAnswers { requests, errors, slow };
        world.store().add_api_answers(&answers, world.now()).await.expect("is written down");
    };
    // Two processes within a minute.
    answers(20, 20, 20).await;
    answers(29, 29, 29).await;
    assert_eq!(placed.look_for(1).await, [""; 0], "too few to say anything");
    world.advance(TimeDelta::minutes(10));
    answers(1_000, 49, 49).await;
    assert_eq!(placed.look_for(1).await, [""; 0]);
    answers(0, 1, 1).await;
    assert_eq!(placed.look_for(1).await, ["fired api_errors platform", "fired api_latency platform"]);
    answers(80, 0, 0).await;
    assert_eq!(placed.look_for(2).await, [""; 0]);
    assert_eq!(placed.look_for(8).await, ["resolved api_errors platform", "resolved api_latency platform"]);
    answers(100, 100, 100).await;
    assert_eq!(placed.look_for(1).await, ["fired api_errors platform", "fired api_latency platform"]);
    for rule in [AlertRule::ApiErrors, AlertRule::ApiLatency] {
        world.set(rule.info().settings[0], "0").await;
    }
    assert_eq!(placed.look_for(1).await, [""; 0]);
    assert_eq!(world.open_alerts().await, []);
    world.store().drop_old_api_answers(world.now()).await.expect("forgets");
    let since = world.now() - TimeDelta::days(1);
    assert_eq!(world.store().api_answers(since).await.expect("reads").requests, 0);
    placed.world.close().await;
}
