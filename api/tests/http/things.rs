//! One of each thing there is, so that what is asked for is there.

use std::collections::HashMap;

use axum::http::Method;
use serde_json::{Value, json};
use skypanel_core::jobs::CleanUp;
use skypanel_core::model::{
    ChangedCommit, ChangedFile, Changes, DeploymentId, FileStatus, NewDeployment, Omission, ReleaseBefore, Trigger,
};

use crate::browser::Browser;
use crate::world::World;

/// One of each thing that a path can name, by the name it has there. All are of `acme` and its owner, and are there.
pub(crate) struct Things(HashMap<String, String>);

impl Things {
    pub(crate) fn get(&self, name: &str) -> &str {
        self.0.get(name).unwrap_or_else(|| panic!("no {name} was made for the walk: make one in things()"))
    }
}

pub(crate) async fn things(world: &World) -> Things {
    let app = world.app("shop").await;
    let deployment = deployment(world, &app).await;
    let before = ReleaseBefore::default();
    world.store().save_changes(app.id, deployment, &before, Ok(&changes())).await.expect("saves");
    let text = |value: &Value| value.as_str().expect("is text").to_owned();
    let make = async |path: &str, body: Value| world.post(path).by("owner").json(&body).send().await.is(201).json;
    let domain = make("/api/paas/apps/shop/domains", json!({ "domain": "www.example.com" })).await;
    let webhook = make("/api/paas/apps/shop/webhooks", json!({ "provider": "github" })).await;
    let drain = make("/api/paas/apps/shop/drains", json!({ "url": "syslog://93.184.216.34:514" })).await;
    let delivery = uuid::Uuid::now_v7();
    sqlx::query(
        "INSERT INTO paas_webhook_deliveries (id, webhook_id, delivery, event, outcome, reason, received_at)
         VALUES ($1, $2, '1', 'push', 'ignored', 'No branch.', now())",
    )
    .bind(delivery)
    .bind(webhook["id"].as_str().and_then(|id| id.parse::<uuid::Uuid>().ok()).expect("is an id"))
    .execute(world.store().pool())
    .await
    .expect("is written down");
    let target = json!({ "kind": "webhook", "address": "http://127.0.0.1:1/alerts" });
    let of_platform = world.post("/api/admin/paas/notifications").by("admin").json(&target).send().await.is(201).json;
    let target = make("/api/organizations/acme/notifications", target).await;
    let invitation = json!({ "email": "new@example.com", "role": "viewer" });
    let invitation = make("/api/organizations/acme/invitations", invitation).await;
    let token = make("/api/me/tokens", json!({ "name": "CI", "scope": "read" })).await;
    let key = make("/api/me/ssh-keys", json!({ "public_key": KEY })).await;
    let invited = json!({ "email": "owner@example.com", "role": "viewer" });
    let invited =
        world.post("/api/organizations/globex/invitations").by("outsider").json(&invited).send().await.is(201);
    let vars = json!({ "vars": { "NAME": "value" } });
    world.call(Method::PATCH, "/api/paas/apps/shop/env").by("owner").json(&vars).send().await.is(200);
    let mut browser = Browser::logged_in(world, "owner").await;
    let sessions = browser.get(world, "/api/me/sessions").await.is(200).json;
    let device = world.post("/api/auth/device").json(&json!({ "client_name": "laptop" })).send().await.is(200).json;
    let plans = world.get("/api/paas/plans").by("owner").send().await.is(200).json;
    let things = [
        ("job", failed_job(world).await.to_string()),
        ("app", "shop".to_owned()),
        ("app_id", app.id.to_string()),
        ("organization", "acme".to_owned()),
        ("node", "one".to_owned()),
        ("user", world.users["developer"].id.to_string()),
        ("deployment", deployment.to_string()),
        ("/api/paas/jobs/{id}", deployment.to_string()),
        ("/api/me/sessions/{id}", text(&sessions["items"][0]["id"])),
        ("/api/me/tokens/{id}", text(&token["id"])),
        ("/api/organizations/{organization}/invitations/{id}", text(&invitation["id"])),
        ("/api/organizations/{organization}/notifications/{id}", text(&target["id"])),
        ("/api/admin/paas/notifications/{id}", text(&of_platform["id"])),
        ("fingerprint", text(&key["fingerprint"]).replace('/', "%2F")),
        ("domain", text(&domain["id"])),
        ("drain", text(&drain["id"])),
        ("webhook", text(&webhook["id"])),
        ("delivery", delivery.to_string()),
        ("key", "NAME".to_owned()),
        ("month", "2026-02".to_owned()),
        ("plan", text(&plans["items"][0]["id"])),
        ("user_code", text(&device["user_code"])),
        ("provider", "github".to_owned()),
        ("token", "nothing".to_owned()),
        ("invited", text(&invited.json["token"])),
    ];
    Things(things.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
}

pub(crate) const KEY: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJySykK18nyfYWW/A+yKBMRbHjc36mgcMmxaKn4S4bFo ada@home";

/// A job all of whose tries failed.
pub(crate) async fn failed_job(world: &World) -> i64 {
    world.actions.jobs.add(CleanUp {}).await.expect("is queued");
    let (job,): (i64,) = sqlx::query_as(
        "UPDATE skypanel_jobs._private_jobs SET attempts = max_attempts, last_error = 'The disk is full.'
         WHERE key = 'clean_up' RETURNING id",
    )
    .fetch_one(world.store().pool())
    .await
    .expect("fails");
    job
}

/// Changes with all that there can be.
pub(crate) fn changes() -> Changes {
    let file = |path: &str, status, omitted, patch: &str| ChangedFile {
        path: path.to_owned(),
        old_path: (status == FileStatus::Renamed).then(|| "old.txt".to_owned()),
        status,
        old_mode: None,
        new_mode: None,
        added: patch.matches("\n+").count() as u64,
        removed: patch.matches("\n-").count() as u64,
        omitted,
        patch: patch.to_owned(),
    };
    let picture = file("logo.png", FileStatus::Added, Some(Omission::Binary), "");
    let mut script = file("run.sh", FileStatus::Modified, None, "");
    (script.old_mode, script.new_mode) = (Some("100644".to_owned()), Some("100755".to_owned()));
    let commit = ChangedCommit {
        hash: "2".repeat(40),
        author: "Ada".to_owned(),
        subject: "Say hello".to_owned(),
        committed_at: chrono::DateTime::from_timestamp(1_795_323_600, 0),
    };
    Changes {
        commits: vec![commit],
        more_commits: 2,
        goes_on: Some(true),
        files: vec![
            file("app.txt", FileStatus::Modified, Some(Omission::Cut), "@@ -1,2 +1,2 @@\n-one\n+two <b>\n three\n"),
            picture,
            file("new.txt", FileStatus::Renamed, None, ""),
            script,
        ],
        more_files: 1,
        added: 1,
        removed: 1,
        truncated: true,
    }
}

pub(crate) async fn deployment(world: &World, app: &skypanel_core::model::Application) -> DeploymentId {
    let id = DeploymentId::new();
    let new = NewDeployment {
        id,
        application_id: app.id,
        trigger: Trigger::Push,
        git_branch: Some("main".to_owned()),
        git_commit: Some("0".repeat(40)),
        git_message: None,
        git_author: None,
        no_cache: false,
        description: "Deploy 0000000".to_owned(),
        parent_id: None,
        created_by: None,
    };
    world.store().create_deployment(&new).await.expect("makes a deployment");
    world.actions.streams.create(id.into(), app.id).await.expect("makes a stream");
    id
}
