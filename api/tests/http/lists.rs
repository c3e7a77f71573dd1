//! Every list comes in pages, or says why it cannot be long.

use std::time::Duration;

use serde_json::{Value, json};
use skypanel_core::model::Role;

use crate::browser::Browser;
use crate::releases::running;
use crate::world::World;

/// Lists that come whole, because each has an end: see "Lists" in docs/api.md.
const WHOLE: [&str; 8] = [
    "/api/admin/paas/notifications",
    "/api/admin/paas/settings",
    "/api/me/ssh-keys",
    "/api/me/tokens",
    "/api/organizations/{organization}/invitations",
    "/api/organizations/{organization}/notifications",
    "/api/paas/apps/{app}/drains",
    "/api/paas/apps/{app}/webhooks",
];

#[test]
fn every_list_comes_in_pages_or_is_known_to_be_short() {
    let document = serde_json::to_value(skypanel_api::openapi()).expect("is JSON");
    let (mut paged, mut whole) = (0, Vec::new());
    for (path, item) in document["paths"].as_object().expect("has paths") {
        let schema = &item["get"]["responses"]["200"]["content"]["application/json"]["schema"];
        let name = schema["$ref"].as_str().and_then(|name| name.rsplit('/').next()).unwrap_or_default();
        if document["components"]["schemas"][name]["properties"]["items"].is_null() {
            continue;
        }
        let parameters = item["get"]["parameters"].as_array().cloned().unwrap_or_default();
        let has = |name: &str| parameters.iter().any(|parameter| parameter["name"] == name);
        // The lines of a log are counted by `lines`.
        match (has("limit") || has("lines"), has("cursor")) {
            (true, true) => paged += 1,
            (false, false) => whole.push(path.as_str()),
            other => panic!("{path} takes one of the two: {other:?}"),
        }
    }
    whole.sort_unstable();
    assert_eq!(whole, WHOLE);
    assert!(paged > 15, "{paged}");
}

#[tokio::test]
async fn pages_put_together_are_the_whole_list() {
    let world = World::new().await;
    let shop = running(&world, "shop").await;
    for slug in ["cherry", "apple"] {
        running(&world, slug).await;
    }
    let owner = world.users["owner"].id;
    world.store().set_member(world.globex.id, owner, Role::Viewer).await.expect("joins");
    let vars = json!({ "vars": { "B": "1", "A_B": "2", "AB": "3" } });
    world.call(axum::http::Method::PATCH, "/api/paas/apps/shop/env").by("owner").json(&vars).send().await.is(202);
    for domain in ["shop.example.com", "www.example.com", "a.example.com"] {
        let body = json!({ "domain": domain });
        world.post("/api/paas/apps/shop/domains").by("owner").json(&body).send().await.is(201);
    }
    for _ in 0..3 {
        Browser::logged_in(&world, "owner").await;
    }
    sqlx::query(
        "INSERT INTO paas_usage_months (month, organization_id, application_id, app_slug, process_type, plan_id, plan_name,
             price_per_hour, replica_microseconds, charged_microseconds, cost, charged)
         SELECT month, $1, $2, 'shop', 'web', id, name, price_per_hour, 3600000000, 3600000000, price_per_hour,
             price_per_hour
         FROM paas_plans, unnest(ARRAY['2025-12-01'::date, '2026-01-01', '2026-02-01']) AS month",
    )
    .bind(world.acme.id)
    .bind(shop)
    .execute(world.store().pool())
    .await
    .expect("is used");
    world.actions.clock.advance(Duration::from_secs(600));
    for (path, by, least) in [
        ("/api/organizations?", "owner", 2),
        ("/api/paas/apps?", "owner", 3),
        ("/api/paas/apps/shop/env?", "owner", 3),
        ("/api/paas/apps/shop/domains?", "owner", 3),
        ("/api/paas/apps/shop/processes?", "owner", 0),
        ("/api/me/sessions?", "owner", 3),
        ("/api/organizations/acme/invoices?", "owner", 3),
        ("/api/paas/usage?organization=acme&month=2026-02&", "owner", 4),
        ("/api/paas/usage?organization=acme&group=app&", "owner", 3),
        ("/api/paas/plans?", "owner", 4),
        ("/api/admin/paas/plans?", "admin", 4),
        ("/api/admin/paas/nodes?", "admin", 1),
    ] {
        let whole = world.get(path.trim_end_matches(['?', '&'])).by(by).send().await.is(200).json;
        assert_eq!(whole["next_cursor"], Value::Null, "{path}");
        let whole = whole["items"].as_array().expect("is a list").clone();
        assert!(whole.len() >= least, "{path}: {whole:#?}");
        let (mut together, mut cursor) = (Vec::new(), String::new());
        for _ in 0..=whole.len() {
            let page = world.get(&format!("{path}limit=1{cursor}")).by(by).send().await.is(200).json;
            together.extend(page["items"].as_array().expect("is a list").clone());
            match page["next_cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => break,
            }
        }
        assert_eq!(together, whole, "{path}");
        for wrong in ["limit=0", "limit=501", "cursor=x", "cursor=MQ"] {
            let refused = world.get(&format!("{path}{wrong}")).by(by).send().await.fails(422, "INVALID_INPUT");
            let name = wrong.split('=').next().expect("has a name");
            assert!(refused.field(name).ends_with('.'), "{path}{wrong}");
        }
    }
    world.close().await;
}
