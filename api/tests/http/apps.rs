//! Apps: listed, made, shown, changed, destroyed.

use axum::http::Method;
use insta::assert_json_snapshot;
use serde_json::json;
use skypanel_core::actions::Scope;
use skypanel_core::model::Role;

use crate::releases::{audited, push, queued, running};
use crate::world::World;

#[tokio::test]
async fn an_app_is_made_shown_and_changed() {
    let world = World::new().await;
    let wanted = json!({ "slug": "shop", "name": "The Shop", "plan": "standard", "health_check_path": "/up" });
    let made = world.post("/api/paas/apps").by("developer").json(&wanted).send().await.is(201);
    assert_json_snapshot!(made.snapshot(), {
        ".body.id" => "[id]", ".body.organization_id" => "[id]", ".body.updated_at" => "[time]",
    });
    world.post("/api/paas/apps").by("developer").json(&wanted).send().await.fails(409, "SLUG_TAKEN");
    let id = made.json["id"].as_str().expect("has an id").to_owned();
    let shown = world.get(&format!("/api/paas/apps/{id}")).by("viewer").send().await.is(200);
    assert_eq!((&shown.json["host"], &shown.json["cost_per_hour"]), (&json!("shop.localhost"), &json!("0.000000")));

    let edit = json!({ "name": "Shop", "buildpack": "heroku/python", "health_check_path": "", "git_branch": "live" });
    let path = "/api/paas/apps/shop";
    let edited = world.call(Method::PATCH, path).by("developer").json(&edit).send().await.is(200);
    assert_eq!(
        (
            &edited.json["name"],
            &edited.json["buildpack"],
            &edited.json["health_check_path"],
            &edited.json["git_branch"]
        ),
        (&json!("Shop"), &json!("heroku/python"), &json!(null), &json!("live"))
    );
    assert_eq!(edited.json["job_id"], json!(null), "nothing runs");
    assert_eq!(audited(&world).await, ["app.create", "app.repository", "app.edit"]);
    world.close().await;
}

#[tokio::test]
async fn what_breaks_a_rule_is_named() {
    let world = World::new().await;
    world.app("shop").await;
    for (body, field) in [
        (json!({ "slug": "No Slug" }), "slug"),
        (json!({ "slug": "admin" }), "slug"),
        (json!({ "name": "" }), "name"),
        (json!({ "plan": "huge" }), "plan"),
        (json!({ "buildpack": "--upload-pack=x" }), "buildpack"),
        (json!({ "buildpack": "https://t0ken@git.example.com/buildpack.git" }), "buildpack"),
        (json!({ "health_check_path": "up" }), "health_check_path"),
        (json!({ "color": "red" }), "color"),
    ] {
        let refused = world.post("/api/paas/apps").by("owner").json(&body).send().await.fails(422, "INVALID_INPUT");
        assert!(!refused.field(field).is_empty());
    }
    let bad = json!({ "git_branch": "a..b" });
    world.call(Method::PATCH, "/api/paas/apps/shop").by("owner").json(&bad).send().await.is(422);
    world.close().await;
}

#[tokio::test]
async fn a_health_check_of_a_running_app_rolls_it() {
    let world = World::new().await;
    running(&world, "shop").await;
    let edit = json!({ "health_check_path": "/up" });
    let edited = world.call(Method::PATCH, "/api/paas/apps/shop").by("owner").json(&edit).send().await.is(200);
    let job = edited.json["job_id"].as_str().expect("rolls").to_owned();
    let shown = world.get(&format!("/api/paas/jobs/{job}")).by("viewer").send().await.is(200);
    assert_eq!((&shown.json["state"], &shown.json["succeeded"]), (&json!("queued"), &json!(null)));
    world.get(&format!("/api/paas/jobs/{job}")).by("outsider").send().await.fails(404, "NOT_FOUND");
    // The same once more changes nothing.
    let again = world.call(Method::PATCH, "/api/paas/apps/shop").by("owner").json(&edit).send().await.is(200);
    assert_eq!(again.json["job_id"], json!(null));
    world.close().await;
}

#[tokio::test]
async fn lists_come_in_pages_and_hold_what_the_caller_may_see() {
    let world = World::new().await;
    for slug in ["cherry", "apple", "banana"] {
        world.app(slug).await;
    }
    let names = |json: &serde_json::Value| -> Vec<String> {
        let items = json["items"].as_array().expect("is a list");
        items.iter().map(|item| item["slug"].as_str().expect("has a slug").to_owned()).collect()
    };
    let first = world.get("/api/paas/apps?limit=2").by("viewer").send().await.is(200);
    assert_eq!(names(&first.json), ["apple", "banana"]);
    let cursor = first.json["next_cursor"].as_str().expect("goes on");
    let second = world.get(&format!("/api/paas/apps?limit=2&cursor={cursor}")).by("viewer").send().await.is(200);
    assert_eq!((names(&second.json), &second.json["next_cursor"]), (vec!["cherry".to_owned()], &json!(null)));
    let none: [&str; 0] = [];
    for path in ["/api/paas/apps", "/api/paas/apps?status=running&organization=globex"] {
        assert_eq!(names(&world.get(path).by("outsider").send().await.is(200).json), none);
    }
    world.get("/api/paas/apps?organization=acme").by("outsider").send().await.fails(404, "NOT_FOUND");
    let all = world.get("/api/paas/apps?organization=acme&status=inactive").by("admin").send().await.is(200);
    assert_eq!(names(&all.json).len(), 3);
    world.get("/api/paas/apps?status=nonsense").by("viewer").send().await.is(422);
    world.close().await;
}

#[tokio::test]
async fn what_an_app_costs_is_what_runs_of_it() {
    let world = World::new().await;
    running(&world, "shop").await;
    world.app("idle").await;
    let costs = async || {
        let list = world.get("/api/paas/apps").by("viewer").send().await.is(200).json;
        let shop = world.get("/api/paas/apps/shop").by("viewer").send().await.is(200).json;
        assert_eq!(list["items"][1]["cost_per_hour"], shop["cost_per_hour"]);
        let wallet = world.get("/api/organizations/acme/wallet").by("owner").send().await.is(200).json;
        assert_eq!(wallet["cost_per_hour"], shop["cost_per_hour"], "they add up to what is charged");
        ["idle", "shop"].map(|slug| {
            let items = list["items"].as_array().expect("is a list");
            let item = items.iter().find(|item| item["slug"] == slug).expect("is listed");
            item["cost_per_hour"].as_str().expect("is exact").to_owned()
        })
    };
    assert_eq!(costs().await, ["0.000000", "0.006900"]);
    let plan = json!({ "plan": "standard" });
    world.post("/api/paas/apps/shop/plan").by("developer").json(&plan).send().await.is(202);
    // All that runs counts, not only what answers requests.
    let more = json!({ "processes": { "web": 2, "worker": 1 } });
    world.post("/api/paas/apps/shop/scale").by("developer").json(&more).send().await.is(202);
    assert_eq!(costs().await, ["0.000000", "0.104100"]);
    world.post("/api/paas/apps/shop/stop").by("developer").send().await.is(202);
    assert_eq!(costs().await, ["0.000000", "0.000000"], "what is stopped costs nothing");
    world.close().await;
}

#[tokio::test]
async fn an_organisation_has_no_more_apps_than_it_may() {
    let world = World::new().await;
    let limit = "UPDATE organizations SET max_apps = 1 WHERE name = 'acme'";
    sqlx::query(limit).execute(world.store().pool()).await.expect("limits");
    let app = json!({});
    world.post("/api/paas/apps").by("owner").json(&app).send().await.is(201);
    world.post("/api/paas/apps").by("owner").json(&app).send().await.fails(409, "PLAN_LIMIT_REACHED");
    world.post("/api/paas/apps").by("outsider").json(&app).send().await.is(201);
    world.close().await;
}

#[tokio::test]
async fn destroying_takes_an_owner_and_the_name() {
    let world = World::new().await;
    let app = running(&world, "shop").await;
    let waiting = push(&world, app, "2").await;
    let path = "/api/paas/apps/shop";
    let right = json!({ "confirm": "shop" });
    world.delete(path).by("developer").json(&right).send().await.fails(403, "FORBIDDEN");
    world.delete(path).by("outsider").json(&right).send().await.fails(404, "NOT_FOUND");
    let token = world.token("owner", Scope::Deploy).await;
    world.delete(path).token(&token).json(&right).send().await.fails(403, "FORBIDDEN");
    let wrong = world.delete(path).by("owner").json(&json!({ "confirm": "Shop" })).send().await;
    assert!(wrong.fails(422, "INVALID_INPUT").field("confirm").contains("shop was not destroyed"));
    world.delete(path).by("owner").send().await.fails(415, "UNSUPPORTED_MEDIA_TYPE");

    let gone = world.delete(path).by("owner").json(&right).send().await.is(202);
    assert_eq!(gone.json["app_status"], "deleting");
    assert_eq!(queued(&world).await, ["deploy", "deploy", "destroy"]);
    let status = world.store().deployment(waiting).await.expect("is there").status;
    assert_eq!(status, skypanel_core::model::DeploymentStatus::Cancelled);
    assert!(world.store().metering(app).await.expect("answers").iter().all(|metered| metered.ended_at.is_some()));
    world.delete(path).by("owner").json(&right).send().await.fails(409, "CONFLICT");
    world.get(path).by("viewer").send().await.is(200);

    // Its job can be followed, also when the app is no more.
    let job = gone.json["job_id"].as_str().expect("can be followed").to_owned();
    let path = format!("/api/paas/jobs/{job}");
    let shown = world.get(&path).by("viewer").send().await.is(200);
    assert_eq!((&shown.json["app"], &shown.json["state"]), (&json!("shop"), &json!("queued")));
    let stream = world.store().destruction(app).await.expect("reads").expect("is open");
    let log = world.actions.streams.writer(stream).await.expect("opens");
    world.store().delete_app(app).await.expect("deletes");
    log.step("Destroyed shop").await;
    log.close(true).await.expect("closes");
    let shown = world.get(&path).by("viewer").send().await.is(200);
    assert_eq!(
        (&shown.json["app_id"], &shown.json["state"], &shown.json["succeeded"]),
        (&json!(app.0), &json!("done"), &json!(true))
    );
    let text = world.get(&format!("{path}/log")).by("viewer").send().await.is(200).text;
    assert!(text.contains("Destroyed shop"), "{text}");
    for path in [path.clone(), format!("{path}/log"), format!("{path}/log/stream")] {
        world.get(&path).by("outsider").send().await.fails(404, "NOT_FOUND");
    }
    assert_eq!(world.store().destruction(app).await.expect("reads"), None);
    world.close().await;
}

#[tokio::test]
async fn only_those_who_may_do_it() {
    let world = World::new().await;
    running(&world, "shop").await;
    let calls = [
        (Method::PATCH, "/api/paas/apps/shop", json!({ "name": "x" })),
        (Method::POST, "/api/paas/apps/shop/stop", json!(null)),
        (Method::POST, "/api/paas/apps/shop/start", json!(null)),
        (Method::POST, "/api/paas/apps/shop/restart", json!(null)),
        (Method::POST, "/api/paas/apps/shop/scale", json!({ "processes": { "web": 1 } })),
        (Method::POST, "/api/paas/apps/shop/plan", json!({ "plan": "pro" })),
        (Method::POST, "/api/paas/apps/shop/rollback", json!({})),
        (Method::POST, "/api/paas/apps/shop/deploy", json!({})),
        (Method::POST, "/api/paas/apps/shop/deploy/archive", json!(null)),
        (Method::PUT, "/api/paas/apps/shop/env", json!({ "vars": {} })),
        (Method::PATCH, "/api/paas/apps/shop/env", json!({ "vars": {} })),
        (Method::POST, "/api/paas/apps/shop/env/import", json!({ "text": "" })),
        (Method::DELETE, "/api/paas/apps/shop/env/A", json!(null)),
    ];
    let read_token = world.token("owner", Scope::Read).await;
    for (method, path, body) in calls {
        let call = || world.call(method.clone(), path).json(&body);
        call().send().await.fails(401, "UNAUTHENTICATED");
        call().by("viewer").send().await.fails(403, "FORBIDDEN");
        call().token(&read_token).send().await.fails(403, "FORBIDDEN");
        call().by("outsider").send().await.fails(404, "NOT_FOUND");
        call().by("loner").send().await.fails(404, "NOT_FOUND");
    }
    world.close().await;
}

#[tokio::test]
async fn an_app_goes_to_another_organisation_of_its_owner_and_runs_on() {
    let world = World::new().await;
    let shop = running(&world, "shop").await;
    let vars = json!({ "vars": { "SECRET": "kept" } });
    world.call(Method::PATCH, "/api/paas/apps/shop/env").by("owner").json(&vars).send().await.is(202);
    let path = "/api/paas/apps/shop/transfer";
    let to = |name: &str| json!({ "organization": name });
    for (who, organization, status, code) in [
        ("developer", "globex", 403, "FORBIDDEN"),
        ("outsider", "globex", 404, "NOT_FOUND"),
        // To an owner of the one, the other does not exist.
        ("owner", "globex", 422, "INVALID_INPUT"),
        ("owner", "acme", 422, "INVALID_INPUT"),
    ] {
        world.post(path).by(who).json(&to(organization)).send().await.fails(status, code);
    }
    let owner = world.users["owner"].id;
    world.store().set_member(world.globex.id, owner, Role::Developer).await.expect("joins");
    world.post(path).by("owner").json(&to("globex")).send().await.fails(403, "FORBIDDEN");
    world.store().set_member(world.globex.id, owner, Role::Owner).await.expect("owns it");
    let moved = world.post(path).by("owner").json(&to("globex")).send().await.is(200).json;
    assert_eq!((&moved["organization"], &moved["status"]), (&json!("globex"), &json!("running")));
    world.get("/api/paas/apps/shop").by("developer").send().await.fails(404, "NOT_FOUND");
    let events = world.get("/api/paas/apps/shop/events?limit=1").by("outsider").send().await.is(200).json;
    assert_eq!(events["items"][0]["message"], json!("Moved here from acme"));
    let (mine,): (uuid::Uuid,) =
        sqlx::query_as("SELECT organization_id FROM paas_metering WHERE application_id = $1 AND ended_at IS NULL")
            .bind(shop)
            .fetch_one(world.store().pool())
            .await
            .expect("is metered");
    assert_eq!(mine, world.globex.id.0);
    // Its secrets can still be read, under the other organisation's key.
    let (_, vars) = world.store().config_vars(shop).await.expect("opens");
    assert!(format!("{vars:?}").contains("SECRET"));
    world.close().await;
}
