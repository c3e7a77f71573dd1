//! Deployments: listed, shown with their log, superseded, cancelled, rolled back to.

use insta::assert_json_snapshot;
use serde_json::{Value, json};
use skypanel_core::model::{DeploymentStatus, NoChanges};
use skypanel_core::store::Turn;

use crate::releases::{go_live, push, queued, running};
use crate::things::changes;
use crate::world::World;

#[tokio::test]
async fn a_deployment_shows_where_it_came_from_and_what_it_is() {
    let world = World::new().await;
    running(&world, "shop").await;
    let listed = world.get("/api/paas/apps/shop/deployments").by("viewer").send().await.is(200);
    let id = listed.json["items"][0]["id"].as_str().expect("has an id").to_owned();
    let shown = world.get(&format!("/api/paas/apps/shop/deployments/{id}")).by("viewer").send().await.is(200);
    assert_json_snapshot!(shown.snapshot(), {
        ".body.id" => "[id]", ".body.app_id" => "[id]", ".body.finished_at" => "[time]",
    });
    let job = world.get(&format!("/api/paas/jobs/{id}")).by("viewer").send().await.is(200);
    assert_eq!((&job.json["state"], &job.json["succeeded"]), (&json!("done"), &json!(true)));
    assert_eq!(job.json["deployment_status"], "succeeded");
    world.app("other").await;
    world.get(&format!("/api/paas/apps/other/deployments/{id}")).by("viewer").send().await.fails(404, "NOT_FOUND");
    world.get("/api/paas/apps/shop/deployments/nonsense").by("viewer").send().await.fails(404, "NOT_FOUND");
    world.close().await;
}

#[tokio::test]
async fn lists_come_in_pages_newest_first() {
    let world = World::new().await;
    let app = running(&world, "shop").await;
    for commit in ["2", "3"] {
        go_live(&world, push(&world, app, commit).await).await;
    }
    let versions = |json: &Value| -> Vec<i64> {
        json["items"].as_array().expect("is a list").iter().filter_map(|item| item["version"].as_i64()).collect()
    };
    let path = "/api/paas/apps/shop/deployments?limit=2";
    let first = world.get(path).by("viewer").send().await.is(200);
    assert_eq!(versions(&first.json), [3, 2]);
    let cursor = first.json["next_cursor"].as_str().expect("goes on");
    let second = world.get(&format!("{path}&cursor={cursor}")).by("viewer").send().await.is(200);
    assert_eq!(versions(&second.json), [1]);
    let current: Vec<&Value> =
        first.json["items"].as_array().expect("a list").iter().map(|i| &i["is_current"]).collect();
    assert_eq!(current, [&json!(true), &json!(false)]);
    world.close().await;
}

#[tokio::test]
async fn the_log_is_read_whole_and_followed_from_anywhere() {
    let world = World::new().await;
    let app = running(&world, "shop").await;
    let id = push(&world, app, "2").await;
    let path = format!("/api/paas/apps/shop/deployments/{id}/log");
    let text = "gr\u{fc}n".as_bytes();
    // The umlaut is cut between two chunks.
    for (seq, data) in [(0i64, &text[..3]), (1, &text[3..]), (2, b"\nlast\n")] {
        sqlx::query("INSERT INTO paas_stream_chunks (stream_id, seq, data) VALUES ($1, $2, $3)")
            .bind(id)
            .bind(seq)
            .bind(data)
            .execute(world.store().pool())
            .await
            .expect("writes");
    }
    let log = world.get(&path).by("viewer").send().await.is(200);
    assert_eq!(
        (log.text.as_str(), &log.headers["x-log-complete"]),
        ("gr\u{fc}n\nlast\n", &"false".parse().expect("is"))
    );
    world.actions.streams.writer(id.into()).await.expect("opens").close(false).await.expect("closes");
    let log = world.get(&path).by("viewer").send().await.is(200);
    assert_eq!(log.headers["x-log-complete"], "true");

    let stream = format!("{path}/stream");
    let all = world.get(&stream).by("viewer").send().await.is(200);
    assert_eq!(all.headers["content-type"], "text/event-stream");
    let first = "event: output\nid: 0\ndata: {\"text\":\"gr\"}\n\n";
    let rest = "event: output\nid: 1\ndata: {\"text\":\"\u{fc}n\"}\n\nevent: output\nid: 2\ndata: {\"text\":\"\\nlast\\n\"}\n\n\
                event: end\ndata: {\"succeeded\":false}\n\n";
    assert_eq!(all.text, format!("{first}{rest}"));
    let resumed = world.get(&stream).by("viewer").header("last-event-id", "0").send().await.is(200);
    assert_eq!(resumed.text, rest);
    let job = world.get(&format!("/api/paas/jobs/{id}/log/stream")).by("viewer").header("last-event-id", "1");
    assert!(job.send().await.is(200).text.starts_with("event: output\nid: 2\n"));
    world.get(&stream).by("viewer").header("last-event-id", "x").send().await.is(400);
    world.get(&stream).by("outsider").send().await.fails(404, "NOT_FOUND");
    world.close().await;
}

#[tokio::test]
async fn a_newer_one_takes_the_place_of_one_that_waits() {
    let world = World::new().await;
    let app = world.app("shop").await.id;
    let first = push(&world, app, "1").await;
    let second = push(&world, app, "2").await;
    let path = |id| format!("/api/paas/apps/shop/deployments/{id}");
    let shown = world.get(&path(first)).by("viewer").send().await.is(200);
    assert_eq!((&shown.json["status"], &shown.json["error_code"]), (&json!("cancelled"), &json!("SUPERSEDED")));
    assert_eq!(shown.json["error"], "Superseded by a newer deployment: Deploy 2222222.");
    // Whoever follows it is told at once, and not when its turn comes.
    let followed = world.get(&format!("{}/log/stream", path(first))).by("viewer").send().await.is(200);
    assert!(followed.text.contains("Superseded") && followed.text.ends_with("data: {\"succeeded\":false}\n\n"));
    let building = world.store().advance_deployment(second, DeploymentStatus::Building).await;
    assert!(building.expect("answers"));
    let third = push(&world, app, "3").await;
    for (id, status) in [(second, "building"), (third, "queued")] {
        assert_eq!(
            world.get(&path(id)).by("viewer").send().await.is(200).json["status"],
            status,
            "one that is built stays"
        );
    }
    world.close().await;
}

#[tokio::test]
async fn waiting_and_running_ones_can_be_cancelled() {
    let world = World::new().await;
    let app = world.app("shop").await.id;
    let waiting = push(&world, app, "1").await;
    let path = |id| format!("/api/paas/apps/shop/deployments/{id}/cancel");
    world.post(&path(waiting)).by("viewer").send().await.fails(403, "FORBIDDEN");
    let cancelled = world.post(&path(waiting)).by("developer").send().await.is(200);
    assert_eq!(cancelled.json["status"], "cancelled");
    assert_eq!(cancelled.json["error"], "Cancelled by developer@example.com.");
    world.post(&path(waiting)).by("developer").send().await.fails(409, "CONFLICT");
    let running = push(&world, app, "2").await;
    assert!(world.store().advance_deployment(running, DeploymentStatus::Building).await.expect("answers"));
    world.post(&path(running)).by("developer").send().await.is(200);
    assert!(!world.store().complete_deployment(running).await.expect("answers"), "it does not go live any more");
    world.post(&path(skypanel_core::model::DeploymentId::new())).by("developer").send().await.fails(404, "NOT_FOUND");
    world.close().await;
}

#[tokio::test]
async fn rolling_back_is_a_release_of_its_own() {
    let world = World::new().await;
    let app = running(&world, "shop").await;
    let path = "/api/paas/apps/shop/rollback";
    world.post(path).by("developer").json(&json!({})).send().await.fails(409, "CONFLICT");
    world.post(path).by("developer").json(&json!({ "version": 1 })).send().await.fails(409, "CONFLICT");
    world.post(path).by("developer").json(&json!({ "version": 9 })).send().await.fails(404, "NOT_FOUND");
    go_live(&world, push(&world, app, "2").await).await;
    let back = world.post(path).by("developer").json(&json!({})).send().await.is(202);
    let id = back.json["deployment_id"].as_str().expect("has an id").to_owned();
    let shown = world.get(&format!("/api/paas/apps/shop/deployments/{id}")).by("viewer").send().await.is(200);
    assert_eq!((&shown.json["parent_version"], &shown.json["trigger"]), (&json!(1), &json!("rollback")));
    assert_eq!((&shown.json["status"], &shown.json["git_commit"]), (&json!("queued"), &json!("1".repeat(40))));
    assert_eq!(queued(&world).await, ["deploy", "deploy", "deploy"]);
    world.close().await;
}

#[tokio::test]
async fn what_changed_is_for_those_who_may_clone() {
    let world = World::new().await;
    let app = running(&world, "shop").await;
    let id = push(&world, app, "2").await;
    let path = format!("/api/paas/apps/shop/deployments/{id}/changes");
    let waits = world.get(&path).by("viewer").send().await.is(200).json;
    assert_eq!((&waits["missing"], &waits["changes"]), (&json!("not_yet"), &Value::Null));
    assert_eq!(waits["reason"], json!(NoChanges::NotYet.words()));
    let before = world.store().release_before(app).await.expect("answers");
    world.store().save_changes(app, id, &before, Ok(&changes())).await.expect("saves");
    let shown = world.get(&path).by("viewer").send().await.is(200).json;
    assert_json_snapshot!(shown);
    world.get(&path).by("outsider").send().await.fails(404, "NOT_FOUND");
    world.get(&path).send().await.fails(401, "UNAUTHENTICATED");
    let other = world.app("other").await.slug;
    let elsewhere = format!("/api/paas/apps/{other}/deployments/{id}/changes");
    world.get(&elsewhere).by("owner").send().await.fails(404, "NOT_FOUND");
    // What runs the code of another release has none of its own; nor has what ended before this was written down.
    go_live(&world, id).await;
    let old = push(&world, app, "3").await;
    go_live(&world, old).await;
    let old = format!("/api/paas/apps/shop/deployments/{old}/changes");
    assert_eq!(world.get(&old).by("viewer").send().await.is(200).json["missing"], json!("not_kept"));
    let back = world.post("/api/paas/apps/shop/rollback").by("developer").json(&json!({ "version": 1 })).send().await;
    let back = format!(
        "/api/paas/apps/shop/deployments/{}/changes",
        back.is(202).json["deployment_id"].as_str().expect("has one")
    );
    assert_eq!(world.get(&back).by("viewer").send().await.is(200).json["missing"], json!("runs_again"));
    world.close().await;
}

#[tokio::test]
async fn an_organisation_deploys_no_more_often_than_it_may() {
    let world = World::new().await;
    running(&world, "shop").await;
    let limit = "UPDATE organizations SET max_deployments_per_hour = 2 WHERE name = 'acme'";
    sqlx::query(limit).execute(world.store().pool()).await.expect("limits");
    let set = |value: &str| {
        let body = json!({ "vars": { "A": value } });
        world.call(axum::http::Method::PATCH, "/api/paas/apps/shop/env").by("developer").json(&body).send()
    };
    world.actions.clock.advance(std::time::Duration::from_secs(600));
    set("1").await.is(202);
    let refused = set("2").await.fails(429, "TOO_MANY_REQUESTS");
    assert_eq!(refused.headers["retry-after"], "3000");
    let vars = world.store().config_keys(skypanel_core::model::AppId(app_id(&world).await)).await.expect("answers");
    assert_eq!(vars.len(), 1);
    world.actions.clock.advance(std::time::Duration::from_secs(3001));
    set("2").await.is(202);
    world.close().await;
}

async fn app_id(world: &World) -> uuid::Uuid {
    let shown = world.get("/api/paas/apps/shop").by("viewer").send().await.is(200);
    shown.json["id"].as_str().expect("has an id").parse().expect("is one")
}

#[tokio::test]
async fn an_organisation_builds_no_more_at_once_than_it_may() {
    let world = World::new().await;
    let limit = "UPDATE organizations SET max_concurrent_builds = 1 WHERE name = 'acme'";
    sqlx::query(limit).execute(world.store().pool()).await.expect("limits");
    let (shop, blog) = (world.app("shop").await.id, world.app("blog").await.id);
    let (first, second) = (push(&world, shop, "1").await, push(&world, blog, "2").await);
    let take = |id| world.store().take_turn(id, true);
    assert_eq!(take(first).await.expect("answers"), Turn::Now);
    assert_eq!(take(first).await.expect("answers"), Turn::Now, "a worker that died took it, and the next goes on");
    assert_eq!(take(second).await.expect("answers"), Turn::Later { again: false });
    go_live(&world, first).await;
    assert_eq!(take(second).await.expect("answers"), Turn::Now);
    world.close().await;
}

#[tokio::test]
async fn an_archive_is_deployed_and_a_bad_one_refused() {
    let world = World::new().await;
    world.app("shop").await;
    world.post("/api/paas/apps/shop/deploy").by("developer").json(&json!({})).send().await.fails(409, "CONFLICT");
    let path = "/api/paas/apps/shop/deploy/archive?description=1.2";
    world.post(path).by("developer").body("no archive").send().await.is(422);
    let mut archive = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_size(5);
    header.set_mode(0o644);
    archive.append_data(&mut header, "index.html", &b"hello"[..]).expect("adds");
    let archive = archive.into_inner().expect("ends");
    let begun = world.post(path).by("developer").body(archive).send().await.is(202);
    assert_eq!(begun.json["superseded"], json!([]));
    let id = begun.json["deployment_id"].as_str().expect("has an id").to_owned();
    let shown = world.get(&format!("/api/paas/apps/shop/deployments/{id}")).by("viewer").send().await.is(200);
    assert_eq!((&shown.json["description"], &shown.json["trigger"]), (&json!("Deploy 1.2"), &json!("api")));
    assert_eq!(shown.json["stages"][0]["stage"], "receive");
    world.close().await;
}

#[tokio::test]
async fn an_archive_that_could_not_be_deployed_is_not_taken() {
    let world = World::new().await;
    world.app("shop").await;
    // Whoever reads this body fails the test: it is refused before.
    let upload = || {
        let read = || -> Result<bytes::Bytes, std::io::Error> { panic!("the archive is read") };
        let body = axum::body::Body::from_stream(futures_util::stream::once(async move { read() }));
        world.post("/api/paas/apps/shop/deploy/archive").by("developer").body(body)
    };
    let set = async |key: &str, value: &str| world.store().set_setting(key, value).await.expect("is set");
    set("git.min_free_mb", "1000000000").await;
    upload().send().await.fails(503, "DISK_FULL");
    set("git.min_free_mb", "1").await;
    set("limits.deployments_per_hour", "0").await;
    upload().send().await.fails(429, "TOO_MANY_REQUESTS");
    set("limits.deployments_per_hour", "10").await;
    let suspend = world.post("/api/admin/paas/organizations/acme/suspend").by("admin").json(&json!({}));
    suspend.send().await.is(200);
    upload().send().await.fails(403, "FORBIDDEN");
    world.close().await;
}

#[tokio::test]
async fn a_user_uploads_two_archives_at_a_time() {
    let world = World::of_one_process().await;
    world.app("shop").await;
    let path = "/api/paas/apps/shop/deploy/archive";
    // Each says when it is read, and then nothing more.
    let silent = || {
        let (began, begins) = tokio::sync::oneshot::channel();
        let body = axum::body::Body::from_stream(futures_util::stream::once(async move {
            began.send(()).expect("is waited for");
            std::future::pending::<Result<bytes::Bytes, std::io::Error>>().await
        }));
        (world.post(path).by("developer").body(body).open(), begins)
    };
    let ((first, first_begins), (second, second_begins)) = (silent(), silent());
    let third = async {
        first_begins.await.expect("is read");
        second_begins.await.expect("is read");
        world.post(path).by("developer").body("no archive").send().await.fails(429, "TOO_MANY_REQUESTS");
    };
    tokio::select! {
        _ = async { tokio::join!(first, second) } => panic!("silent uploads go on"),
        () = third => {}
    }
    world.post(path).by("developer").body("no archive").send().await.fails(422, "INVALID_INPUT");
    world.close().await;
}

#[tokio::test]
async fn processes_are_for_those_who_may_see_the_app() {
    let world = World::new().await;
    running(&world, "shop").await;
    let listed = world.get("/api/paas/apps/shop/processes").by("viewer").send().await.is(200);
    assert_eq!(listed.json["items"], json!([]));
    world.get("/api/paas/apps/shop/processes").by("outsider").send().await.fails(404, "NOT_FOUND");
    world.close().await;
}
