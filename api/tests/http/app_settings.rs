//! What is chosen about an app when it is made, and changed later.

use axum::http::Method;
use insta::assert_json_snapshot;
use serde_json::{Value, json};

use crate::git_hosts::Origin;
use crate::git_hosts::http::{HttpHost, Manners};
use crate::releases::{audited, queued, running};
use crate::world::World;

const SHOP: &str = "/api/paas/apps/shop";

async fn edit(world: &World, body: &Value) -> crate::world::Answered {
    world.call(Method::PATCH, SHOP).by("owner").json(body).send().await
}

#[tokio::test]
async fn everything_can_be_chosen_when_an_app_is_made() {
    let world = World::new().await;
    let origin = Origin::new();
    let host = HttpHost::serve(origin.root().to_owned(), Manners::default()).await;
    for (key, value) in [("network.allowed", "127.0.0.0/8"), ("git.allow_http", "true")] {
        world.store().set_setting(key, value).await.expect("sets");
    }
    let plan = "00000000-0000-4000-8000-000000000002";
    let wanted = json!({
        "slug": "shop", "name": "The Shop", "plan_id": plan, "git_url": host.url("127.0.0.1"), "branch": "main",
        "auto_deploy": true, "replicas": 2, "subdomain": "store", "health_check_path": "/up",
        "health_check_interval_seconds": 10, "health_check_timeout_seconds": 3, "health_check_retries": 5,
        "health_check_start_seconds": 120, "health_check_protocol": "http", "health_check_port": 9090,
        "health_check_expected_status": "200-299,401",
    });
    let made = world.post("/api/paas/apps").by("developer").json(&wanted).send().await.is(201);
    assert_json_snapshot!(made.snapshot(), {
        ".body.id" => "[id]", ".body.organization_id" => "[id]", ".body.updated_at" => "[time]",
        ".body.git_url" => "[address of the host]",
    });
    assert_eq!(made.json["git_url"], host.url("127.0.0.1"));
    let repository = world.get(&format!("{SHOP}/repository")).by("viewer").send().await.is(200);
    assert_eq!(repository.json["auto_deploy"], true);
    assert!(repository.json["verified_at"].is_string(), "was asked: {repository:#?}");
    let shown = world.get(SHOP).by("viewer").send().await.is(200);
    assert_eq!(shown.json["host"], "store.localhost");

    // What cannot be is not made at all.
    let url = format!("http://127.0.0.1:{}/acme/none.git", host.port);
    for (body, status, field) in [
        (json!({ "slug": "a", "git_url": url }), 422, Some("git_url")),
        (json!({ "slug": "a", "git_url": host.url("127.0.0.1"), "git_branch": "mian" }), 422, Some("git_branch")),
        (json!({ "slug": "a", "plan": "pro", "plan_id": plan }), 422, Some("plan_id")),
        (json!({ "slug": "a", "subdomain": "admin" }), 422, Some("subdomain")),
        (json!({ "slug": "a", "subdomain": "a.b" }), 422, Some("subdomain")),
        (json!({ "slug": "a", "health_check_retries": 101 }), 422, Some("health_check_retries")),
        (json!({ "slug": "a", "health_check_timeout_seconds": -1 }), 422, Some("health_check_timeout_seconds")),
        (json!({ "slug": "a", "health_check_protocol": "udp" }), 422, Some("health_check_protocol")),
        (json!({ "slug": "a", "plan_id": plan, "replicas": 9 }), 409, None),
        // Also where the name itself is made up.
        (json!({ "subdomain": "store" }), 409, None),
    ] {
        let refused = world.post("/api/paas/apps").by("developer").json(&body).send().await.is(status);
        assert!(field.is_none_or(|field| !refused.field(field).is_empty()), "{refused:#?}");
    }
    let apps = world.get("/api/paas/apps").by("viewer").send().await.is(200);
    assert_eq!(apps.json["items"].as_array().map(Vec::len), Some(1));
    world.close().await;
}

#[tokio::test]
async fn how_health_is_checked_is_changed_by_one_rollout_and_without_a_build() {
    let world = World::new().await;
    running(&world, "shop").await;
    let before = queued(&world).await;
    let wanted = json!({ "health_check_interval_seconds": 5, "health_check_retries": 10, "health_check_path": "/up" });
    let edited = edit(&world, &wanted).await.is(200);
    assert!(edited.json["job_id"].is_string(), "what runs is replaced: {edited:#?}");
    let values = |json: &Value| {
        ["interval_seconds", "timeout_seconds", "retries", "start_seconds"]
            .map(|name| json[format!("health_check_{name}")].clone())
    };
    assert_eq!(values(&edited.json), [json!(5), json!(null), json!(10), json!(null)]);
    let app = world.store().app_by_slug(&"shop".parse().expect("is one")).await.expect("reads").expect("is there");
    let timing = app.health.or(&world.store().settings().await.expect("reads"));
    assert_eq!((timing.interval_seconds, timing.timeout_seconds, timing.retries, timing.start_seconds), (5, 5, 10, 60));
    let jobs = queued(&world).await;
    assert_eq!(jobs[before.len()..], ["apply"], "one rollout, no build");

    // The same again changes nothing; 0 goes back to what the platform says, and the rest stays.
    assert_eq!(edit(&world, &wanted).await.is(200).json["job_id"], Value::Null);
    let back = edit(&world, &json!({ "health_check_interval_seconds": 0 })).await.is(200);
    assert_eq!(values(&back.json), [json!(null), json!(null), json!(10), json!(null)]);
    assert_eq!(queued(&world).await[before.len()..], ["apply", "apply"]);

    for (body, field) in [
        (json!({ "health_check_interval_seconds": 3601 }), "health_check_interval_seconds"),
        (json!({ "health_check_start_seconds": -1 }), "health_check_start_seconds"),
        (json!({ "health_check_retries": "many" }), "health_check_retries"),
        (json!({ "health_check_protocol": "HTTP" }), "health_check_protocol"),
        (json!({ "health_check_port": 65536 }), "health_check_port"),
        (json!({ "health_check_port": -1 }), "health_check_port"),
        (json!({ "health_check_expected_status": "ok" }), "health_check_expected_status"),
        (json!({ "health_check_expected_status": "200-199" }), "health_check_expected_status"),
    ] {
        assert!(!edit(&world, &body).await.fails(422, "INVALID_INPUT").field(field).is_empty());
    }
    let log = world.get("/api/admin/paas/audit?action=app.edit").by("admin").send().await.is(200);
    assert_eq!(log.json["items"][1]["after"]["health_check_retries"], 10);
    world.close().await;
}

#[tokio::test]
async fn what_the_health_check_asks_is_changed_by_one_rollout_and_without_a_build() {
    let world = World::new().await;
    running(&world, "shop").await;
    let before = queued(&world).await;
    let wanted = json!({ "health_check_port": 9090, "health_check_expected_status": "200-299,401" });
    let edited = edit(&world, &wanted).await.is(200);
    assert!(edited.json["job_id"].is_string(), "what runs is replaced: {edited:#?}");
    let values =
        |json: &Value| ["protocol", "port", "expected_status"].map(|name| json[format!("health_check_{name}")].clone());
    assert_eq!(values(&edited.json), [json!(null), json!(9090), json!("200-299,401")]);
    let app = world.store().app_by_slug(&"shop".parse().expect("is one")).await.expect("reads").expect("is there");
    assert_eq!(app.health_target.question(None), "http:/health");
    assert_eq!(edit(&world, &wanted).await.is(200).json["job_id"], Value::Null, "the same again");

    let tcp = edit(&world, &json!({ "health_check_protocol": "tcp" })).await.is(200);
    assert_eq!(values(&tcp.json), [json!("tcp"), json!(9090), json!("200-299,401")], "the rest stays");
    let usual = json!({ "health_check_protocol": "", "health_check_port": 0, "health_check_expected_status": "" });
    assert_eq!(values(&edit(&world, &usual).await.is(200).json), [Value::Null, Value::Null, Value::Null]);
    assert_eq!(queued(&world).await[before.len()..], ["apply"; 3], "a rollout each, no build");
    world.close().await;
}

#[tokio::test]
async fn an_app_gets_another_name_of_its_own_where_nobody_has_it() {
    let world = World::new().await;
    running(&world, "shop").await;
    world.app("blog").await;
    let before = queued(&world).await;
    edit(&world, &json!({ "subdomain": "blog" })).await.fails(409, "SLUG_TAKEN");
    assert!(!edit(&world, &json!({ "subdomain": "Not one" })).await.is(422).field("subdomain").is_empty());
    assert_eq!(queued(&world).await, before);
    let edited = edit(&world, &json!({ "subdomain": "store" })).await.is(200);
    assert_eq!((&edited.json["subdomain"], &edited.json["slug"]), (&json!("store"), &json!("shop")));
    assert!(edited.json["job_id"].is_string(), "what runs is told its name");
    assert_eq!(queued(&world).await[before.len()..], ["apply"]);
    let shown = world.get(SHOP).by("viewer").send().await.is(200);
    assert_eq!(shown.json["host"], "store.localhost");
    world.close().await;
}

#[tokio::test]
async fn a_change_is_made_whole_or_not_at_all() {
    let world = World::new().await;
    world.app("shop").await;
    let wrong = json!({ "git_branch": "live", "auto_deploy": true, "health_check_path": "up" });
    assert!(!edit(&world, &wrong).await.fails(422, "INVALID_INPUT").field("health_check_path").is_empty());
    let nowhere = json!({ "name": "New", "git_url": "http://127.0.0.1:9/x.git" });
    edit(&world, &nowhere).await.is(422);
    let shown = world.get(SHOP).by("viewer").send().await.is(200);
    assert_eq!(
        (&shown.json["git_branch"], &shown.json["auto_deploy"], &shown.json["name"]),
        (&json!("main"), &json!(false), &json!("shop"))
    );
    let none: [&str; 0] = [];
    assert_eq!(audited(&world).await, none);
    world.close().await;
}
