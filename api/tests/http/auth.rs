//! Logging in and out: sessions, their renewal, what keeps guessing slow.

use std::time::Duration;

use axum::http::Method;
use insta::assert_json_snapshot;
use serde_json::json;
use skypanel_api::ApiOptions;

use crate::browser::Browser;
use crate::serving::options;
use crate::world::{PASSWORD, World};

#[tokio::test]
async fn a_login_opens_a_session_in_cookies_that_no_script_can_read() {
    let world = World::new().await;
    let mut browser = Browser::default();
    let answered = browser.log_in(&world, "owner", None).await.is(200);
    assert_json_snapshot!(answered.snapshot(), { ".body.user_id" => "[id]", ".body.csrf_token" => "[token]" });
    let lines: Vec<&str> =
        answered.headers.get_all("set-cookie").iter().map(|line| line.to_str().expect("is text")).collect();
    for (name, hidden) in [("skypanel_session", true), ("skypanel_refresh", true), ("skypanel_csrf", false)] {
        let line = lines.iter().find(|line| line.starts_with(name)).expect("is set");
        assert!(line.contains("SameSite=Strict"), "{line}");
        assert_eq!(line.contains("HttpOnly"), hidden, "{line}");
    }
    let me = browser.get(&world, "/api/me").await.is(200);
    assert_json_snapshot!(me.snapshot(), { ".body.id" => "[id]", ".body.organizations[].id" => "[id]" });
    world.close().await;
}

#[tokio::test]
async fn a_wrong_password_and_an_unknown_account_are_told_alike() {
    let world = World::new().await;
    let attempt = |email: &str, password: &str| json!({ "email": email, "password": password });
    let wrong = world.post("/api/auth/login").json(&attempt("owner@example.com", "wrong password")).send().await;
    let unknown = world.post("/api/auth/login").json(&attempt("nobody@example.com", PASSWORD)).send().await;
    let (wrong, unknown) = (wrong.fails(401, "UNAUTHENTICATED"), unknown.fails(401, "UNAUTHENTICATED"));
    assert_eq!(wrong.json["error"], unknown.json["error"]);
    assert!(wrong.cookies().is_empty());
    world.close().await;
}

#[tokio::test]
async fn guessing_is_slowed_down_for_the_account_and_for_a_while() {
    let world = World::new().await;
    let guess = json!({ "email": "OWNER@example.com", "password": "not the password" });
    for _ in 0..10 {
        world.post("/api/auth/login").json(&guess).send().await.fails(401, "UNAUTHENTICATED");
    }
    let right = json!({ "email": "owner@example.com", "password": PASSWORD });
    let refused = world.post("/api/auth/login").json(&right).send().await.fails(429, "TOO_MANY_REQUESTS");
    assert_eq!(refused.headers["retry-after"], "900");
    Browser::logged_in(&world, "viewer").await;
    // Nobody locks others out: the account's owner comes from elsewhere.
    world.post("/api/auth/login").json(&right).from("198.51.100.9").send().await.is(200);
    world.actions.clock.advance(Duration::from_secs(15 * 60));
    world.post("/api/auth/login").json(&right).send().await.is(200);
    world.close().await;
}

#[tokio::test]
async fn a_few_addresses_lock_nobody_else_out() {
    let world = World::new().await;
    let guess = json!({ "email": "owner@example.com", "password": "x" });
    for from in ["198.51.100.1", "198.51.100.2", "198.51.100.3"] {
        for _ in 0..50 {
            let answered = world.post("/api/auth/login").json(&guess).from(from).send().await;
            assert!(matches!(answered.status.as_u16(), 401 | 429), "{answered:#?}");
        }
    }
    Browser::logged_in(&world, "owner").await;
    world.close().await;
}

#[tokio::test]
async fn no_made_up_account_counts_as_tries_of_another() {
    let world = World::new().await;
    let guess = json!({ "email": "owner@example.com:198.51.100.9", "password": "x" });
    for _ in 0..10 {
        world.post("/api/auth/login").json(&guess).send().await.fails(401, "UNAUTHENTICATED");
    }
    let right = json!({ "email": "owner@example.com", "password": PASSWORD });
    world.post("/api/auth/login").json(&right).from("198.51.100.9").send().await.is(200);
    world.close().await;
}

#[tokio::test]
async fn a_crowd_that_guesses_is_slowed_down_too() {
    let world = World::new().await;
    let guess = json!({ "email": "owner@example.com", "password": "x" });
    for number in 0..100 {
        let from = format!("198.51.100.{}", number / 10);
        world.post("/api/auth/login").json(&guess).from(&from).send().await.fails(401, "UNAUTHENTICATED");
    }
    let right = json!({ "email": "owner@example.com", "password": PASSWORD });
    world.post("/api/auth/login").json(&right).send().await.fails(429, "TOO_MANY_REQUESTS");
    world.close().await;
}

#[tokio::test]
async fn cookies_are_of_this_host_alone_and_never_one_of_two() {
    let mut world = World::new().await;
    let options = ApiOptions { public_url: "https://paas.example".to_owned(), ..options() };
    world.serve_alone(options);
    let mut browser = Browser::default();
    let answered = browser.log_in(&world, "owner", None).await.is(200);
    assert_eq!(answered.headers["strict-transport-security"], "max-age=31536000");
    for line in answered.headers.get_all("set-cookie") {
        let line = line.to_str().expect("is text");
        assert!(
            line.starts_with("__Host-skypanel_") && line.contains("; Path=/; ") && line.ends_with("; Secure"),
            "{line}"
        );
    }
    let session = &browser.cookies["__Host-skypanel_session"];
    let me = |cookie: String| world.get("/api/me").header("cookie", &cookie);
    me(format!("__Host-skypanel_session={session}")).send().await.is(200);
    // Any page of the domain can set the plain name.
    me(format!("skypanel_session={session}")).send().await.fails(401, "UNAUTHENTICATED");
    let two = format!("__Host-skypanel_session={session}; __Host-skypanel_session=another");
    me(two).send().await.fails(401, "UNAUTHENTICATED");
    world.close().await;
}

#[tokio::test]
async fn guessing_many_accounts_from_one_address_is_slowed_down_too() {
    let world = World::new().await;
    for number in 0..50 {
        let guess = json!({ "email": format!("user{number}@example.com"), "password": "x" });
        world.post("/api/auth/login").json(&guess).send().await.fails(401, "UNAUTHENTICATED");
    }
    let right = json!({ "email": "owner@example.com", "password": PASSWORD });
    world.post("/api/auth/login").json(&right).send().await.fails(429, "TOO_MANY_REQUESTS");
    world.close().await;
}

#[tokio::test]
async fn a_session_lasts_minutes_and_is_carried_on_by_its_refresh_token() {
    let world = World::new().await;
    let mut browser = Browser::logged_in(&world, "owner").await;
    world.actions.clock.advance(Duration::from_secs(601));
    browser.get(&world, "/api/me").await.fails(401, "UNAUTHENTICATED");
    let before = browser.clone();
    browser.post(&world, "/api/auth/refresh", json!({})).await.is(200);
    assert_ne!(before.cookies["skypanel_refresh"], browser.cookies["skypanel_refresh"]);
    browser.get(&world, "/api/me").await.is(200);
    // Unused for two weeks, it ends.
    world.actions.clock.advance(Duration::from_secs(15 * 86_400));
    browser.post(&world, "/api/auth/refresh", json!({})).await.fails(401, "UNAUTHENTICATED");
    world.close().await;
}

#[tokio::test]
async fn a_refresh_token_that_comes_twice_ends_the_session() {
    let world = World::new().await;
    let mut browser = Browser::logged_in(&world, "owner").await;
    let mut thief = browser.clone();
    browser.post(&world, "/api/auth/refresh", json!({})).await.is(200);
    // At the same moment it is a second tab.
    thief.clone().post(&world, "/api/auth/refresh", json!({})).await.fails(409, "CONFLICT");
    browser.get(&world, "/api/me").await.is(200);
    world.actions.clock.advance(Duration::from_secs(60));
    thief.post(&world, "/api/auth/refresh", json!({})).await.fails(401, "UNAUTHENTICATED");
    browser.get(&world, "/api/me").await.fails(401, "UNAUTHENTICATED");
    browser.post(&world, "/api/auth/refresh", json!({})).await.fails(401, "UNAUTHENTICATED");
    world.close().await;
}

#[tokio::test]
async fn logging_out_ends_one_session_or_all() {
    let world = World::new().await;
    let (mut here, mut there) = (Browser::logged_in(&world, "owner").await, Browser::logged_in(&world, "owner").await);
    let mut copied = here.clone();
    here.post(&world, "/api/auth/logout", json!({})).await.is(204);
    assert!(here.cookies.is_empty(), "forgotten");
    copied.get(&world, "/api/me").await.fails(401, "UNAUTHENTICATED");
    there.get(&world, "/api/me").await.is(200);
    let mut third = Browser::logged_in(&world, "owner").await;
    third.post(&world, "/api/auth/logout-all", json!({})).await.is(204);
    there.get(&world, "/api/me").await.fails(401, "UNAUTHENTICATED");
    world.get("/api/me").by("owner").send().await.is(200);
    world.close().await;
}

#[tokio::test]
async fn writes_of_a_session_need_to_come_from_our_own_pages() {
    let world = World::new().await;
    let browser = Browser::logged_in(&world, "owner").await;
    let cookie = format!("skypanel_session={}", browser.cookies["skypanel_session"]);
    let create = || world.post("/api/organizations").header("cookie", &cookie).json(&json!({ "name": "initech" }));
    create().send().await.fails(403, "CSRF");
    create().header("x-csrf-token", "0").send().await.fails(403, "CSRF");
    let others = Browser::logged_in(&world, "owner").await;
    create().header("x-csrf-token", &others.cookies["skypanel_csrf"]).send().await.fails(403, "CSRF");
    let own = &browser.cookies["skypanel_csrf"];
    create().header("x-csrf-token", own).header("sec-fetch-site", "same-site").send().await.fails(403, "CROSS_SITE");
    let foreign = create().header("x-csrf-token", own).header("origin", "https://evil.example");
    foreign.send().await.fails(403, "CROSS_SITE");
    create().header("x-csrf-token", own).header("origin", "http://paas.example").send().await.is(201);
    let login = json!({ "email": "owner@example.com", "password": PASSWORD });
    let crossed = world.post("/api/auth/login").json(&login).header("sec-fetch-site", "cross-site");
    crossed.send().await.fails(403, "CROSS_SITE");
    let form = world.post("/api/auth/login").body("email=a").header("content-type", "text/plain");
    form.send().await.fails(415, "UNSUPPORTED_MEDIA_TYPE");
    world.close().await;
}

#[tokio::test]
async fn a_device_is_let_in_by_a_person_in_a_browser() {
    let world = World::new().await;
    let begin = || world.post("/api/auth/device").json(&json!({ "client_name": "ada's laptop", "scope": "deploy" }));
    let begun = begin().send().await.is(200);
    assert_json_snapshot!(begun.snapshot(), {
        ".body.device_code" => "[code]", ".body.user_code" => "[code]", ".body.verification_uri_complete" => "[url]",
    });
    let poll = || world.post("/api/auth/device/token").json(&json!({ "device_code": begun.json["device_code"] }));
    poll().send().await.fails(400, "AUTHORIZATION_PENDING");
    poll().send().await.fails(400, "SLOW_DOWN");
    let code = begun.json["user_code"].as_str().expect("is text").to_lowercase().replace('-', "");
    let path = format!("/api/auth/device/{code}");
    world.get(&path).by("developer").send().await.fails(403, "FORBIDDEN");
    let mut browser = Browser::logged_in(&world, "developer").await;
    let shown = browser.get(&world, &path).await.is(200);
    assert_eq!((&shown.json["client_name"], &shown.json["address"]), (&"ada's laptop".into(), &"192.0.2.7".into()));
    browser.get(&world, "/api/auth/device/BBBB-BBBB").await.fails(404, "NOT_FOUND");
    browser.post(&world, &path, json!({ "approve": true })).await.is(204);
    browser.post(&world, &path, json!({ "approve": false })).await.fails(404, "NOT_FOUND");
    let granted = poll().send().await.is(200);
    assert_eq!((&granted.json["scope"], &granted.json["email"]), (&"deploy".into(), &"developer@example.com".into()));
    poll().send().await.fails(400, "EXPIRED_TOKEN");
    let token = granted.json["token"].as_str().expect("is text");
    assert_eq!(world.get("/api/me").token(token).send().await.is(200).json["scope"], "deploy");
    world.close().await;
}

#[tokio::test]
async fn looking_at_a_known_code_gives_no_new_tries_of_others() {
    let world = World::new().await;
    let begun = world.post("/api/auth/device").json(&json!({ "client_name": "mine" })).send().await.is(200);
    let known = format!("/api/auth/device/{}", begun.json["user_code"].as_str().expect("is text"));
    let mut browser = Browser::logged_in(&world, "developer").await;
    for _ in 0..10 {
        browser.get(&world, &known).await.is(200);
        browser.get(&world, "/api/auth/device/BBBB-BBBB").await;
    }
    browser.get(&world, "/api/auth/device/BBBB-BBBB").await.fails(429, "TOO_MANY_REQUESTS");
    world.close().await;
}

#[tokio::test]
async fn a_device_that_is_refused_or_late_gets_nothing() {
    let world = World::new().await;
    let mut browser = Browser::logged_in(&world, "developer").await;
    for (decide, code) in [(true, "ACCESS_DENIED"), (false, "EXPIRED_TOKEN")] {
        let begun = world.post("/api/auth/device").json(&json!({ "client_name": "x" })).send().await.is(200);
        if decide {
            let path = format!("/api/auth/device/{}", begun.json["user_code"].as_str().expect("is text"));
            browser.post(&world, &path, json!({ "approve": false })).await.is(204);
        } else {
            world.actions.clock.advance(Duration::from_secs(601));
        }
        let poll = json!({ "device_code": begun.json["device_code"] });
        world.post("/api/auth/device/token").json(&poll).send().await.fails(400, code);
    }
    let unknown = json!({ "device_code": "skd_unknown" });
    world.post("/api/auth/device/token").json(&unknown).send().await.fails(400, "EXPIRED_TOKEN");
    world.close().await;
}

#[tokio::test]
async fn sessions_are_listed_and_ended_one_by_one() {
    let world = World::new().await;
    let (mut here, mut there) = (Browser::logged_in(&world, "owner").await, Browser::logged_in(&world, "owner").await);
    let listed = here.get(&world, "/api/me/sessions").await.is(200);
    let items = listed.json["items"].as_array().expect("is a list");
    assert_eq!(items.len(), 2);
    let other = items.iter().find(|item| item["current"] == false).expect("is there");
    let path = format!("/api/me/sessions/{}", other["id"].as_str().expect("is text"));
    Browser::logged_in(&world, "viewer").await.send(&world, Method::DELETE, &path, None).await.fails(404, "NOT_FOUND");
    here.send(&world, Method::DELETE, &path, None).await.is(204);
    there.get(&world, "/api/me").await.fails(401, "UNAUTHENTICATED");
    here.get(&world, "/api/me").await.is(200);
    world.close().await;
}
