//! What every part of the API has: calls that can be repeated, tags on what is read, limits, its own description.

use std::num::NonZeroU32;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::http::Method;
use serde_json::json;
use skypanel_api::ApiOptions;
use skypanel_core::actions::Scope;

use crate::browser::Browser;
use crate::serving::options;
use crate::world::World;

#[tokio::test]
async fn a_creating_call_under_a_key_is_made_once() {
    let world = World::new().await;
    let body = json!({ "name": "CI", "scope": "read" });
    let create = |key: &str| world.post("/api/me/tokens").by("owner").header("idempotency-key", key).json(&body);
    let first = create("one").send().await.is(201);
    let again = create("one").send().await.is(201);
    assert_eq!(again.json, first.json, "the very answer, token and all");
    assert_eq!(again.headers["idempotency-replayed"], "true");
    assert!(!first.headers.contains_key("idempotency-replayed"));
    assert_ne!(create("two").send().await.is(201).json["token"], first.json["token"]);
    let other = json!({ "name": "CI", "scope": "deploy" });
    let reused = world.post("/api/me/tokens").by("owner").header("idempotency-key", "one").json(&other);
    reused.send().await.fails(422, "IDEMPOTENCY_KEY_REUSED");
    let others = world.post("/api/me/tokens").by("viewer").header("idempotency-key", "one").json(&body).send().await;
    assert_ne!(others.is(201).json["token"], first.json["token"], "keys are each user's own");
    let bad = json!({ "name": "", "scope": "read" });
    let refused = || world.post("/api/me/tokens").by("owner").header("idempotency-key", "three").json(&bad);
    refused().send().await.fails(422, "INVALID_INPUT");
    refused().send().await.fails(422, "INVALID_INPUT");
    let stored: Vec<u8> = sqlx::query_scalar("SELECT body FROM idempotency_keys WHERE key = 'two'")
        .fetch_one(world.store().pool())
        .await
        .expect("is kept");
    assert!(!String::from_utf8_lossy(&stored).contains("skp_"), "what is kept is sealed");
    world.close().await;
}

#[tokio::test]
async fn what_did_not_change_is_not_sent_again() {
    let world = World::new().await;
    let read = |tag: &str| world.get("/api/paas/plans").by("viewer").header("if-none-match", tag);
    let first = read("\"x\"").send().await.is(200);
    let tag = first.headers["etag"].to_str().expect("is text").to_owned();
    assert_eq!(first.headers["cache-control"], "private, no-cache");
    let again = read(&tag).send().await.is(304);
    assert_eq!((again.text.as_str(), again.headers["etag"].to_str().expect("is text")), ("", tag.as_str()));
    world.get("/api/paas/plans").header("if-none-match", "*").send().await.fails(401, "UNAUTHENTICATED");
    world.close().await;
}

#[tokio::test]
async fn a_client_that_asks_too_often_is_told_when_to_come_again() {
    let mut world = World::new().await;
    let options = ApiOptions { requests_per_minute: NonZeroU32::new(3), ..options() };
    world.serve_alone(options);
    // Nobody knows yet whose the credentials are, so that these come from an address.
    let second = world.token("owner", Scope::Read).await;
    for token in ["owner", "viewer"] {
        world.get("/api/me").by(token).send().await.is(200);
    }
    world.get("/api/me").token(&second).send().await.is(200);
    let first = world.get("/api/me").by("owner").send().await.is(200);
    assert_eq!((&first.headers["ratelimit-limit"], &first.headers["ratelimit-remaining"]), (&3.into(), &2.into()));
    assert_eq!(first.headers["ratelimit-reset"], "20");
    world.get("/api/me").token(&second).send().await.is(200);
    world.get("/api/me").by("owner").from("198.51.100.9").send().await.is(200);
    let refused = world.get("/api/me").token(&second).send().await.fails(429, "TOO_MANY_REQUESTS");
    assert_eq!(refused.headers["retry-after"], "20");
    world.get("/api/me").by("viewer").send().await.is(200);
    world.close().await;
}

#[tokio::test]
async fn made_up_credentials_are_counted_by_their_address() {
    let mut world = World::new().await;
    let options = ApiOptions {
        requests_per_minute: NonZeroU32::new(3),
        trusted_proxies: "192.0.2.0/24".parse().expect("is a network"),
        ..options()
    };
    world.serve_alone(options);
    let made_up = |number: u8| {
        let call = world.get("/api/health").header("x-forwarded-for", "203.0.113.50, 198.51.100.1");
        if number.is_multiple_of(2) {
            call.header("authorization", &format!("Bearer skp_{number}"))
        } else {
            call.header("cookie", &format!("skypanel_session={number}"))
        }
    };
    for number in 0..3 {
        made_up(number).send().await.is(200);
    }
    made_up(3).send().await.fails(429, "TOO_MANY_REQUESTS");
    // Who comes through the same proxy from elsewhere is another; what the client itself wrote is not looked at.
    world.get("/api/health").header("x-forwarded-for", "198.51.100.1, 198.51.100.2").send().await.is(200);
    world.close().await;
}

#[tokio::test]
async fn an_answer_is_repeated_to_the_credential_it_was_given_to() {
    let world = World::new().await;
    let body = json!({ "name": "CI", "scope": "read" });
    let create = |token: &str| world.post("/api/me/tokens").header("idempotency-key", "one").json(&body).token(token);
    let manager = world.token("owner", Scope::Manage).await;
    create(&manager).send().await.is(201);
    create(&manager).send().await.is(201);
    let reader = world.token("owner", Scope::Read).await;
    create(&reader).send().await.fails(422, "IDEMPOTENCY_KEY_REUSED");
    // A session goes on when its token is renewed.
    let mut browser = Browser::logged_in(&world, "viewer").await;
    let first = browser.post_once(&world, "/api/me/tokens", "two", &body).await.is(201);
    browser.post(&world, "/api/auth/refresh", json!({})).await.is(200);
    world.actions.clock.advance(Duration::from_secs(1));
    let again = browser.post_once(&world, "/api/me/tokens", "two", &body).await.is(201);
    assert_eq!(first.json["token"], again.json["token"]);
    world.close().await;
}

#[tokio::test]
async fn a_call_whose_answer_was_lost_is_not_made_twice() {
    let world = World::new().await;
    let body = json!({ "name": "CI", "scope": "read" });
    let create = || world.post("/api/me/tokens").by("owner").header("idempotency-key", "one").json(&body);
    create().send().await.is(201);
    let made = tokens_of_owner(&world).await;
    forget_answers(&world).await;
    create().send().await.fails(409, "IDEMPOTENCY_KEY_IN_USE");
    world.actions.clock.advance(Duration::from_secs(120));
    create().send().await.fails(409, "IDEMPOTENCY_ANSWER_LOST");
    assert_eq!(tokens_of_owner(&world).await, made);
    world.close().await;
}

#[tokio::test]
async fn a_call_that_was_cut_off_before_it_changed_anything_can_be_made_again() {
    let world = World::new().await;
    let body = json!({ "name": "CI", "scope": "read" });
    let create = || world.post("/api/me/tokens").by("owner").header("idempotency-key", "one").json(&body);
    create().send().await.is(201);
    forget_answers(&world).await;
    sqlx::query("UPDATE idempotency_keys SET request_id = 'of a process that was killed'")
        .execute(world.store().pool())
        .await
        .expect("is as if it had changed nothing");
    world.actions.clock.advance(Duration::from_secs(120));
    create().send().await.is(201);
    let again = create().send().await.is(201);
    assert_eq!(again.headers["idempotency-replayed"], "true");
    world.close().await;
}

async fn forget_answers(world: &World) {
    sqlx::query("UPDATE idempotency_keys SET status = NULL, body = NULL")
        .execute(world.store().pool())
        .await
        .expect("is as if its process had been killed");
}

async fn tokens_of_owner(world: &World) -> usize {
    let tokens = world.get("/api/me/tokens").by("owner").send().await.is(200).json;
    tokens["items"].as_array().expect("is a list").len()
}

#[tokio::test]
async fn of_equal_calls_at_once_one_is_made() {
    let world = World::new().await;
    let before = tokens_of_owner(&world).await;
    let body = json!({ "name": "CI", "scope": "read" });
    let create = || world.post("/api/me/tokens").by("owner").header("idempotency-key", "one").json(&body).send();
    let answers = futures_util::future::join_all((0..8).map(|_| create())).await;
    for answer in answers {
        if answer.status != 201 {
            answer.fails(409, "IDEMPOTENCY_KEY_IN_USE");
        }
    }
    assert_eq!(tokens_of_owner(&world).await, before + 1);
    world.close().await;
}

#[tokio::test]
async fn a_body_that_is_too_large_is_called_so_with_a_key_as_without() {
    let world = World::new().await;
    let body = json!({ "name": "x".repeat(2 << 20), "scope": "read" });
    let create = || world.post("/api/me/tokens").by("owner").json(&body);
    create().send().await.fails(413, "BODY_TOO_LARGE");
    create().header("idempotency-key", "one").send().await.fails(413, "BODY_TOO_LARGE");
    world.close().await;
}

#[tokio::test]
async fn every_answer_has_the_headers_that_hold_browsers_back() {
    let world = World::new().await;
    let token = |body: &str| world.post("/api/me/tokens").by("owner").body(body.to_owned());
    for answer in [
        world.get("/api/health").send().await.is(200),
        world.get("/api/me").send().await.is(401),
        world.get("/api/admin/paas/overview").by("owner").send().await.is(403),
        world.get("/api/nothing").by("owner").send().await.is(404),
        world.post("/api/health").send().await.is(405),
        token("{}").send().await.is(415),
        token("{").header("content-type", "application/json").send().await.is(400),
        token("{}").header("content-type", "application/json").send().await.is(422),
        world.get("/api/me").by("owner").header("origin", "https://elsewhere.example").send().await.is(200),
        world.call(Method::OPTIONS, "/api/me").header("origin", "https://elsewhere.example").send().await.is(405),
    ] {
        for (name, value) in [
            ("x-content-type-options", "nosniff"),
            ("x-frame-options", "DENY"),
            ("referrer-policy", "no-referrer"),
            ("content-security-policy", "default-src 'none'; frame-ancestors 'none'"),
            ("cross-origin-resource-policy", "same-origin"),
        ] {
            assert_eq!(answer.headers[name], value, "{answer:#?}");
        }
        let id = answer.headers["x-request-id"].to_str().expect("is text").to_owned();
        if answer.status != 200 {
            assert_eq!(answer.json["request_id"], id, "{answer:#?}");
        }
        assert!(!answer.headers.keys().any(|name| name.as_str().starts_with("access-control-")), "{answer:#?}");
    }
    world.close().await;
}

#[tokio::test]
async fn the_log_names_request_and_user_and_no_secret() {
    let world = World::new().await;
    let token = world.token("owner", Scope::Read).await;
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt().json().with_writer(move || writer.clone()).finish();
    // One thread runs all of this test.
    let guard = tracing::subscriber::set_default(subscriber);
    let answer = world.get("/api/me").token(&token).send().await.is(200);
    drop(guard);
    let text = log.text();
    let line = text.lines().find(|line| line.contains("answered")).unwrap_or_else(|| panic!("no line: {text}"));
    let line: serde_json::Value = serde_json::from_str(line).expect("is JSON");
    assert_eq!(line["span"]["id"], answer.headers["x-request-id"].to_str().expect("is text"));
    assert_eq!(line["span"]["user"], world.users["owner"].id.to_string());
    assert_eq!((&line["span"]["route"], &line["span"]["method"]), (&json!("/api/me"), &json!("GET")));
    assert_eq!(line["fields"]["status"], 200);
    assert!(line["fields"]["milliseconds"].is_u64(), "{line}");
    assert!(!text.contains(&token), "{text}");
    world.close().await;
}

/// What was logged.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().expect("is whole").clone()).expect("is text")
    }
}

impl std::io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("is whole").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn the_api_describes_itself() {
    let world = World::new().await;
    let document = world.get("/api/openapi.json").send().await.is(200).json;
    assert_eq!(document["openapi"], "3.1.0");
    let plans = &document["paths"]["/api/paas/plans"]["get"];
    assert_eq!(plans["operationId"], "list_plans");
    for status in ["200", "401", "403", "429", "500"] {
        assert!(plans["responses"][status].is_object(), "{status}");
    }
    let mut ids = Vec::new();
    for item in document["paths"].as_object().expect("has paths").values() {
        for operation in item.as_object().expect("is an object").values() {
            ids.extend(operation["operationId"].as_str().map(str::to_owned));
            assert!(operation["summary"].as_str().is_some_and(|text| !text.is_empty()), "{operation}");
        }
    }
    let count = ids.len();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), count, "operation ids are unique");
    world.close().await;
}
