//! The platform's health: what requests need, and what they go on without.

use std::sync::Arc;

use async_trait::async_trait;
use futures_util::stream::BoxStream;
use insta::assert_json_snapshot;
use serde_json::{Value, json};
use skypanel_core::console::{Console, Edge, LogLine, LogQuery, OneOff, OneOffSession, ProcessState};
use skypanel_core::model::Application;
use skypanel_core::{Error, Result};

use crate::serving::options;
use crate::stand_ins::{Manners, StandIn};
use crate::world::World;

#[tokio::test]
async fn health_tells_of_every_dependency() {
    let world = World::new().await;
    for (name, path) in [("health", "/api/health"), ("readiness", "/api/health/ready")] {
        let answered = world.get(path).send().await.is(200);
        assert_json_snapshot!(name, answered.snapshot(), {
            ".body.checks.*.milliseconds" => "[ms]",
            ".body.checks.*.age_seconds" => "[s]",
        });
    }
    world.get("/api/health/live").send().await.is(200);
    world.close().await;
}

#[tokio::test]
async fn services_of_the_settings_are_looked_at_seldom_and_without_a_trace() {
    let world = World::of_one_process().await;
    let mail = StandIn::mail(Manners { login: Some(("paas", "s3cr3t-word")), ..Manners::default() }).await;
    let loki = StandIn::http("200 OK", r#"{"status":"success","data":[]}"#).await;
    let answer = r#"{"status":"success","data":{"resultType":"vector","result":[]}}"#;
    let prometheus = StandIn::http("200 OK", answer).await;
    let set = async |settings: Value| {
        let path = "/api/admin/paas/settings";
        let call = world.call(axum::http::Method::PUT, path).by("admin").json(&json!({ "settings": settings }));
        call.send().await.is(200);
    };
    // From before they were described nothing is kept.
    let checks = world.get("/api/health").send().await.is(200).json["checks"].take();
    assert_eq!((&checks["mail"]["status"], &checks["log_store"]["status"]), (&json!("off"), &json!("off")));
    set(json!({
        "smtp.host": "localhost", "smtp.port": mail.port, "smtp.security": "none", "smtp.user": "paas",
        "smtp.password": "s3cr3t-word", "smtp.from": "paas@example.com",
        "logs.loki_url": format!("http://127.0.0.1:{}", loki.port),
        "metrics.prometheus_url": format!("http://127.0.0.1:{}", prometheus.port),
    }))
    .await;
    for _ in 0..3 {
        let answered = world.get("/api/health").send().await.is(200);
        assert_eq!(answered.json["status"], "ok", "{answered:#?}");
        for part in ["mail", "log_store", "metrics"] {
            assert_eq!(answered.json["checks"][part]["status"], "ok", "{answered:#?}");
        }
    }
    let told = |stand_in: &StandIn, word: &str| stand_in.heard().iter().filter(|line| line.starts_with(word)).count();
    assert_eq!((told(&mail, "EHLO"), told(&mail, "AUTH"), told(&mail, "MAIL")), (1, 0, 0));
    assert_eq!((told(&loki, "GET"), told(&loki, "POST")), (1, 0));
    assert_eq!(told(&prometheus, "GET"), 1);

    // What nobody waits for makes nothing unready. Port 9 has nobody.
    set(json!({ "smtp.port": 9, "logs.loki_url": "http://127.0.0.1:9", "metrics.prometheus_url": null })).await;
    let answered = world.get("/api/health").send().await.is(200);
    assert_eq!((&answered.json["status"], &answered.json["ready"]), (&json!("degraded"), &json!(true)));
    let status = |part: &str| answered.json["checks"][part]["status"].clone();
    assert_eq!([status("mail"), status("log_store"), status("metrics")], ["failed", "failed", "off"]);
    assert!(!answered.text.contains("127.0.0.1"), "reasons are for the log");
    let ready = world.get("/api/health/ready").send().await.is(200);
    assert_eq!((&ready.json["status"], &ready.json["checks"]["mail"]), (&json!("ok"), &Value::Null));
    world.close().await;
}

#[tokio::test]
async fn an_edge_that_does_not_serve_is_seen() {
    let mut world = World::new().await;
    world.actions.console = Arc::new(NoEdge);
    world.serve_alone(options());
    let answered = world.get("/api/health").send().await.is(200);
    assert_eq!((&answered.json["status"], &answered.json["ready"]), (&json!("degraded"), &json!(true)));
    let status = |part: &str| answered.json["checks"][part]["status"].clone();
    assert_eq!([status("engine"), status("edge")], ["failed", "failed"]);
    assert!(!answered.text.contains("Somebody stopped it"));
    world.close().await;
}

/// An engine that answers nothing, beside an edge that is down.
struct NoEdge;

#[async_trait]
impl Console for NoEdge {
    async fn logs(&self, _: &Application, _: LogQuery) -> Result<BoxStream<'static, Result<LogLine>>> {
        Err(Error::Upstream("No.".to_owned()))
    }

    async fn processes(&self, _: &Application) -> Result<Vec<ProcessState>> {
        Err(Error::Upstream("No.".to_owned()))
    }

    async fn run(&self, _: &Application, _: OneOff) -> Result<OneOffSession> {
        Err(Error::Upstream("No.".to_owned()))
    }

    async fn edge(&self) -> Result<Edge> {
        Err(Error::Upstream("Somebody stopped it.".to_owned()))
    }
}
