//! Webhooks and repositories over HTTP.

use serde_json::{Value, json};
use skypanel_core::webhook::{MAX_BODY, sign_generic};

use crate::world::{Answered, World};

/// The path behind the address that a host is given.
fn path(webhook: &Value) -> String {
    webhook["url"].as_str().expect("has one").replacen("http://paas.example", "", 1)
}

/// Calls a generic webhook as its secret's owner does.
async fn call(world: &World, webhook: &Value, delivery: &str, body: &str) -> Answered {
    let now = world.actions.clock.now().timestamp();
    let secret = webhook["secret"].as_str().expect("has one");
    let signature = sign_generic(secret.as_bytes(), now, body.as_bytes());
    world
        .post(&path(webhook))
        .header("x-skypanel-timestamp", &now.to_string())
        .header("x-skypanel-delivery", delivery)
        .header("x-skypanel-signature", &signature)
        .body(body.to_owned())
        .send()
        .await
}

#[tokio::test]
async fn a_webhook_is_made_called_listed_and_replayed() {
    let world = World::new().await;
    let app = world.app("shop").await;
    let wanted = json!({ "provider": "generic" });
    let made = world.post("/api/paas/apps/shop/webhooks").by("developer").json(&wanted).send().await.is(201).json;
    let listed = world.get("/api/paas/apps/shop/webhooks").by("viewer").send().await.is(200);
    assert_eq!(listed.json["items"][0]["id"], made["id"]);
    assert!(!listed.text.contains(made["secret"].as_str().expect("is shown once")));

    let push = r#"{"ref": "main", "message": "One"}"#;
    let off = call(&world, &made, "1", push).await.is(200);
    assert_eq!((&off.json["outcome"], &off.json["seen_before"]), (&json!("ignored"), &json!(false)));
    assert_eq!(call(&world, &made, "1", push).await.is(200).json["seen_before"], true);
    sqlx::query("UPDATE paas_applications SET auto_deploy = true WHERE id = $1")
        .bind(app.id)
        .execute(world.store().pool())
        .await
        .expect("switches on");
    let no_url = call(&world, &made, "2", r#"{"ref": "main", "message": "Two"}"#).await.is(409);
    assert_eq!(no_url.json["outcome"], "failed");
    sqlx::query("UPDATE paas_applications SET git_url = 'https://git.example.com/acme/shop.git' WHERE id = $1")
        .bind(app.id)
        .execute(world.store().pool())
        .await
        .expect("sets");
    // A host that would switch the webhook off hears that all is well, and the receipt says what is not.
    let hook = json!({ "provider": "gitlab" });
    let gitlab = world.post("/api/paas/apps/shop/webhooks").by("developer").json(&hook).send().await.is(201).json;
    sqlx::query("UPDATE organizations SET suspended_at = now() WHERE name = 'acme'")
        .execute(world.store().pool())
        .await
        .expect("suspends");
    let held = world
        .post(&path(&gitlab))
        .header("x-gitlab-token", gitlab["secret"].as_str().expect("is shown once"))
        .header("x-gitlab-event", "Push Hook")
        .body(include_str!("../../../core/tests/webhooks/fixtures/gitlab_push.json").to_owned())
        .send()
        .await
        .is(200);
    assert_eq!(held.json["outcome"], "failed");
    sqlx::query("UPDATE organizations SET suspended_at = NULL WHERE name = 'acme'")
        .execute(world.store().pool())
        .await
        .expect("resumes");
    let taken = call(&world, &made, "3", r#"{"ref": "main", "message": "Three"}"#).await.is(202);
    assert!(taken.json["deployment_id"].is_string(), "{taken:#?}");

    let deliveries = format!("/api/paas/apps/shop/webhooks/{}/deliveries", made["id"].as_str().expect("has one"));
    let page = world.get(&format!("{deliveries}?limit=2")).by("viewer").send().await.is(200).json;
    let outcomes: Vec<&Value> =
        page["items"].as_array().expect("is a list").iter().map(|item| &item["outcome"]).collect();
    assert_eq!(outcomes.len(), 2);
    let cursor = page["next_cursor"].as_str().expect("goes on");
    let rest = world.get(&format!("{deliveries}?cursor={cursor}")).by("viewer").send().await.is(200).json;
    assert_eq!(rest["items"].as_array().expect("is a list").len(), 1);
    let ignored = rest["items"][0]["id"].as_str().or(page["items"][0]["id"].as_str()).expect("has one");
    let replay = format!("{deliveries}/{ignored}/replay");
    assert_eq!(world.post(&replay).by("developer").send().await.is(200).json["replay_of"], *ignored);
    world.post(&replay).by("viewer").send().await.fails(403, "FORBIDDEN");
    world.post(&replay).by("outsider").send().await.fails(404, "NOT_FOUND");
    world.close().await;
}

#[tokio::test]
async fn calls_that_prove_nothing_are_refused() {
    let world = World::new().await;
    world.app("shop").await;
    let wanted = json!({ "provider": "generic" });
    let made = world.post("/api/paas/apps/shop/webhooks").by("owner").json(&wanted).send().await.is(201).json;
    world.post(&path(&made)).body("{}").send().await.fails(401, "UNAUTHENTICATED");
    let mut forged = made.clone();
    forged["secret"] = json!("guessed");
    call(&world, &forged, "1", "{}").await.fails(401, "UNAUTHENTICATED");
    world.post(&path(&made)).body("x".repeat(MAX_BODY + 1)).send().await.fails(413, "BODY_TOO_LARGE");
    for unknown in ["/api/webhooks/generic/nothing", "/api/webhooks/sourceforge/nothing"] {
        world.post(unknown).body("{}").send().await.fails(404, "NOT_FOUND");
        // Nothing of it is read.
        world.post(unknown).body("x".repeat(MAX_BODY + 1)).send().await.fails(404, "NOT_FOUND");
    }
    let other = path(&made).replace("/generic/", "/github/");
    world.post(&other).body("{}").send().await.fails(404, "NOT_FOUND");
    world.close().await;
}

#[tokio::test]
async fn authentic_calls_that_cannot_be_understood_are_listed_and_large_ones_are_taken() {
    let world = World::new().await;
    world.app("shop").await;
    let wanted = json!({ "provider": "generic" });
    let made = world.post("/api/paas/apps/shop/webhooks").by("owner").json(&wanted).send().await.is(201).json;
    let unclear = call(&world, &made, "1", "not JSON").await.is(409).json;
    assert_eq!(unclear["outcome"], "failed");
    let large = format!(r#"{{"ref": "main", "commits": "{}"}}"#, "x".repeat(20 << 20));
    assert_eq!(call(&world, &made, "2", &large).await.is(200).json["outcome"], "ignored");
    let deliveries = format!("/api/paas/apps/shop/webhooks/{}/deliveries", made["id"].as_str().expect("has one"));
    let listed = world.get(&deliveries).by("viewer").send().await.is(200).json;
    let outcomes: Vec<&Value> =
        listed["items"].as_array().expect("is a list").iter().map(|item| &item["outcome"]).collect();
    assert_eq!(outcomes, ["ignored", "failed"]);
    assert!(listed["items"][1]["reason"].as_str().is_some_and(|reason| reason.contains("cannot be understood")));
    world.close().await;
}

#[tokio::test]
async fn a_repository_is_refused_with_the_field_that_is_at_fault() {
    let world = World::new().await;
    world.app("shop").await;
    let change = |body: Value| {
        world.call(axum::http::Method::PATCH, "/api/paas/apps/shop/repository").by("developer").json(&body).send()
    };
    let inner = change(json!({ "git_url": "https://127.0.0.1/acme/shop.git" })).await.fails(422, "INVALID_GIT_URL");
    assert!(inner.field("git_url").contains("this machine itself"));
    let token = change(json!({ "git_url": "https://me:s3cret@github.com/a/b" })).await.fails(422, "INVALID_GIT_URL");
    assert!(token.field("git_url").contains("its own field") && !token.text.contains("s3cret"));
    change(json!({ "git_branch": "a..b" })).await.fails(422, "INVALID_GIT_URL").field("git_branch");
    assert_eq!(change(json!({ "auto_deploy": true })).await.is(200).json["auto_deploy"], true);
    let key = world.post("/api/paas/apps/shop/repository/deploy-key").by("developer").send().await.is(201).json;
    let shown = world.get("/api/paas/apps/shop/repository").by("viewer").send().await.is(200).json;
    assert_eq!(shown["deploy_key"], key["public_key"]);
    assert!(
        key["public_key"]
            .as_str()
            .is_some_and(|key| key.starts_with("ssh-ed25519 ") && key.ends_with(" skypanel-shop"))
    );
    world.post("/api/paas/apps/shop/repository/deploy-key").by("viewer").send().await.fails(403, "FORBIDDEN");
    world.get("/api/paas/apps/shop/repository").by("outsider").send().await.fails(404, "NOT_FOUND");
    world.close().await;
}

#[tokio::test]
async fn the_audit_log_tells_what_a_webhook_was_and_became() {
    let world = World::new().await;
    world.app("shop").await;
    let wanted = json!({ "provider": "gitea" });
    let made = world.post("/api/paas/apps/shop/webhooks").by("developer").json(&wanted).send().await.is(201).json;
    let path = format!("/api/paas/apps/shop/webhooks/{}", made["id"].as_str().expect("is text"));
    let rotate = format!("{path}/rotate");
    for _ in 0..2 {
        world.post(&rotate).by("developer").send().await.is(200);
        world.actions.clock.advance(std::time::Duration::from_secs(60));
    }
    world.delete(&path).by("developer").send().await.is(204);
    let log = world.get("/api/admin/paas/audit?action=webhook.").by("admin").send().await.is(200);
    let lines = log.json["items"].as_array().expect("is a list").iter().rev();
    let told: Vec<Value> = lines.map(|line| json!([line["action"], line["before"], line["after"]])).collect();
    insta::assert_json_snapshot!(told);
    world.close().await;
}
