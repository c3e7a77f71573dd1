//! What `skypanel login` stands on: the platform's address, the page on which a person approves it, and logging out.

use serde_json::json;
use skypanel_core::actions::Scope;

use crate::browser::Browser;
use crate::serving::{Serving, request};
use crate::world::World;

#[tokio::test(flavor = "multi_thread")]
async fn the_page_and_its_parts_are_served_with_a_policy_that_allows_no_others() {
    let serving = Serving::start().await;
    let mut texts = Vec::new();
    for (path, kind) in [
        ("/device", "text/html; charset=utf-8"),
        ("/device?code=BCDF-GHJK", "text/html; charset=utf-8"),
        ("/device/device.css", "text/css; charset=utf-8"),
        ("/device/device.js", "text/javascript; charset=utf-8"),
    ] {
        let (head, body) = request(serving.api, "GET", path, "").await;
        assert!(head.starts_with("HTTP/1.1 200"), "{path}: {head}");
        for line in [
            &format!("content-type: {kind}"),
            "content-security-policy: default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
             base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
            "x-frame-options: DENY",
            "x-content-type-options: nosniff",
            "referrer-policy: no-referrer",
        ] {
            assert!(head.contains(line), "{line} is missing for {path}: {head}");
        }
        texts.push(String::from_utf8(body).expect("is text"));
        let (head, _) = request(serving.api, "HEAD", path, "").await;
        assert!(head.starts_with("HTTP/1.1 200"), "{path}: {head}");
    }
    let [page, _, style, script] = texts.as_slice() else { panic!("there are four") };
    // All that the page loads is there, and nothing is inline, which the policy would keep from working.
    for part in ["href=\"/device/device.css\"", "src=\"/device/device.js\"", "<html lang=\"en\">", "<noscript>"] {
        assert!(page.contains(part), "{part} is missing");
    }
    for inline in ["<style", " style=", "<script>", " onclick=", " onsubmit=", " onload=", "javascript:"] {
        assert!(!page.contains(inline), "{inline} is in the page");
    }
    for text in [page, style, script] {
        assert!(!text.contains("://"), "nothing comes from elsewhere");
    }
    // Every field has its label, and the script finds all that it looks for.
    for field in ["email", "password", "otp", "code"] {
        assert!(page.contains(&format!("<label for=\"{field}\">")) && page.contains(&format!(" id=\"{field}\"")));
    }
    for found in script.split("part(\"").skip(1).filter_map(|rest| rest.split('"').next()) {
        assert!(page.contains(&format!("id=\"{found}\"")), "{found} is not in the page");
    }
    serving.stop().await;
}

#[tokio::test]
async fn anybody_is_told_where_the_ssh_server_is_and_its_keys() {
    let world = World::new().await;
    let now = world.actions.clock.now();
    assert_eq!(world.get("/api/platform").send().await.is(200).json["ssh"]["host_keys"], json!([]));
    world.store().note_host_key("ssh-ed25519 AAAA1", now).await.expect("notes it");
    world.store().note_host_key("ssh-ed25519 AAAA2", now + chrono::TimeDelta::seconds(1)).await.expect("notes it");
    world.store().note_host_key("ssh-ed25519 AAAA1", now + chrono::TimeDelta::seconds(2)).await.expect("notes it");
    let told = world.get("/api/platform").send().await.is(200);
    assert_eq!(
        told.json,
        json!({
            "version": env!("CARGO_PKG_VERSION"),
            "url": "http://paas.example",
            "ssh": {
                "host": "paas.example", "port": 2222, "user": "git",
                "host_keys": ["ssh-ed25519 AAAA1", "ssh-ed25519 AAAA2"],
            },
        })
    );
    // A server that is gone for long is forgotten once another one is heard of.
    world.store().note_host_key("ssh-ed25519 AAAA1", now + chrono::TimeDelta::days(31)).await.expect("notes it");
    assert_eq!(world.store().host_keys().await.expect("answers"), ["ssh-ed25519 AAAA1"]);
    world.close().await;
}

#[tokio::test]
async fn a_token_of_any_scope_can_end_itself_and_nothing_else() {
    let world = World::new().await;
    let (first, second) = (world.token("viewer", Scope::Read).await, world.token("viewer", Scope::Read).await);
    world.delete("/api/auth/token").token(&first).send().await.is(204);
    world.get("/api/me").token(&first).send().await.fails(401, "UNAUTHENTICATED");
    world.delete("/api/auth/token").token(&first).send().await.fails(401, "UNAUTHENTICATED");
    world.get("/api/me").token(&second).send().await.is(200);
    let mut browser = Browser::logged_in(&world, "viewer").await;
    browser.send(&world, axum::http::Method::DELETE, "/api/auth/token", None).await.fails(403, "FORBIDDEN");
    let noted: i64 = sqlx::query_scalar("SELECT count(*) FROM paas_audit_log WHERE action = 'token.revoke'")
        .fetch_one(world.store().pool())
        .await
        .expect("answers");
    assert_eq!(noted, 1);
    world.close().await;
}
