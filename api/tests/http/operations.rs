//! What operators look at: overview, nodes, health, metrics.

use insta::assert_json_snapshot;
use skypanel_core::actions::Scope;
use skypanel_core::jobs::SettleUsage;

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
    world.close().await;
}

#[tokio::test]
async fn health_tells_of_every_dependency() {
    let world = World::new().await;
    let answered = world.get("/api/health").send().await.is(200);
    assert_json_snapshot!(answered.snapshot(), { ".body.checks.*.milliseconds" => "[ms]" });
    world.get("/api/health/ready").send().await.is(200);
    world.get("/api/health/live").send().await.is(200);
    world.close().await;
}

#[tokio::test]
async fn metrics_are_for_admins_and_count_by_route() {
    let world = World::new().await;
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
