//! What happened, as its people read it.

use axum::http::Method;
use insta::assert_json_snapshot;
use serde_json::{Value, json};

use crate::releases::{go_live, push};
use crate::world::World;

fn kinds(answer: &Value) -> Vec<&str> {
    answer["items"].as_array().expect("a list").iter().map(|item| item["kind"].as_str().expect("a word")).collect()
}

#[tokio::test]
async fn what_happened_to_an_app_is_told_newest_first_and_in_pages() {
    let world = World::new().await;
    world.post("/api/paas/apps").by("developer").json(&json!({ "slug": "shop" })).send().await.is(201);
    world.call(Method::PATCH, "/api/paas/apps/shop").by("owner").json(&json!({ "name": "Shop" })).send().await.is(200);
    let shop = world.store().app_by_slug(&"shop".parse().expect("is one")).await.expect("reads").expect("is there");
    world.store().record_event(shop.id, None, "failure", "Release v2 failed").await.expect("records");

    let path = "/api/paas/apps/shop/events";
    let all = world.get(path).by("viewer").send().await.is(200);
    assert_json_snapshot!(all.snapshot(), {
        ".body.items[].application_id" => "[id]", ".body.items[].user_id" => "[id]", ".body.items[].id" => "[number]",
        ".body.items[0].created_at" => "[time]",
    });
    assert_eq!(all.json["items"][2]["user"], "developer@example.com");

    let first = world.get(&format!("{path}?limit=2")).by("viewer").send().await.is(200);
    assert_eq!(kinds(&first.json), ["failure", "edit"]);
    let cursor = first.json["next_cursor"].as_str().expect("goes on");
    // What comes meanwhile moves nothing.
    world.store().record_event(shop.id, None, "release", "Released v3").await.expect("records");
    let rest = world.get(&format!("{path}?limit=2&cursor={cursor}")).by("viewer").send().await.is(200);
    assert_eq!((kinds(&rest.json), &rest.json["next_cursor"]), (vec!["create"], &Value::Null));

    for name in ["outsider", "loner"] {
        world.get(path).by(name).send().await.fails(404, "NOT_FOUND");
    }
    world.close().await;
}

#[tokio::test]
async fn an_organization_hears_of_its_apps_its_wallet_and_its_suspension_only() {
    let world = World::new().await;
    let blog = world.app("blog").await.id;
    world.store().record_event(blog, None, "create", "Created").await.expect("records");
    let stranger = world.store().create_app(&"other".parse().expect("is one"), &world.globex).await.expect("makes it");
    world.store().record_event(stranger.id, None, "release", "Released v9").await.expect("records");
    // What is in the wallet lasts for less than a day.
    let shop = world.app("shop").await.id;
    sqlx::query("UPDATE paas_applications SET price_per_hour = 1 WHERE id = $1")
        .bind(shop)
        .execute(world.store().pool())
        .await
        .expect("sets a price");
    let release = push(&world, shop, "1").await;
    go_live(&world, release).await;
    let money = json!({ "kind": "top_up", "amount": "12", "reference": "payment 12" });
    world.post("/api/admin/paas/organizations/acme/ledger").by("admin").json(&money).send().await.is(201);
    world.store().set_setting("billing.enabled", "true").await.expect("sets");
    world.actions.clock.advance(std::time::Duration::from_secs(3_600));
    world.store().settle_usage().await.expect("settles");
    world.post("/api/admin/paas/organizations/acme/suspend").by("admin").json(&json!({})).send().await.is(200);

    let path = "/api/organizations/acme/events";
    let answered = world.get(path).by("viewer").send().await.is(200);
    assert!(!answered.text.contains("v9"), "{answered:#?}");
    let apps: Vec<&Value> =
        answered.json["items"].as_array().expect("a list").iter().map(|item| &item["app"]).collect();
    assert!(apps.contains(&&json!("shop")) && apps.contains(&&json!("blog")), "{answered:#?}");
    let kinds = kinds(&answered.json);
    assert!(kinds.contains(&"suspend") && kinds.contains(&"low_balance"), "{answered:#?}");
    world.get(path).by("outsider").send().await.fails(404, "NOT_FOUND");
    world.get("/api/organizations/globex/events").by("viewer").send().await.fails(404, "NOT_FOUND");
    world.close().await;
}
