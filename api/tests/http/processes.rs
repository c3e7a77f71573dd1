//! What runs of an app, and what that costs.

use std::sync::Arc;

use insta::assert_json_snapshot;
use serde_json::json;
use skypanel_core::console::NoConsole;
use skypanel_core::logs::NoLogs;

use crate::releases::{audited, queued, running};
use crate::serving::options;
use crate::world::World;

#[tokio::test]
async fn stop_start_and_restart_are_jobs() {
    let world = World::new().await;
    let app = running(&world, "shop").await;
    let stopped = world.post("/api/paas/apps/shop/stop").by("developer").send().await.is(202);
    assert_json_snapshot!(stopped.snapshot(), { ".body.app_id" => "[id]", ".body.job_id" => "[id]" });
    let again = world.post("/api/paas/apps/shop/stop").by("developer").send().await.is(202);
    assert_eq!(again.json["job_id"], json!(null));
    world.post("/api/paas/apps/shop/restart").by("developer").send().await.fails(409, "CONFLICT");
    let metered = world.store().metering(app).await.expect("answers");
    assert!(metered.iter().all(|metered| metered.ended_at.is_some()), "what is stopped costs nothing: {metered:?}");

    let started = world.post("/api/paas/apps/shop/start").by("developer").send().await.is(202);
    assert_eq!(started.json["app_status"], "running");
    assert!(started.json["job_id"].is_string());
    world.post("/api/paas/apps/shop/restart").by("developer").send().await.is(202);
    assert_eq!(queued(&world).await, ["deploy", "apply", "apply", "apply"]);
    assert_eq!(audited(&world).await, ["app.deploy", "app.stop", "app.start", "app.restart"]);
    world.close().await;
}

#[tokio::test]
async fn what_was_never_released_cannot_be_started() {
    let world = World::new().await;
    world.app("shop").await;
    for action in ["start", "stop", "restart"] {
        world.post(&format!("/api/paas/apps/shop/{action}")).by("owner").send().await.fails(409, "CONFLICT");
    }
    world.close().await;
}

#[tokio::test]
async fn scaling_says_what_it_costs_before_it_does_anything() {
    let world = World::new().await;
    let app = running(&world, "shop").await;
    let path = "/api/paas/apps/shop/scale";
    let two = json!({ "processes": { "web": 2 } });
    world.post(path).by("developer").json(&two).send().await.fails(409, "PLAN_LIMIT_REACHED");
    let plan = "/api/paas/apps/shop/plan";
    let standard = json!({ "plan": "standard" });
    let dry = format!("{plan}?dry_run=true");
    let moved = world.post(&dry).by("developer").json(&standard).send().await.is(200);
    assert_eq!(
        (&moved.json["cost_per_hour_before"], &moved.json["cost_per_hour_after"], &moved.json["job_id"]),
        (&json!("0.006900"), &json!("0.034700"), &json!(null))
    );
    assert_eq!(queued(&world).await, ["deploy"], "a dry run does nothing");
    world.post(plan).by("developer").json(&standard).send().await.is(202);

    let more = json!({ "processes": { "web": 2, "worker": 1 } });
    let dry = world.post(&format!("{path}?dry_run=true")).by("developer").json(&more).send().await.is(200);
    assert_json_snapshot!(dry.snapshot(), { ".body.app_id" => "[id]" });
    let open = world.store().metering(app).await.expect("answers");
    assert_eq!(open.iter().filter(|metered| metered.ended_at.is_none()).count(), 1);
    let scaled = world.post(path).by("developer").json(&more).send().await.is(202);
    assert_eq!((&scaled.json["cost_per_hour_after"], scaled.json["job_id"].is_string()), (&json!("0.104100"), true));
    let open: Vec<_> = world.store().metering(app).await.expect("answers");
    let open: Vec<_> = open.iter().filter(|metered| metered.ended_at.is_none()).map(|m| m.replicas).collect();
    assert_eq!(open, [2, 1]);
    let same = world.post(path).by("developer").json(&more).send().await.is(202);
    assert_eq!(same.json["job_id"], json!(null), "nothing changed");
    world.post(plan).by("developer").json(&json!({ "plan": "hobby" })).send().await.fails(409, "PLAN_LIMIT_REACHED");
    let shown = world.get("/api/paas/apps/shop").by("viewer").send().await.is(200);
    assert_eq!(
        (&shown.json["formation"], &shown.json["plan"]),
        (&json!({ "web": 2, "worker": 1 }), &json!("standard"))
    );
    for bad in [json!({ "clock": 1 }), json!({ "release": 1 }), json!({}), json!({ "web": -1 }), json!({ "a b": 1 })] {
        let bad = json!({ "processes": bad });
        world.post(path).by("developer").json(&bad).send().await.fails(422, "INVALID_INPUT");
    }
    world.close().await;
}

#[tokio::test]
async fn an_empty_wallet_starts_nothing() {
    let world = World::new().await;
    running(&world, "shop").await;
    running(&world, "blog").await;
    world.post("/api/paas/apps/shop/stop").by("owner").send().await.is(202);
    world.store().set_setting("billing.enabled", "true").await.expect("sets");
    world.post("/api/paas/apps/shop/start").by("owner").send().await.fails(402, "INSUFFICIENT_FUNDS");
    let dearer = json!({ "plan": "standard" });
    let moved = world.post("/api/paas/apps/blog/plan").by("owner").json(&dearer).send().await;
    moved.fails(402, "INSUFFICIENT_FUNDS");
    world.close().await;
}

#[tokio::test]
async fn an_engine_that_does_not_answer_is_said_to() {
    let mut world = World::new().await;
    running(&world, "shop").await;
    world.actions.console = Arc::new(NoConsole);
    world.actions.logs = Arc::new(NoLogs);
    world.serve_alone(options());
    for path in ["processes", "logs", "logs/stream"] {
        let path = format!("/api/paas/apps/shop/{path}");
        world.get(&path).by("viewer").send().await.fails(502, "UPSTREAM_FAILED");
    }
    world.get("/api/admin/paas/nodes").by("admin").send().await.fails(502, "UPSTREAM_FAILED");
    world.close().await;
}

#[tokio::test]
async fn what_an_app_uses_has_the_shape_of_series() {
    let world = World::new().await;
    running(&world, "shop").await;
    let path = "/api/paas/apps/shop/metrics";
    let answered = world.get(&format!("{path}?range=6h")).by("viewer").send().await.is(200);
    assert_json_snapshot!(answered.snapshot());
    for range in ["1h", "24h", "7d"] {
        let answered = world.get(&format!("{path}?range={range}")).by("viewer").send().await.is(200);
        assert_eq!(answered.json["range"], range);
    }
    assert_eq!(world.get(path).by("viewer").send().await.is(200).json["range"], "1h");
    world.get(&format!("{path}?range=2h")).by("viewer").send().await.is(422);
    world.get(path).by("outsider").send().await.fails(404, "NOT_FOUND");
    world.close().await;
}
