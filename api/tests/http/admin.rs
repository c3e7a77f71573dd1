//! What admins see of organisations, users and apps, and do with them.

use std::collections::BTreeMap;

use axum::http::Method;
use insta::assert_json_snapshot;
use serde_json::json;
use skypanel_core::model::AppStatus;
use zeroize::Zeroizing;

use crate::releases::{push, running};
use crate::things::failed_job;
use crate::world::World;

const ORGANIZATIONS: &str = "/api/admin/paas/organizations";

#[tokio::test]
async fn organisations_apps_and_users_are_listed_in_pages() {
    let world = World::new().await;
    world.app("shop").await;
    world.app("blog").await;
    let redacted = world.get(ORGANIZATIONS).by("admin").send().await.is(200);
    assert_json_snapshot!("organizations", redacted.snapshot(), {
        ".body.items[].id" => "[id]", ".body.items[].created_at" => "[time]",
    });
    let first = world.get("/api/admin/paas/apps?limit=1").by("admin").send().await.is(200);
    assert_json_snapshot!("apps", first.json["items"][0], {
        ".id" => "[id]", ".organization_id" => "[id]", ".updated_at" => "[time]",
    });
    let cursor = first.json["next_cursor"].as_str().expect("has a next page");
    let second = world.get(&format!("/api/admin/paas/apps?limit=1&cursor={cursor}")).by("admin").send().await.is(200);
    assert_eq!((&second.json["items"][0]["slug"], &second.json["next_cursor"]), (&json!("shop"), &json!(null)));
    let none = world.get("/api/admin/paas/apps?status=running&search=SHO").by("admin").send().await.is(200);
    assert_eq!(none.json["items"], json!([]));
    let users = world.get("/api/admin/paas/users?search=OWNER").by("admin").send().await.is(200);
    assert_json_snapshot!("users", users.snapshot(), {
        ".body.items[].id" => "[id]", ".body.items[].organizations[].id" => "[id]", ".body.items[].created_at" => "[time]",
    });
    world.get("/api/admin/paas/users?search=%00").by("admin").send().await.fails(422, "INVALID_INPUT");
    for path in [ORGANIZATIONS, "/api/admin/paas/apps", "/api/admin/paas/users", "/api/admin/paas/audit"] {
        world.get(path).by("owner").send().await.fails(403, "FORBIDDEN");
    }
    world.close().await;
}

#[tokio::test]
async fn a_suspended_organisation_goes_on_as_it_was() {
    let world = World::new().await;
    let shop = world.app("shop").await;
    world.store().set_app_status(shop.id, AppStatus::Running).await.expect("runs");
    let suspend = format!("{ORGANIZATIONS}/acme/suspend");
    let reason = json!({ "reason": "abuse" });
    let answered = world.post(&suspend).by("admin").json(&reason).send().await.is(200);
    assert_eq!((&answered.json["suspended_apps"], &answered.json["running_apps"]), (&json!(1), &json!(0)));
    // Once more changes nothing.
    world.post(&suspend).by("admin").json(&reason).send().await.is(200);
    assert_eq!(world.store().app(shop.id).await.expect("reads").status, AppStatus::Suspended);
    let resume = format!("{ORGANIZATIONS}/acme/resume");
    let answered = world.post(&resume).by("admin").send().await.is(200);
    assert_eq!((&answered.json["suspended_apps"], &answered.json["suspended_at"]), (&json!(0), &json!(null)));
    let log = world.get("/api/admin/paas/audit?action=organization.").by("admin").send().await.is(200);
    let actions: Vec<_> = log.json["items"].as_array().expect("a list").iter().map(|line| &line["action"]).collect();
    assert_eq!(actions, ["organization.resume", "organization.suspend"]);
    world.post(&suspend).by("owner").json(&reason).send().await.fails(403, "FORBIDDEN");
    world.close().await;
}

#[tokio::test]
async fn limits_are_set_and_given_back() {
    let world = World::new().await;
    let path = format!("{ORGANIZATIONS}/acme");
    let set = json!({ "max_apps": 3, "allow_app_creation": false });
    let answered = world.call(Method::PATCH, &path).by("admin").json(&set).send().await.is(200);
    assert_eq!((&answered.json["max_apps"], &answered.json["allow_app_creation"]), (&json!(3), &json!(false)));
    let back = json!({ "max_apps": null });
    let answered = world.call(Method::PATCH, &path).by("admin").json(&back).send().await.is(200);
    assert_eq!((&answered.json["max_apps"], &answered.json["allow_app_creation"]), (&json!(null), &json!(false)));
    let wrong = json!({ "max_concurrent_builds": 0 });
    let answered = world.call(Method::PATCH, &path).by("admin").json(&wrong).send().await.fails(422, "INVALID_INPUT");
    assert!(answered.field("max_concurrent_builds").contains("1 to"));
    world.close().await;
}

#[tokio::test]
async fn an_organisation_goes_and_its_apps_go_elsewhere_with_their_secrets() {
    let world = World::new().await;
    let shop = world.app("shop").await;
    let vars = BTreeMap::from([("GREETING".parse().expect("a key"), Zeroizing::new(b"hello".to_vec()))]);
    world.store().change_config(&shop, &vars, &[]).await.expect("sets");
    let path = format!("{ORGANIZATIONS}/acme");
    let call = |body| world.call(Method::DELETE, &path).by("admin").json(&body);
    call(json!({ "confirm": "acme" })).send().await.fails(409, "CONFLICT");
    call(json!({ "confirm": "acm", "apps": "delete" })).send().await.fails(422, "INVALID_INPUT");
    let itself = json!({ "confirm": "acme", "apps": "reassign", "reassign_to": "acme" });
    assert!(call(itself).send().await.fails(422, "INVALID_INPUT").field("reassign_to").contains("another"));
    let answered = call(json!({ "confirm": "acme", "apps": "reassign", "reassign_to": "globex" })).send().await.is(200);
    assert_json_snapshot!(answered.snapshot());
    let moved = world.store().app(shop.id).await.expect("is there");
    assert_eq!(moved.organization_id, world.globex.id);
    let (_, vars) = world.store().config_vars(shop.id).await.expect("opens under the other key");
    assert_eq!(vars.values().next().map(|value| value.to_vec()), Some(b"hello".to_vec()));
    world.get(&path).by("admin").send().await.fails(404, "NOT_FOUND");
    world.close().await;
}

#[tokio::test]
async fn an_organisation_goes_with_the_last_of_its_apps() {
    let world = World::new().await;
    let (shop, blog) = (world.app("shop").await, world.app("blog").await);
    let path = format!("{ORGANIZATIONS}/acme");
    let wanted = json!({ "confirm": "acme", "apps": "delete" });
    let answered = world.call(Method::DELETE, &path).by("admin").json(&wanted).send().await.is(200);
    assert_eq!((&answered.json["deleted"], &answered.json["destroyed"]), (&json!(false), &json!(["shop", "blog"])));
    world.call(Method::DELETE, &path).by("admin").json(&wanted).send().await.fails(409, "CONFLICT");
    world.post(&format!("{path}/resume")).by("admin").send().await.fails(409, "CONFLICT");
    world.store().delete_app(shop.id).await.expect("goes");
    world.get(&path).by("admin").send().await.is(200);
    world.store().delete_app(blog.id).await.expect("goes");
    world.get(&path).by("admin").send().await.fails(404, "NOT_FOUND");
    world.close().await;
}

#[tokio::test]
async fn somebody_who_is_locked_out_stays_out_and_one_admin_stays() {
    let world = World::new().await;
    let path = |name: &str| format!("/api/admin/paas/users/{}", world.users[name].id);
    let call = |name: &str, body| world.call(Method::PATCH, &path(name)).by("admin").json(&body);
    call("admin", json!({ "disabled": true })).send().await.fails(422, "INVALID_INPUT");
    call("admin", json!({ "is_admin": false })).send().await.fails(409, "CONFLICT");
    call("owner", json!({ "disabled": true })).send().await.is(200);
    world.get("/api/paas/plans").by("owner").send().await.fails(401, "UNAUTHENTICATED");
    call("owner", json!({ "disabled": false, "is_admin": true })).send().await.is(200);
    world.get(ORGANIZATIONS).by("owner").send().await.is(200);
    call("admin", json!({ "is_admin": false })).send().await.is(200);
    world.get(ORGANIZATIONS).by("admin").send().await.fails(403, "FORBIDDEN");
    world.close().await;
}

#[tokio::test]
async fn somebody_who_is_locked_out_has_invited_nobody() {
    let world = World::new().await;
    let invite = async |organization: &str, who: &str, email: &str| {
        let path = format!("/api/organizations/{organization}/invitations");
        let body = json!({ "email": email, "role": "owner" });
        world.post(&path).by(who).json(&body).send().await.is(201).json["token"].clone()
    };
    let theirs = invite("globex", "outsider", "loner@example.com").await;
    let to_them = invite("acme", "owner", "outsider@example.com").await;
    let others = invite("acme", "owner", "loner@example.com").await;
    let disable = async |disabled: bool| {
        let path = format!("/api/admin/paas/users/{}", world.users["outsider"].id);
        world.call(Method::PATCH, &path).by("admin").json(&json!({ "disabled": disabled })).send().await.is(200)
    };
    disable(true).await;
    disable(false).await;
    let accept = async |who: &str, token: &serde_json::Value| {
        world.post("/api/me/invitations/accept").by(who).json(&json!({ "token": token })).send().await
    };
    accept("loner", &theirs).await.fails(404, "NOT_FOUND");
    accept("outsider", &to_them).await.fails(404, "NOT_FOUND");
    accept("loner", &others).await.is(200);
    world.close().await;
}

#[tokio::test]
async fn a_job_that_failed_is_listed_with_its_reason_and_tried_again() {
    const JOBS: &str = "/api/admin/paas/jobs";
    let world = World::new().await;
    let shop = running(&world, "shop").await;
    push(&world, shop, "2").await;
    let failed = failed_job(&world).await;
    let all = world.get(JOBS).by("admin").send().await.is(200).json;
    let tasks: Vec<_> =
        all["items"].as_array().expect("a list").iter().map(|job| (&job["task"], &job["app"])).collect();
    assert!(tasks.contains(&(&json!("deploy"), &json!("shop"))), "{tasks:?}");
    let found = world.get(&format!("{JOBS}?state=failed")).by("admin").send().await.is(200).json;
    assert_json_snapshot!("failed_jobs", found, {
        ".items[].id" => "[id]", ".items[].created_at" => "[time]", ".items[].run_at" => "[time]",
    });
    world.get(&format!("{JOBS}?state=lost")).by("admin").send().await.fails(422, "INVALID_INPUT");
    let first = world.get(&format!("{JOBS}?limit=1")).by("admin").send().await.is(200).json;
    assert_eq!(first["items"][0]["id"], json!(failed), "the newest comes first");
    let cursor = first["next_cursor"].as_str().expect("has a next page");
    let second = world.get(&format!("{JOBS}?limit=1&cursor={cursor}")).by("admin").send().await.is(200).json;
    assert_eq!(second["items"][0]["task"], json!("deploy"));

    let retry = format!("{JOBS}/{failed}/retry");
    world.post(&retry).by("owner").send().await.fails(403, "FORBIDDEN");
    world.post(&retry).by("admin").send().await.is(204);
    let waiting = world.get(&format!("{JOBS}?state=waiting")).by("admin").send().await.is(200).json;
    let again = waiting["items"].as_array().expect("a list").iter().find(|job| job["id"] == json!(failed));
    assert_eq!(again.expect("waits")["attempts"], json!(0));
    let sql = "UPDATE skypanel_jobs._private_jobs SET locked_at = now(), locked_by = 'a worker' WHERE id = $1";
    sqlx::query(sql).bind(failed).execute(world.store().pool()).await.expect("is taken");
    world.post(&retry).by("admin").send().await.fails(409, "CONFLICT");
    for unknown in ["999999", "x"] {
        world.post(&format!("{JOBS}/{unknown}/retry")).by("admin").send().await.fails(404, "NOT_FOUND");
    }
    world.close().await;
}
