//! Plans, and with them what every handler has in common.

use insta::assert_json_snapshot;
use skypanel_core::actions::Scope;

use crate::world::World;

#[tokio::test]
async fn anyone_who_is_known_sees_the_plans() {
    let world = World::new().await;
    let answered = world.get("/api/paas/plans").by("loner").send().await.is(200);
    assert_json_snapshot!(answered.snapshot());
    assert_eq!(answered.headers["cache-control"], "private, no-cache");
    assert_eq!(answered.headers["x-content-type-options"], "nosniff");
    let token = world.token("viewer", Scope::Read).await;
    world.get("/api/paas/plans").token(&token).send().await.is(200);
    world.close().await;
}

#[tokio::test]
async fn nobody_else_sees_them() {
    let world = World::new().await;
    let answered = world.get("/api/paas/plans").send().await.fails(401, "UNAUTHENTICATED");
    assert_eq!(answered.headers["www-authenticate"], "Bearer");
    assert_json_snapshot!(answered.snapshot(), { ".body.timestamp" => "[time]", ".body.request_id" => "[id]" });
    for token in ["", "skp_", "skp_unknown", "Basic YTpi"] {
        world.get("/api/paas/plans").token(token).send().await.fails(401, "UNAUTHENTICATED");
    }
    world.post("/api/paas/plans").by("owner").send().await.fails(405, "METHOD_NOT_ALLOWED");
    world.get("/api/paas/nothing").by("owner").send().await.fails(404, "NOT_FOUND");
    world.close().await;
}
