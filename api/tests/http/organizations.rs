//! Organisations, members, invitations, and what of it is written down.

use std::time::Duration;

use axum::http::Method;
use insta::assert_json_snapshot;
use serde_json::json;

use crate::browser::Browser;
use crate::world::World;

#[tokio::test]
async fn whoever_makes_an_organisation_owns_it() {
    let world = World::new().await;
    let made = world.post("/api/organizations").by("loner").json(&json!({ "name": "initech" })).send().await.is(201);
    assert_json_snapshot!(made.snapshot(), { ".body.id" => "[id]" });
    let taken = world.post("/api/organizations").by("loner").json(&json!({ "name": "acme" })).send().await;
    taken.fails(409, "CONFLICT");
    let bad = world.post("/api/organizations").by("loner").json(&json!({ "name": "In Itech" })).send().await;
    assert!(bad.fails(422, "INVALID_INPUT").field("name").contains("lower-case"));
    let by_id = format!("/api/organizations/{}", made.json["id"].as_str().expect("is text"));
    assert_eq!(world.get(&by_id).by("loner").send().await.is(200).json["name"], "initech");
    world.get("/api/organizations/initech").by("owner").send().await.fails(404, "NOT_FOUND");
    assert_eq!(world.get("/api/organizations/initech").by("admin").send().await.is(200).json["role"], "owner");
    let change = json!({ "allow_app_creation": false });
    world.call(Method::PATCH, &by_id).by("loner").json(&change).send().await.is(200);
    world
        .call(Method::PATCH, "/api/organizations/acme")
        .by("developer")
        .json(&change)
        .send()
        .await
        .fails(403, "FORBIDDEN");
    world.close().await;
}

#[tokio::test]
async fn an_owner_does_not_undo_what_an_admin_forbids_nor_the_other_way_round() {
    let world = World::new().await;
    let set = async |who: &str, path: &str, allow: bool| {
        let change = json!({ "allow_app_creation": allow });
        world.call(Method::PATCH, path).by(who).json(&change).send().await.is(200).json
    };
    let create = async || {
        let body = json!({ "organization": "acme" });
        world.post("/api/paas/apps").by("developer").json(&body).send().await.status.as_u16()
    };
    let (owners, admins) = ("/api/organizations/acme", "/api/admin/paas/organizations/acme");
    set("admin", admins, false).await;
    let shown = set("owner", owners, true).await;
    assert_eq!((&shown["allow_app_creation"], &shown["admin_allows_app_creation"]), (&json!(true), &json!(false)));
    assert_eq!(create().await, 403);
    set("owner", owners, false).await;
    set("admin", admins, true).await;
    assert_eq!(create().await, 403);
    set("owner", owners, true).await;
    assert_eq!(create().await, 201);
    world.close().await;
}

#[tokio::test]
async fn a_user_owns_as_many_organisations_as_the_operator_says() {
    let world = World::new().await;
    let create = async |who: &str, name: &str| {
        world.post("/api/organizations").by(who).json(&json!({ "name": name })).send().await
    };
    world.store().set_setting("limits.owned_organizations", "2").await.expect("is set");
    create("outsider", "one").await.is(201);
    create("outsider", "two").await.fails(409, "CONFLICT");
    world.store().set_setting("limits.owned_organizations", "0").await.expect("is set");
    create("loner", "two").await.fails(403, "FORBIDDEN");
    create("admin", "two").await.is(201);
    world.close().await;
}

#[tokio::test]
async fn who_has_a_second_factor_is_for_owners_to_see_and_for_themselves() {
    let world = World::new().await;
    for (who, seen) in [("owner", [true, true, true]), ("viewer", [false, false, true])] {
        let members = world.get("/api/organizations/acme/members").by(who).send().await.is(200).json;
        let items = members["items"].as_array().expect("is a list");
        let of =
            |name: &str| items.iter().find(|item| item["email"] == format!("{name}@example.com")).expect("is there");
        assert_eq!(["developer", "owner", "viewer"].map(|name| of(name)["second_factor"].is_boolean()), seen, "{who}");
    }
    world.close().await;
}

#[tokio::test]
async fn members_are_listed_in_pages() {
    let world = World::new().await;
    let first = world.get("/api/organizations/acme/members?limit=2").by("viewer").send().await.is(200);
    assert_json_snapshot!(first.snapshot(), {
        ".body.items[].user_id" => "[id]", ".body.items[].created_at" => "[time]", ".body.next_cursor" => "[cursor]",
    });
    let cursor = first.json["next_cursor"].as_str().expect("there is more");
    let rest = format!("/api/organizations/acme/members?limit=2&cursor={cursor}");
    let rest = world.get(&rest).by("viewer").send().await.is(200);
    assert_eq!(rest.json["items"].as_array().expect("is a list").len(), 1);
    assert_eq!(
        (&rest.json["items"][0]["email"], &rest.json["next_cursor"]),
        (&"viewer@example.com".into(), &json!(null))
    );
    for query in ["limit=0", "limit=101", "limit=x", "cursor=x"] {
        let path = format!("/api/organizations/acme/members?{query}");
        world.get(&path).by("viewer").send().await.fails(422, "INVALID_INPUT");
    }
    world.close().await;
}

#[tokio::test]
async fn the_last_owner_stays() {
    let world = World::new().await;
    let member = |name: &str| format!("/api/organizations/acme/members/{}", world.users[name].id);
    let role = |role: &str| json!({ "role": role });
    let demoted = world.call(Method::PUT, &member("owner")).by("owner").json(&role("viewer")).send().await;
    demoted.fails(409, "CONFLICT");
    world.delete(&member("owner")).by("owner").send().await.fails(409, "CONFLICT");
    world
        .call(Method::PUT, &member("viewer"))
        .by("developer")
        .json(&role("owner"))
        .send()
        .await
        .fails(403, "FORBIDDEN");
    world.delete(&member("viewer")).by("developer").send().await.fails(403, "FORBIDDEN");
    let promoted = world.call(Method::PUT, &member("developer")).by("owner").json(&role("owner")).send().await.is(200);
    assert_eq!(promoted.json["role"], "owner");
    world.delete(&member("owner")).by("owner").send().await.is(204);
    world.get("/api/organizations/acme").by("owner").send().await.fails(404, "NOT_FOUND");
    world.delete(&member("viewer")).by("viewer").send().await.is(204);
    world.delete(&member("outsider")).by("developer").send().await.fails(404, "NOT_FOUND");
    world.close().await;
}

#[tokio::test]
async fn an_owner_who_is_locked_out_is_none_to_leave_it_to() {
    let world = World::new().await;
    let member = |name: &str| format!("/api/organizations/acme/members/{}", world.users[name].id);
    let user = format!("/api/admin/paas/users/{}", world.users["developer"].id);
    let owner = json!({ "role": "owner" });
    world.call(Method::PUT, &member("developer")).by("owner").json(&owner).send().await.is(200);
    world.call(Method::PATCH, &user).by("admin").json(&json!({ "disabled": true })).send().await.is(200);
    world.delete(&member("owner")).by("owner").send().await.fails(409, "CONFLICT");
    world.delete(&member("developer")).by("owner").send().await.is(204);
    world.close().await;
}

#[tokio::test]
async fn two_owners_who_leave_at_once_leave_one() {
    let world = World::new().await;
    let member = |name: &str| format!("/api/organizations/acme/members/{}", world.users[name].id);
    let owner = json!({ "role": "owner" });
    world.call(Method::PUT, &member("developer")).by("owner").json(&owner).send().await.is(200);
    let (one, other) = (member("owner"), member("developer"));
    let (one, other) = tokio::join!(world.delete(&one).by("owner").send(), world.delete(&other).by("developer").send());
    let mut statuses = [one.status.as_u16(), other.status.as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [204, 409]);
    world.close().await;
}

#[tokio::test]
async fn an_invitation_is_for_one_address_once() {
    let world = World::new().await;
    let invite = |email: &str, role: &str| {
        let body = json!({ "email": email, "role": role });
        world.post("/api/organizations/acme/invitations").by("owner").json(&body)
    };
    let first = invite("loner@example.com", "viewer").send().await.is(201);
    assert_json_snapshot!(first.snapshot(), { ".body.id" => "[id]", ".body.token" => "[token]", ".body.url" => "[url]" });
    let second = invite("LONER@example.com", "developer").send().await.is(201);
    let accept = |answered: &crate::world::Answered, who: &str| {
        world.post("/api/me/invitations/accept").by(who).json(&json!({ "token": answered.json["token"] }))
    };
    accept(&first, "loner").send().await.fails(404, "NOT_FOUND");
    accept(&second, "outsider").send().await.fails(403, "FORBIDDEN");
    assert_eq!(accept(&second, "loner").send().await.is(200).json["role"], "developer");
    accept(&second, "loner").send().await.fails(404, "NOT_FOUND");
    invite("loner@example.com", "viewer").send().await.fails(409, "CONFLICT");
    let late = invite("outsider@example.com", "viewer").send().await.is(201);
    world.actions.clock.advance(Duration::from_secs(8 * 86_400));
    accept(&late, "outsider").send().await.fails(404, "NOT_FOUND");
    let back = invite("outsider@example.com", "viewer").send().await.is(201);
    let listed = world.get("/api/organizations/acme/invitations").by("owner").send().await.is(200);
    assert_eq!(listed.json["items"][0]["id"], back.json["id"]);
    assert!(!listed.text.contains(back.json["token"].as_str().expect("is text")));
    let path = format!("/api/organizations/acme/invitations/{}", back.json["id"].as_str().expect("is text"));
    world.delete(&path).by("developer").send().await.fails(403, "FORBIDDEN");
    world.delete(&path).by("owner").send().await.is(204);
    accept(&back, "outsider").send().await.fails(404, "NOT_FOUND");
    world.close().await;
}

#[tokio::test]
async fn an_owner_who_is_none_any_more_does_not_come_back_by_an_invitation() {
    for demoted in [true, false] {
        let world = World::new().await;
        let member = |name: &str| format!("/api/organizations/acme/members/{}", world.users[name].id);
        let role = |role: &str| json!({ "role": role });
        let invite = async |who: &str, email: &str| {
            let body = json!({ "email": email, "role": "owner" });
            let made = world.post("/api/organizations/acme/invitations").by(who).json(&body).send().await.is(201);
            made.json["token"].clone()
        };
        let accept = async |who: &str, token: &serde_json::Value| {
            let body = json!({ "token": token });
            world.post("/api/me/invitations/accept").by(who).json(&body).send().await
        };
        world.call(Method::PUT, &member("developer")).by("owner").json(&role("owner")).send().await.is(200);
        let (theirs, others) =
            (invite("developer", "loner@example.com").await, invite("owner", "outsider@example.com").await);
        if demoted {
            world.call(Method::PUT, &member("developer")).by("owner").json(&role("viewer")).send().await.is(200);
        } else {
            world.delete(&member("developer")).by("owner").send().await.is(204);
        }
        accept("loner", &theirs).await.fails(404, "NOT_FOUND");
        accept("outsider", &others).await.is(200);
        let log = world.get("/api/admin/paas/audit?action=invitation.revoke").by("admin").send().await.is(200);
        assert_eq!(log.json["items"][0]["after"]["email"], "loner@example.com");
        assert_eq!(log.json["items"].as_array().map(Vec::len), Some(1));
        world.close().await;
    }
}

#[tokio::test]
async fn who_has_no_account_signs_up_with_an_invitation() {
    let world = World::new().await;
    let body = json!({ "email": "grace@example.com", "role": "developer" });
    let invited = world.post("/api/organizations/acme/invitations").by("owner").json(&body).send().await.is(201);
    let sign_up = |password: &str| {
        world.post("/api/auth/sign-up").json(&json!({ "token": invited.json["token"], "password": password }))
    };
    let look = || world.post("/api/auth/invitation").json(&json!({ "token": invited.json["token"] }));
    let shown = look().send().await.is(200);
    assert_eq!(
        shown.json,
        json!({
            "organization": "acme", "role": "developer", "email": "grace@example.com", "has_account": false,
            "expires_at": invited.json["expires_at"],
        })
    );
    sign_up("short").send().await.fails(422, "INVALID_INPUT");
    let made = sign_up(crate::world::PASSWORD).send().await.is(201);
    assert_json_snapshot!(made.snapshot(), { ".body.user_id" => "[id]" });
    sign_up(crate::world::PASSWORD).send().await.fails(404, "NOT_FOUND");
    look().send().await.fails(404, "NOT_FOUND");
    let mut grace = Browser::logged_in(&world, "grace").await;
    grace.get(&world, "/api/organizations/acme").await.is(200);
    world.close().await;
}

#[tokio::test]
async fn every_write_is_in_the_audit_log_without_a_secret() {
    let world = World::new().await;
    let mut browser = Browser::logged_in(&world, "owner").await;
    let token = browser.post(&world, "/api/me/tokens", json!({ "name": "CI", "scope": "read" })).await.is(201);
    browser.post(&world, "/api/organizations", json!({ "name": "initech" })).await.is(201);
    let invitation = json!({ "email": "grace@example.com", "role": "viewer" });
    let invited = browser.post(&world, "/api/organizations/acme/invitations", invitation).await.is(201);
    let rows: Vec<(String, Option<String>, Option<String>, String)> = sqlx::query_as(
        "SELECT action, actor, address, concat(before, after) FROM paas_audit_log
         WHERE via = 'browser' AND address IS NOT NULL AND request_id IS NOT NULL ORDER BY id",
    )
    .fetch_all(world.store().pool())
    .await
    .expect("reads");
    let actions: Vec<&str> = rows.iter().map(|row| row.0.as_str()).collect();
    assert_eq!(actions, ["session.create", "token.create", "organization.create", "invitation.create"]);
    for (_, actor, address, changed) in &rows {
        assert_eq!((actor.as_deref(), address.as_deref()), (Some("owner@example.com"), Some("192.0.2.7")));
        for secret in [&token.json["token"], &invited.json["token"]] {
            assert!(!changed.contains(secret.as_str().expect("is text")));
        }
    }
    world.close().await;
}

#[tokio::test]
async fn owners_read_what_was_done_in_theirs_and_nobody_else_does() {
    let world = World::new().await;
    let path = "/api/organizations/acme/audit";
    let role = json!({ "role": "developer" });
    let member = format!("/api/organizations/acme/members/{}", world.users["viewer"].id);
    world.call(Method::PUT, &member).by("owner").from("192.0.2.9").json(&role).send().await.is(200);
    world.post("/api/paas/apps").by("developer").json(&json!({ "slug": "shop" })).send().await.is(201);
    world.post("/api/paas/apps").by("outsider").json(&json!({ "slug": "theirs" })).send().await.is(201);
    let money = json!({ "kind": "top_up", "amount": "12", "reference": "payment 12" });
    world.post("/api/admin/paas/organizations/acme/ledger").by("admin").json(&money).send().await.is(201);

    let all = world.get(path).by("owner").send().await.is(200);
    assert!(!all.text.contains("globex") && !all.text.contains("theirs"), "{all:#?}");
    let lines = all.json["items"].as_array().expect("a list");
    let of = |by: &str| lines.iter().find(|line| line["actor"] == format!("{by}@example.com")).expect("is there");
    assert_eq!((&of("owner")["action"], &of("owner")["address"]), (&json!("member.role"), &json!("192.0.2.9")));
    assert_eq!((&of("owner")["before"], &of("owner")["after"]), (&json!({ "role": "viewer" }), &role));
    assert_eq!(of("owner")["target_name"], "viewer@example.com");
    assert_eq!((&of("developer")["target_kind"], &of("developer")["target_name"]), (&json!("app"), &json!("shop")));
    // Who administers the platform, but not from where.
    assert_eq!((&of("admin")["address"], &of("admin")["request_id"]), (&json!(null), &json!(null)));
    let to_admins = world.get(path).by("admin").send().await.is(200);
    assert_eq!(to_admins.json["items"][0]["address"], "192.0.2.7");

    let filtered = world.get(&format!("{path}?action=member.")).by("owner").send().await.is(200);
    assert_eq!(filtered.json["items"], json!([of("owner")]));
    let first = world.get(&format!("{path}?limit=1")).by("owner").send().await.is(200);
    let cursor = first.json["next_cursor"].as_str().expect("goes on");
    let next = world.get(&format!("{path}?limit=1&cursor={cursor}")).by("owner").send().await.is(200);
    assert_eq!((&first.json["items"][0], &next.json["items"][0]), (&lines[0], &lines[1]));

    // What is gone keeps its name.
    let destroy = json!({ "confirm": "shop" });
    world.call(Method::DELETE, "/api/paas/apps/shop").by("owner").json(&destroy).send().await.is(202);
    sqlx::query("DELETE FROM paas_applications WHERE slug = 'shop'").execute(world.store().pool()).await.expect("goes");
    let gone = world.get(&format!("{path}?action=app.")).by("owner").send().await.is(200);
    let names: Vec<_> =
        gone.json["items"].as_array().expect("a list").iter().map(|line| &line["target_name"]).collect();
    assert_eq!(names, ["shop", "shop"]);

    for name in ["developer", "viewer"] {
        world.get(path).by(name).send().await.fails(403, "FORBIDDEN");
    }
    for name in ["outsider", "loner"] {
        world.get(path).by(name).send().await.fails(404, "NOT_FOUND");
    }
    world.close().await;
}
