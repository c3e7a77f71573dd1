//! Custom domains over HTTP, with a real name server.

use insta::assert_json_snapshot;
use serde_json::json;

use crate::name_server::NameServer;
use crate::world::World;

#[tokio::test]
async fn a_domain_is_added_verified_and_removed() {
    let world = World::new().await;
    let app = world.app("shop").await;
    let dns = NameServer::start().await;
    for (key, value) in [("dns.resolver", dns.address.to_string()), ("apps.default_domain", "apps.test".to_owned())] {
        world.store().set_setting(key, &value).await.expect("is set");
    }
    let added =
        world.post("/api/paas/apps/shop/domains").by("developer").json(&json!({ "domain": "WWW.Example.com" })).send();
    let added = added.await.is(201);
    assert_json_snapshot!(added.snapshot(), {
        ".body.id" => "[id]", ".body.application_id" => "[id]", ".body.verification.value" => "[proof]",
    });

    let verify = "/api/paas/apps/shop/domains/www.example.com/verify";
    let wrong = world.post(verify).by("developer").send().await.is(200);
    assert_json_snapshot!(wrong.snapshot(), {
        ".body.domain.id" => "[id]",
        ".body.domain.application_id" => "[id]",
        ".body.domain.problem" => "[names the app]",
        ".body.domain.verification.value" => "[proof]",
    });
    dns.set_txt("_paas-verify.www.example.com", &format!("paas-verify={}", app.id)).await;
    dns.set_alias("www.example.com", "shop.apps.test").await;
    world.post(verify).by("developer").send().await.is(200);

    let listed = world.get("/api/paas/apps/shop/domains").by("viewer").send().await.is(200);
    assert_json_snapshot!(listed.snapshot(), {
        ".body.items[].id" => "[id]",
        ".body.items[].application_id" => "[id]",
        ".body.items[].verification.value" => "[proof]",
    });
    let domains = "/api/paas/apps/shop/domains";
    world
        .call(axum::http::Method::PATCH, domains)
        .by("developer")
        .json(&json!({ "https_redirect": false }))
        .send()
        .await
        .is(204);
    world.delete("/api/paas/apps/shop/domains/www.example.com").by("developer").send().await.is(204);
    world.delete("/api/paas/apps/shop/domains/www.example.com").by("developer").send().await.fails(404, "NOT_FOUND");
    world.close().await;
}

#[tokio::test]
async fn only_the_app_s_people_may_and_only_what_can_be() {
    let world = World::new().await;
    world.app("shop").await;
    let domains = "/api/paas/apps/shop/domains";
    let wanted = json!({ "domain": "www.example.com" });
    world.post(domains).json(&wanted).send().await.fails(401, "UNAUTHENTICATED");
    world.post(domains).by("viewer").json(&wanted).send().await.fails(403, "FORBIDDEN");
    world.post(domains).by("outsider").json(&wanted).send().await.fails(404, "NOT_FOUND");
    for bad in ["", "*.example.com", "co.uk", "shop.localhost", "http://example.com", "192.0.2.1"] {
        let refused = world.post(domains).by("owner").json(&json!({ "domain": bad })).send().await;
        let refused = refused.fails(422, "INVALID_INPUT");
        assert!(!refused.field("domain").is_empty(), "{bad}");
    }
    world.post(domains).by("owner").json(&wanted).send().await.is(201);
    world.post(domains).by("owner").json(&wanted).send().await.fails(409, "CONFLICT");
    world.close().await;
}
