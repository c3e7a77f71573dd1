//! Alerts, and whom they are told to.

use axum::http::Method;
use insta::assert_json_snapshot;
use serde_json::{Value, json};
use skypanel_core::alerts::{Watch, rules};
use skypanel_core::model::{Application, DeploymentId};

use crate::hook::Hook;
use crate::world::World;

const TARGETS: &str = "/api/organizations/acme/notifications";

impl World {
    async fn fails(&self, app: &Application, times: usize) {
        for _ in 0..times {
            sqlx::query(
                "INSERT INTO paas_deployments (id, application_id, status, trigger, created_at, finished_at)
                 VALUES ($1, $2, 'failed', 'push', $3, $3)",
            )
            .bind(DeploymentId::new())
            .bind(app.id)
            .bind(self.actions.clock.now())
            .execute(self.store().pool())
            .await
            .expect("is written down");
        }
    }

    async fn look(&self) {
        Watch::new(self.store().clone(), rules::of_the_store()).look().await.expect("looks");
    }
}

#[tokio::test]
async fn targets_are_made_tried_changed_and_removed() {
    let world = World::new().await;
    let hook = Hook::start().await;
    let wanted = json!({ "kind": "webhook", "address": hook.url("/s3cr3t"), "rules": ["app_deploys_failing"] });
    let made = world.post(TARGETS).by("owner").json(&wanted).send().await.is(201);
    assert_json_snapshot!(made.snapshot(), {
        ".body.id" => "[id]", ".body.secret" => "[secret]", ".body.address" => "[address]", ".body.created_at" => "[time]",
    });
    assert_eq!(made.json["address"], format!("http://127.0.0.1:{}/…", hook.port));
    let one = format!("{TARGETS}/{}", made.json["id"].as_str().expect("has one"));

    // Its address is this machine's.
    let refused = world.post(&format!("{one}/test")).by("owner").send().await.is(200);
    assert_eq!(refused.json["sent"], false);
    assert!(refused.json["message"].as_str().is_some_and(|text| text.contains("network.allowed")), "{refused:?}");
    world.store().set_setting("network.allowed", "127.0.0.0/8").await.expect("is set");
    let sent = world.post(&format!("{one}/test")).by("owner").send().await.is(200);
    assert_eq!(sent.json, json!({ "sent": true, "message": "127.0.0.1 answered 200: done" }));
    assert_eq!(hook.calls().len(), 1);
    let messages = world.get(&format!("{one}/messages?limit=1")).by("owner").send().await.is(200);
    assert_json_snapshot!(messages.snapshot(), {
        ".body.items[].id" => "[id]", ".body.items[].created_at" => "[time]", ".body.items[].ended_at" => "[time]",
        ".body.next_cursor" => "[cursor]",
    });
    let next = messages.json["next_cursor"].as_str().expect("goes on");
    let older = world.get(&format!("{one}/messages?limit=1&cursor={next}")).by("owner").send().await.is(200);
    assert_eq!((&older.json["items"][0]["state"], &older.json["next_cursor"]), (&json!("failed"), &Value::Null));

    let change = json!({ "rules": null, "min_severity": "critical", "enabled": false });
    let changed = world.call(Method::PATCH, &one).by("owner").json(&change).send().await.is(200).json;
    assert_eq!((&changed["rules"], &changed["min_severity"]), (&Value::Null, &json!("critical")));
    let listed = world.get(TARGETS).by("owner").send().await.is(200);
    assert!(!listed.text.contains("s3cr3t"));
    assert_eq!(listed.json["items"], json!([changed]));
    let rotated = world.post(&format!("{one}/rotate")).by("owner").send().await.is(200).json;
    assert_ne!(rotated["secret"], made.json["secret"]);
    world.delete(&one).by("owner").send().await.is(204);
    world.delete(&one).by("owner").send().await.fails(404, "NOT_FOUND");
    world.close().await;
}

#[tokio::test]
async fn what_is_wrong_with_a_target_is_told() {
    let world = World::new().await;
    for (wanted, field) in [
        (json!({ "kind": "email", "address": "nobody" }), "address"),
        (json!({ "kind": "email", "address": "stranger@example.org" }), "address"),
        (json!({ "kind": "slack", "address": "hooks.slack.com/x" }), "address"),
        (json!({ "kind": "webhook", "address": "https://a:b@example.com/" }), "address"),
        (json!({ "kind": "webhook", "address": "https://example.com/", "rules": [] }), "rules"),
        (json!({ "kind": "webhook", "address": "https://example.com/", "rules": ["deploy_failures"] }), "rules"),
    ] {
        let refused = world.post(TARGETS).by("owner").json(&wanted).send().await.fails(422, "INVALID_INPUT");
        assert!(refused.field(field).ends_with('.'), "{refused:?}");
    }
    let slack = json!({ "kind": "slack", "address": "https://hooks.slack.com/services/x" });
    let made = world.post(TARGETS).by("owner").json(&slack).send().await.is(201).json;
    assert_eq!(made["secret"], Value::Null);
    let rotate = format!("{TARGETS}/{}/rotate", made["id"].as_str().expect("has one"));
    world.post(&rotate).by("owner").send().await.fails(409, "CONFLICT");
    // Another owner's, and the platform's, are not found here.
    let elsewhere = format!("/api/organizations/globex/notifications/{}", made["id"].as_str().expect("has one"));
    world.delete(&elsewhere).by("outsider").send().await.fails(404, "NOT_FOUND");
    let of_platform = format!("/api/admin/paas/notifications/{}", made["id"].as_str().expect("has one"));
    world.delete(&of_platform).by("admin").send().await.fails(404, "NOT_FOUND");
    world.close().await;
}

#[tokio::test]
async fn members_see_their_alerts_and_admins_all() {
    let world = World::new().await;
    let shop = world.app("shop").await;
    let blog = world.app("blog").await;
    world.fails(&shop, 3).await;
    world.look().await;
    world.fails(&blog, 3).await;
    world.look().await;
    let path = "/api/organizations/acme/alerts";
    let listed = world.get(path).by("viewer").send().await.is(200);
    assert_json_snapshot!(listed.snapshot(), {
        ".body.items[].id" => "[id]", ".body.items[].organization_id" => "[id]", ".body.items[].subject.id" => "[id]",
        ".body.items[].began_at" => "[time]", ".body.items[].fired_at" => "[time]", ".body.items[].last_seen" => "[time]",
    });
    let first = world.get(&format!("{path}?limit=1&resolved=false")).by("viewer").send().await.is(200).json;
    assert_eq!(first["items"][0]["subject"]["name"], "blog");
    let next = first["next_cursor"].as_str().expect("goes on");
    let second =
        world.get(&format!("{path}?limit=1&resolved=false&cursor={next}")).by("viewer").send().await.is(200).json;
    assert_eq!((&second["items"][0]["subject"]["name"], &second["next_cursor"]), (&json!("shop"), &Value::Null));
    let none = world.get(&format!("{path}?resolved=true")).by("viewer").send().await.is(200).json;
    assert_eq!(none["items"], json!([]));

    let all = world.get("/api/admin/paas/alerts").by("admin").send().await.is(200).json;
    let rules: Vec<&str> =
        all["items"].as_array().expect("a list").iter().filter_map(|one| one["rule"].as_str()).collect();
    assert_eq!(rules, ["deploy_failures", "app_deploys_failing", "app_deploys_failing"]);
    let of_rule = world.get("/api/admin/paas/alerts?rule=deploy_failures").by("admin").send().await.is(200).json;
    assert_eq!(of_rule["items"].as_array().map(Vec::len), Some(1));
    world.get("/api/admin/paas/alerts?rule=none").by("admin").send().await.is(422);
    world.close().await;
}
