//! What operators look at: overview, nodes, metrics.

use std::time::Duration;

use insta::assert_json_snapshot;
use serde_json::json;
use skypanel_core::actions::Scope;
use skypanel_core::jobs::SettleUsage;
use skypanel_core::model::{DeploymentStatus, Stage};

use crate::openmetrics::{Exposition, labels};
use crate::releases::{push, running};
use crate::world::World;

#[tokio::test]
async fn the_overview_is_right_on_an_empty_platform_and_on_one_with_an_app() {
    let world = World::new().await;
    let path = "/api/admin/paas/overview";
    let empty = world.get(path).by("admin").send().await.is(200);
    assert_json_snapshot!(empty.snapshot());
    world.app("shop").await;
    let answered = world.get(path).by("admin").send().await.is(200);
    assert_eq!(answered.json["applications"]["inactive"], 1);
    assert_eq!(answered.json["applications"]["total"], 1);
    world.get(path).by("owner").send().await.fails(403, "FORBIDDEN");
    world.close().await;
}

#[tokio::test]
async fn nodes_are_listed_as_the_engine_tells() {
    let world = World::new().await;
    let answered = world.get("/api/admin/paas/nodes").by("admin").send().await.is(200);
    assert_json_snapshot!(answered.snapshot());
    let metrics = world.get("/api/admin/paas/nodes/one/metrics?range=6h").by("admin").send().await.is(200);
    assert_json_snapshot!("what_a_node_uses", metrics.snapshot());
    let by_id = world.get("/api/admin/paas/nodes/node1/metrics").by("admin").send().await.is(200);
    assert_eq!((&by_id.json["range"], &by_id.json["series"]), (&json!("1h"), &metrics.json["series"]));
    world.get("/api/admin/paas/nodes/two/metrics").by("admin").send().await.fails(404, "NOT_FOUND");
    world.get("/api/admin/paas/nodes/one/metrics").by("owner").send().await.fails(403, "FORBIDDEN");
    world.close().await;
}

#[tokio::test]
async fn metrics_are_for_admins_and_count_by_route() {
    let world = World::of_one_process().await;
    world.get("/metrics").send().await.fails(401, "UNAUTHENTICATED");
    world.get("/metrics").by("owner").send().await.fails(403, "FORBIDDEN");
    world.app("shop").await;
    world.actions.jobs.add(SettleUsage {}).await.expect("waits");
    for _ in 0..3 {
        world.get("/api/paas/plans").by("owner").send().await.is(200);
    }
    world.get("/api/paas/nothing/of/that/name").by("owner").send().await.is(404);
    let token = world.token("admin", Scope::Read).await;
    let answered = world.get("/metrics").token(&token).send().await.is(200);
    let text = answered.text;
    for line in [
        "skypanel_http_requests_total{method=\"GET\",route=\"/api/paas/plans\",status=\"200\"} 3",
        "skypanel_http_request_seconds_count{method=\"GET\",route=\"/api/paas/plans\"} 3",
        "skypanel_http_requests_total{method=\"GET\",route=\"/metrics\",status=\"403\"} 1",
        "skypanel_jobs{task=\"settle_usage\",state=\"waiting\"} 1",
        "skypanel_apps{status=\"inactive\"} 1",
        "skypanel_pool_connections{state=\"used\"}",
    ] {
        assert!(text.contains(line), "{line} is missing in\n{text}");
    }
    assert!(!text.contains("of/that/name"), "routes, not paths");
    assert_eq!(text.matches("# EOF").count(), 1);
    assert!(text.ends_with("# EOF\n"));
    world.close().await;
}

#[tokio::test]
async fn builds_and_releases_are_counted_for_good_and_the_same_by_every_process() {
    let world = World::of_one_process().await;
    let store = world.store();
    let token = world.token("admin", Scope::Read).await;
    let shop = running(&world, "shop").await;
    let failed = push(&world, shop, "2").await;
    assert!(store.advance_deployment(failed, DeploymentStatus::Building).await.expect("answers"));
    // As workers write them down; how long they took is set by hand.
    for (stage, seconds, is_failed) in [(Stage::Build, 3, false), (Stage::Package, 40, true)] {
        store.start_stage(failed, stage, world.actions.clock.now()).await.expect("starts");
        sqlx::query(
            "UPDATE paas_deployment_stages SET finished_at = started_at + $3 * interval '1 second', failed = $4
             WHERE deployment_id = $1 AND stage = $2",
        )
        .bind(failed)
        .bind(stage)
        .bind(seconds)
        .bind(is_failed)
        .execute(store.pool())
        .await
        .expect("ends");
    }
    store.finish_deployment(failed, DeploymentStatus::Failed, Some(("BUILD_FAILED", "No."))).await.expect("ends");

    // What was never counted has no family.
    world.get("/api/paas/plans").by("owner").send().await.is(200);
    let told = world.get("/metrics").token(&token).send().await.is(200).text;
    let metrics = Exposition::read(&told);
    for (name, kind) in [
        ("skypanel_http_requests", "counter"),
        ("skypanel_http_request_seconds", "histogram"),
        ("skypanel_deployment_seconds", "histogram"),
        ("skypanel_stage_seconds", "histogram"),
        ("skypanel_apps", "gauge"),
    ] {
        assert_eq!(metrics.kind(name), Some(kind));
    }
    let ended = |metrics: &Exposition, outcome| {
        metrics.get("skypanel_deployment_seconds_count", &[("trigger", "push"), ("outcome", outcome)])
    };
    assert_eq!((ended(&metrics, "succeeded"), ended(&metrics, "failed")), (1.0, 1.0));
    let package = [("stage", "package"), ("outcome", "failed")];
    let took = |metrics: &Exposition| (metrics.get("skypanel_stage_seconds_sum", &package), ended(metrics, "failed"));
    assert_eq!(took(&metrics), (40.0, 1.0));
    let buckets = metrics.buckets("skypanel_stage_seconds", &labels(&package));
    assert_eq!(buckets.iter().find(|bucket| bucket.1 > 0.0), Some(&(60.0, 1.0)), "{buckets:?}");
    let built = metrics.get("skypanel_stage_seconds_count", &[("stage", "build"), ("outcome", "succeeded")]);
    assert_eq!((built, ended(&metrics, "succeeded")), (1.0, 1.0));

    // Another process of the API tells the same, and what is gone stays counted.
    store.delete_app(shop).await.expect("deletes");
    let other = skypanel_api::router(world.actions.clone(), crate::serving::options());
    let request = axum::http::Request::builder()
        .uri("/metrics")
        .header("authorization", format!("Bearer {token}"))
        .extension(skypanel_api::Peer(([192, 0, 2, 8], 4711).into()))
        .body(axum::body::Body::empty())
        .expect("is a request");
    let response = tower::ServiceExt::oneshot(other, request).await.expect("answers");
    let body = axum::body::to_bytes(response.into_body(), 1 << 20).await.expect("ends");
    let there = Exposition::read(std::str::from_utf8(&body).expect("is text"));
    assert_eq!((ended(&there, "succeeded"), ended(&there, "failed")), (1.0, 1.0));
    assert_eq!(took(&there), (40.0, 1.0));
    world.close().await;
}

#[tokio::test]
async fn how_the_api_answers_is_written_down_for_the_rules_of_alerts() {
    let serving = crate::serving::Serving::start().await;
    for path in ["/api/health/live", "/api/paas/plans", "/_edge/unknown"] {
        crate::serving::request(serving.api, "GET", path, "").await;
    }
    // What was not written down yet is at the end.
    let database = serving.end().await;
    let since = "2026-03-01T12:00:00Z".parse().expect("is a time");
    let answers = database.store().api_answers(since).await.expect("reads");
    assert_eq!(
        (answers.requests, answers.errors, answers.slow),
        (2, 0, 0),
        "pages for visitors of apps are none of it"
    );
    database.close().await;
}

#[tokio::test]
async fn answers_that_the_store_did_not_take_are_written_down_later() {
    let serving = crate::serving::Serving::start().await;
    let pool = serving.database.store().pool().clone();
    // What a sequence counted is not taken back with the statement that fails.
    for statement in [
        "CREATE SEQUENCE tries",
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
             $$ BEGIN PERFORM nextval('tries'); RAISE EXCEPTION 'no room'; END $$",
        "CREATE TRIGGER refuse BEFORE INSERT ON paas_api_minutes FOR EACH ROW EXECUTE FUNCTION refuse()",
    ] {
        sqlx::query(statement).execute(&pool).await.expect("is made");
    }
    for path in ["/api/health/live", "/api/paas/plans"] {
        crate::serving::request(serving.api, "GET", path, "").await;
    }
    let refused = async {
        let tried = "SELECT is_called FROM tries";
        while !sqlx::query_scalar::<_, bool>(tried).fetch_one(&pool).await.expect("answers") {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), refused).await.expect("is tried");
    sqlx::query("DROP TRIGGER refuse ON paas_api_minutes").execute(&pool).await.expect("goes");
    drop(pool);
    crate::serving::request(serving.api, "GET", "/api/health/live", "").await;
    let database = serving.end().await;
    let since = "2026-03-01T12:00:00Z".parse().expect("is a time");
    assert_eq!(database.store().api_answers(since).await.expect("reads").requests, 3);
    database.close().await;
}
