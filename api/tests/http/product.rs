//! What every part of the API has: calls that can be repeated, tags on what is read, limits, its own description.

use std::num::NonZeroU32;
use std::time::Duration;

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
    world.router = skypanel_api::router(world.actions.clone(), options);
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
    world.router = skypanel_api::router(world.actions.clone(), options);
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
async fn a_call_that_was_cut_off_with_its_process_can_be_made_again() {
    let world = World::new().await;
    let body = json!({ "name": "CI", "scope": "read" });
    let create = || world.post("/api/me/tokens").by("owner").header("idempotency-key", "one").json(&body);
    create().send().await.is(201);
    sqlx::query("UPDATE idempotency_keys SET status = NULL, body = NULL")
        .execute(world.store().pool())
        .await
        .expect("is as if it had no answer");
    create().send().await.fails(409, "IDEMPOTENCY_KEY_IN_USE");
    world.actions.clock.advance(Duration::from_secs(120));
    create().send().await.is(201);
    let again = create().send().await.is(201);
    assert_eq!(again.headers["idempotency-replayed"], "true");
    world.close().await;
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
