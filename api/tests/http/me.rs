//! What belongs to the caller alone: tokens, keys, password, second factor.

use std::time::Duration;

use axum::http::Method;
use insta::assert_json_snapshot;
use serde_json::{Value, json};
use skypanel_core::actions::Scope;
use totp_rs::{Builder, Secret};

use crate::browser::Browser;
use crate::world::{PASSWORD, World};

const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJySykK18nyfYWW/A+yKBMRbHjc36mgcMmxaKn4S4bFo ada@home";

#[tokio::test]
async fn a_token_is_shown_once_and_opens_what_its_scope_allows_until_it_ends() {
    let world = World::new().await;
    let new = json!({ "name": "CI", "scope": "read", "expires_in_days": 30 });
    let made = world.post("/api/me/tokens").by("owner").json(&new).send().await.is(201);
    assert_json_snapshot!(made.snapshot(), {
        ".body.id" => "[id]", ".body.token" => "[token]", ".body.prefix" => "[prefix]",
    });
    let token = made.json["token"].as_str().expect("is text").to_owned();
    assert!(token.starts_with("skp_") && token.starts_with(made.json["prefix"].as_str().expect("is text")));
    world.get("/api/me").token(&token).send().await.is(200);
    world.post("/api/me/tokens").token(&token).json(&new).send().await.fails(403, "FORBIDDEN");
    world.post("/api/organizations").token(&token).json(&json!({ "name": "x" })).send().await.fails(403, "FORBIDDEN");
    let listed = world.get("/api/me/tokens").by("owner").send().await.is(200);
    assert!(!listed.text.contains(&token), "only once");
    let mut items = listed.json["items"].as_array().expect("is a list").iter();
    let item = items.find(|item| item["name"] == "CI").expect("is listed");
    assert_eq!(item["last_used_address"], "192.0.2.7");
    world.actions.clock.advance(Duration::from_secs(30 * 86_400));
    world.get("/api/me").token(&token).send().await.fails(401, "UNAUTHENTICATED");
    world.close().await;
}

#[tokio::test]
async fn a_token_ends_by_itself_unless_somebody_wants_it_otherwise() {
    let world = World::new().await;
    let make = async |new: Value| world.post("/api/me/tokens").by("owner").json(&new).send().await.is(201).json;
    let usual = make(json!({ "name": "CI", "scope": "read" })).await;
    assert_eq!(usual["expires_at"], "2026-05-30T12:00:00Z");
    let lasting = make(json!({ "name": "CI", "scope": "read", "expires_in_days": null })).await;
    assert_eq!(lasting["expires_at"], Value::Null);
    world.close().await;
}

#[tokio::test]
async fn what_a_token_makes_ends_with_it_at_the_latest() {
    let world = World::new().await;
    let make = |new: Value| world.post("/api/me/tokens").json(&new);
    let short = json!({ "name": "a week", "scope": "manage", "expires_in_days": 7 });
    let short = make(short).by("owner").send().await.is(201).json;
    let token = short["token"].as_str().expect("is text");
    for (days, end) in
        [(json!(30), "2026-03-08T12:00:00Z"), (Value::Null, "2026-03-08T12:00:00Z"), (json!(2), "2026-03-03T12:00:00Z")]
    {
        let new = json!({ "name": "CI", "scope": "manage", "expires_in_days": days });
        assert_eq!(make(new).token(token).send().await.is(201).json["expires_at"], end, "{days}");
    }
    world.close().await;
}

#[tokio::test]
async fn a_revoked_token_opens_nothing_and_is_its_owners_alone() {
    let world = World::new().await;
    let token = world.token("developer", Scope::Deploy).await;
    let listed = world.get("/api/me/tokens").by("developer").send().await.is(200);
    let items = listed.json["items"].as_array().expect("is a list");
    let id = items.iter().find(|item| item["scope"] == "deploy").expect("is listed")["id"].as_str().expect("is text");
    let path = format!("/api/me/tokens/{id}");
    world.delete(&path).by("owner").send().await.fails(404, "NOT_FOUND");
    world.delete(&path).by("developer").send().await.is(204);
    world.get("/api/me").token(&token).send().await.fails(401, "UNAUTHENTICATED");
    world.delete(&path).by("developer").send().await.fails(404, "NOT_FOUND");
    world.delete("/api/me/tokens/nonsense").by("developer").send().await.fails(404, "NOT_FOUND");
    world.close().await;
}

#[tokio::test]
async fn bad_requests_for_tokens_name_the_field() {
    let world = World::new().await;
    for (body, field) in [
        (json!({ "name": " ", "scope": "read" }), "name"),
        (json!({ "name": "a", "scope": "all" }), "scope"),
        (json!({ "name": "a" }), "scope"),
        (json!({ "name": 1, "scope": "read" }), "name"),
        (json!({ "name": "a", "scope": "read", "expires_in_days": 0 }), "expires_in_days"),
        (json!({ "name": "a", "scope": "read", "admin": true }), "admin"),
    ] {
        let refused = world.post("/api/me/tokens").by("owner").json(&body).send().await.fails(422, "INVALID_INPUT");
        assert!(!refused.field(field).is_empty());
    }
    let post = |body: &'static str| {
        world.post("/api/me/tokens").by("owner").header("content-type", "application/json").body(body)
    };
    post("{").send().await.fails(400, "INVALID_INPUT");
    post(r#"{"name":"a","scope":"read"} x"#).send().await.fails(400, "INVALID_INPUT");
    let huge = json!({ "name": "a".repeat(2 << 20), "scope": "read" });
    world.post("/api/me/tokens").by("owner").json(&huge).send().await.fails(413, "BODY_TOO_LARGE");
    world.close().await;
}

#[tokio::test]
async fn ssh_keys_are_added_and_removed() {
    let world = World::new().await;
    let added = world.post("/api/me/ssh-keys").by("viewer").json(&json!({ "public_key": KEY })).send().await.is(201);
    assert_json_snapshot!(added.snapshot());
    let again = world.post("/api/me/ssh-keys").by("owner").json(&json!({ "public_key": KEY })).send().await;
    again.fails(409, "CONFLICT");
    let bad = world.post("/api/me/ssh-keys").by("owner").json(&json!({ "public_key": "hello" })).send().await;
    assert!(bad.fails(422, "INVALID_INPUT").field("public_key").contains("not a public key"));
    let encoded = added.json["fingerprint"].as_str().expect("is text").replace('/', "%2F");
    let path = format!("/api/me/ssh-keys/{encoded}");
    world.delete(&path).by("owner").send().await.fails(404, "NOT_FOUND");
    world.delete(&path).by("viewer").send().await.is(204);
    let listed = world.get("/api/me/ssh-keys").by("viewer").send().await.is(200);
    assert_eq!(listed.json["items"], json!([]));
    world.close().await;
}

#[tokio::test]
async fn a_new_password_ends_the_other_sessions() {
    let world = World::new().await;
    let (mut here, mut there) = (Browser::logged_in(&world, "owner").await, Browser::logged_in(&world, "owner").await);
    let change = |current: &str, new: &str| json!({ "current_password": current, "new_password": new });
    let wrong = here.post(&world, "/api/me/password", change("wrong", "a much better one")).await;
    assert!(wrong.fails(422, "INVALID_INPUT").field("current_password").contains("not your password"));
    let short = here.post(&world, "/api/me/password", change(PASSWORD, "short")).await;
    assert!(short.fails(422, "INVALID_INPUT").field("new_password").contains("12 characters"));
    here.post(&world, "/api/me/password", change(PASSWORD, "a much better one")).await.is(204);
    here.get(&world, "/api/me").await.is(200);
    there.get(&world, "/api/me").await.fails(401, "UNAUTHENTICATED");
    there.log_in(&world, "owner", None).await.fails(401, "UNAUTHENTICATED");
    world.close().await;
}

#[tokio::test]
async fn a_second_factor_is_needed_once_it_is_confirmed() {
    let world = World::new().await;
    let mut browser = Browser::logged_in(&world, "owner").await;
    browser.post(&world, "/api/me/totp", json!({ "password": "wrong" })).await.fails(422, "INVALID_INPUT");
    let begun = browser.post(&world, "/api/me/totp", json!({ "password": PASSWORD })).await.is(200);
    assert!(begun.json["url"].as_str().expect("is text").starts_with("otpauth://totp/Skypanel"));
    Browser::logged_in(&world, "owner").await;
    let code = |world: &World| code(&begun.json, world);
    browser.post(&world, "/api/me/totp/confirm", json!({ "code": "000000" })).await.fails(422, "INVALID_INPUT");
    let confirmed = browser.post(&world, "/api/me/totp/confirm", json!({ "code": code(&world) })).await.is(200);
    let recovery = confirmed.json["recovery_codes"].as_array().expect("is a list").clone();
    assert_eq!(recovery.len(), 10);

    let mut other = Browser::default();
    other.log_in(&world, "owner", None).await.fails(401, "SECOND_FACTOR_REQUIRED");
    other.log_in(&world, "owner", Some(&code(&world))).await.fails(401, "UNAUTHENTICATED");
    world.actions.clock.advance(Duration::from_secs(30));
    other.log_in(&world, "owner", Some(&code(&world))).await.is(200);
    Browser::default().log_in(&world, "owner", Some(&code(&world))).await.fails(401, "UNAUTHENTICATED");
    let first = recovery[0].as_str().expect("is text");
    Browser::default().log_in(&world, "owner", Some(first)).await.is(200);
    Browser::default().log_in(&world, "owner", Some(first)).await.fails(401, "UNAUTHENTICATED");
    let state = other.get(&world, "/api/me/totp").await.is(200);
    assert_eq!(state.json, json!({ "enabled": true, "recovery_codes_left": 9 }));

    let removal = json!({ "password": PASSWORD, "code": recovery[1] });
    other.send(&world, Method::DELETE, "/api/me/totp", Some(removal)).await.is(204);
    Browser::logged_in(&world, "owner").await;
    world.close().await;
}

#[tokio::test]
async fn guessing_codes_is_slowed_down_wherever_it_is_done() {
    let world = World::new().await;
    let mut browser = Browser::logged_in(&world, "owner").await;
    let begun = browser.post(&world, "/api/me/totp", json!({ "password": PASSWORD })).await.is(200);
    let code = |world: &World| code(&begun.json, world);
    let wait = || world.actions.clock.advance(Duration::from_secs(15 * 60));
    let confirm = |code: &str| json!({ "code": code });
    for _ in 0..10 {
        browser.post(&world, "/api/me/totp/confirm", confirm("000000")).await.fails(422, "INVALID_INPUT");
    }
    browser.post(&world, "/api/me/totp/confirm", confirm(&code(&world))).await.fails(429, "TOO_MANY_REQUESTS");
    wait();
    let mut browser = Browser::logged_in(&world, "owner").await;
    browser.post(&world, "/api/me/totp/confirm", confirm(&code(&world))).await.is(200);

    // Somebody with the password, who comes from ever new addresses.
    wait();
    let log_in = |code: &str, from: u8| {
        let login = json!({ "email": "owner@example.com", "password": PASSWORD, "code": code });
        world.post("/api/auth/login").json(&login).from(&format!("198.51.100.{from}"))
    };
    for from in 0..10 {
        log_in("000000", from).send().await.fails(401, "UNAUTHENTICATED");
    }
    log_in(&code(&world), 10).send().await.fails(429, "TOO_MANY_REQUESTS");
    wait();
    for from in 0..9 {
        log_in("000000", from).send().await.fails(401, "UNAUTHENTICATED");
    }
    log_in(&code(&world), 10).send().await.is(200);
    log_in("000000", 11).send().await.fails(401, "UNAUTHENTICATED");

    wait();
    let mut browser = Browser::default();
    browser.log_in(&world, "owner", Some(&code(&world))).await.is(200);
    let mut remove = async |code: &str| {
        let removal = json!({ "password": PASSWORD, "code": code });
        browser.send(&world, Method::DELETE, "/api/me/totp", Some(removal)).await
    };
    for _ in 0..10 {
        remove("000000").await.fails(422, "INVALID_INPUT");
    }
    world.actions.clock.advance(Duration::from_secs(30));
    remove(&code(&world)).await.fails(429, "TOO_MANY_REQUESTS");
    world.close().await;
}

/// What an authenticator app shows.
fn code(begun: &Value, world: &World) -> String {
    let secret = Secret::try_from_base32(begun["secret"].as_str().expect("is text")).expect("is base 32");
    let now = u64::try_from(world.actions.clock.now().timestamp()).expect("is after 1970");
    Builder::new().with_secret(secret).with_account_name("a").build().expect("is set up").generate(now).to_string()
}
