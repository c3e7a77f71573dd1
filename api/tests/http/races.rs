//! What happens to an account while something else about it is under way.

use std::time::Duration;

use insta::assert_json_snapshot;
use serde_json::{Value, json};
use sqlx::{Executor as _, PgConnection};

use crate::browser::Browser;
use crate::world::{PASSWORD, World};

/// Until a statement waits for a row that this test holds.
async fn something_waits(world: &World) {
    let waits = async {
        loop {
            let (waiting,): (i64,) = sqlx::query_as(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'",
            )
            .fetch_one(world.store().pool())
            .await
            .expect("looks");
            if waiting > 0 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), waits).await.expect("waits");
}

async fn change_owner(connection: &mut PgConnection, what: &str) {
    let sql = format!("UPDATE users SET {what} WHERE email = 'owner@example.com'");
    connection.execute(sqlx::AssertSqlSafe(sql)).await.expect("changes");
}

#[tokio::test]
async fn a_login_under_way_does_not_survive_a_change_of_the_account() {
    for change in ["password_hash = 'another'", "disabled_at = now()", "totp_secret = 'x', totp_confirmed_at = now()"] {
        let world = World::new().await;
        let mut other = world.store().pool().begin().await.expect("begins");
        change_owner(&mut other, change).await;
        let login = json!({ "email": "owner@example.com", "password": PASSWORD });
        let change = async {
            something_waits(&world).await;
            other.commit().await.expect("commits");
        };
        let (answered, ()) = tokio::join!(world.post("/api/auth/login").json(&login).send(), change);
        assert!(answered.cookies().is_empty(), "{answered:#?}");
        answered.fails(401, "UNAUTHENTICATED");
        let (sessions,): (i64,) =
            sqlx::query_as("SELECT count(*) FROM user_sessions").fetch_one(world.store().pool()).await.expect("counts");
        assert_eq!(sessions, 0);
        world.close().await;
    }
}

#[tokio::test]
async fn a_second_factor_that_came_into_force_meanwhile_stays() {
    let world = World::new().await;
    let mut browser = Browser::logged_in(&world, "owner").await;
    let mut other = world.store().pool().begin().await.expect("begins");
    change_owner(&mut other, "totp_secret = 'x', totp_confirmed_at = now()").await;
    let change = async {
        something_waits(&world).await;
        other.commit().await.expect("commits");
    };
    let begin = browser.post(&world, "/api/me/totp", json!({ "password": PASSWORD }));
    let (answered, ()) = tokio::join!(begin, change);
    answered.fails(409, "CONFLICT");
    let (kept,): (bool,) = sqlx::query_as(
        "SELECT totp_secret = 'x' AND totp_confirmed_at IS NOT NULL FROM users WHERE email = 'owner@example.com'",
    )
    .fetch_one(world.store().pool())
    .await
    .expect("looks");
    assert!(kept);
    world.close().await;
}

#[tokio::test]
async fn a_password_set_by_the_operator_ends_whatever_the_old_one_opened_and_is_in_the_audit_log() {
    let world = World::new().await;
    let mut browser = Browser::logged_in(&world, "owner").await;
    let device = approved_device(&world, &mut browser).await;
    let reset = world.store().reset_password("owner@example.com", "a much better one").await.expect("resets");
    assert_eq!((reset.sessions_ended, reset.device_logins_ended, reset.tokens_revoked), (1, 1, 1));
    world.post("/api/auth/device/token").json(&device).send().await.fails(400, "ACCESS_DENIED");
    world.get("/api/me").by("owner").send().await.fails(401, "UNAUTHENTICATED");
    browser.get(&world, "/api/me").await.fails(401, "UNAUTHENTICATED");
    browser.post(&world, "/api/auth/refresh", json!({})).await.fails(401, "UNAUTHENTICATED");
    let audit = world.get("/api/admin/paas/audit?action=password.reset").by("admin").send().await.is(200);
    assert_json_snapshot!(audit.json["items"][0]["after"], @r#"
    {
      "device_logins_ended": 1,
      "email": "owner@example.com",
      "sessions_ended": 1,
      "tokens_revoked": 1
    }
    "#);
    world.close().await;
}

/// A device that a browser has let in, and that has not asked since: what it asks with.
async fn approved_device(world: &World, browser: &mut Browser) -> Value {
    let begun = world.post("/api/auth/device").json(&json!({ "client_name": "laptop" })).send().await.is(200);
    let device = format!("/api/auth/device/{}", begun.json["user_code"].as_str().expect("is text"));
    browser.post(world, &device, json!({ "approve": true })).await.is(204);
    json!({ "device_code": begun.json["device_code"] })
}

#[tokio::test]
async fn a_password_changed_by_its_user_ends_what_was_not_collected_and_tokens_where_they_say_so() {
    let world = World::new().await;
    let mut browser = Browser::logged_in(&world, "owner").await;
    let change = |current: &str, new: &str| json!({ "current_password": current, "new_password": new });
    let device = approved_device(&world, &mut browser).await;
    browser.post(&world, "/api/me/password", change(PASSWORD, "a much better one")).await.is(204);
    world.post("/api/auth/device/token").json(&device).send().await.fails(400, "ACCESS_DENIED");
    world.get("/api/me").by("owner").send().await.is(200);
    let mut again = change("a much better one", "an even better one");
    again["revoke_tokens"] = json!(true);
    browser.post(&world, "/api/me/password", again).await.is(204);
    world.get("/api/me").by("owner").send().await.fails(401, "UNAUTHENTICATED");
    world.get("/api/me").by("developer").send().await.is(200);
    browser.get(&world, "/api/me").await.is(200);
    world.close().await;
}

#[tokio::test]
async fn a_single_connection_to_the_database_is_enough() {
    let world = World::new().await;
    let acme = "/api/organizations/acme/invitations";
    let invite = |email: &str| world.post(acme).by("owner").json(&json!({ "email": email, "role": "viewer" }));
    let token = |answered: crate::world::Answered| answered.is(201).json["token"].as_str().expect("is text").to_owned();
    let (newcomer, loner) =
        (token(invite("new@example.com").send().await), token(invite("loner@example.com").send().await));
    let mut held: Vec<_> = std::iter::from_fn(|| world.store().pool().try_acquire()).collect();
    while let Ok(connection) = tokio::time::timeout(Duration::from_millis(500), world.store().pool().acquire()).await {
        held.push(connection.expect("connects"));
    }
    drop(held.pop().expect("there was one"));

    let mut browser = Browser::default();
    browser.log_in(&world, "owner", None).await.is(200);
    browser.post(&world, "/api/auth/refresh", json!({})).await.is(200);
    let begun = world.post("/api/auth/device").json(&json!({ "client_name": "laptop" })).send().await.is(200);
    let poll = |code: &serde_json::Value| world.post("/api/auth/device/token").json(&json!({ "device_code": code }));
    poll(&json!("skd_unknown")).send().await.fails(400, "EXPIRED_TOKEN");
    poll(&begun.json["device_code"]).send().await.fails(400, "AUTHORIZATION_PENDING");
    let device = format!("/api/auth/device/{}", begun.json["user_code"].as_str().expect("is text"));
    browser.post(&world, &device, json!({ "approve": true })).await.is(204);
    poll(&begun.json["device_code"]).send().await.is(200);
    let sign_up = json!({ "token": newcomer, "password": "a much better one" });
    world.post("/api/auth/sign-up").json(&sign_up).send().await.is(201);
    world.post("/api/me/invitations/accept").by("loner").json(&json!({ "token": loner })).send().await.is(200);
    let user = format!("/api/admin/paas/users/{}", world.users["viewer"].id);
    for disabled in [false, true] {
        let change = json!({ "disabled": disabled });
        world.call(axum::http::Method::PATCH, &user).by("admin").json(&change).send().await.is(200);
    }
    browser.post(&world, "/api/auth/logout", json!({})).await.is(204);
    drop(held);
    world.close().await;
}
