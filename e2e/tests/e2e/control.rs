//! The control plane over HTTP, with real builds and containers behind it: an app's whole life, a webhook that builds what
//! was delivered, and a wallet that runs dry.

use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::{Value, json};
use skypanel_e2e::{Api, App, COMMAND_LIMIT, Engine, Instance, PUSH_LIMIT, SETTLE_LIMIT, User, run, until, until_some};

#[test]
fn an_app_lives_and_goes_over_http_alone() {
    life_over_http(&Api::of);
}

#[test]
fn a_webhook_builds_the_commit_it_tells_of() {
    webhook(&Api::of);
}

#[test]
fn an_empty_wallet_stops_an_app_and_a_top_up_brings_it_back() {
    wallet(&Api::of);
}

/// How a test comes by a client of the API.
type Client<'a> = &'a dyn Fn(&Instance, &User) -> Api;

pub(crate) fn life_over_http(client: Client<'_>) {
    let app = App::probe("http");
    let api = client(&app.instance, &app.user);
    let made = api.post("/api/paas/apps", &json!({ "slug": app.slug, "organization": app.instance.organization }));
    let path = format!("/api/paas/apps/{}", made.is(201)["slug"].as_str().expect("has a slug"));
    let var = json!({ "vars": { "GREETING": "hello" } });
    assert_eq!(api.json("PATCH", &format!("{path}/env"), &var).is(200)["set"], json!(["GREETING"]));

    let archive = run(&mut app.repository.command(&app.user, &["archive", "--format=tar.gz", "HEAD"]), COMMAND_LIMIT);
    let type_ = [("Content-Type", "application/octet-stream")];
    let queued = api.send("POST", &format!("{path}/deploy/archive"), &type_, &archive.success().stdout).is(202);
    let deployment = finished(&api, &queued["deployment_id"]);
    assert_eq!(deployment["succeeded"], true, "{deployment}");
    app.wait_for_page("one");
    let shown = api.get(&format!("{path}/deployments/{}", text(&queued["deployment_id"]))).is(200);
    assert_eq!((&shown["trigger"], &shown["version"], &shown["is_current"]), (&json!("api"), &json!(1), &json!(true)));
    let stages: Vec<&str> =
        shown["stages"].as_array().expect("a list").iter().map(|stage| text(&stage["stage"])).collect();
    assert_eq!(stages, ["receive", "build", "package", "deploy"]);
    assert_eq!(app.page("/env?name=GREETING"), "hello");

    let engine = Engine::of(&app.instance);
    let dry = api.post(&format!("{path}/scale?dry_run=true"), &json!({ "processes": { "web": 0 } })).is(200);
    let cost = [&dry["cost_per_hour_before"], &dry["cost_per_hour_after"]];
    assert_eq!(cost.map(text), ["0.006900", "0.000000"], "{dry}");
    assert_eq!(engine.tasks(&app.slug, "web").len(), 1);

    job(&api, &api.post(&format!("{path}/stop"), &Value::Null).is(202));
    until("nothing of it runs", SETTLE_LIMIT, || engine.tasks(&app.slug, "web").is_empty());
    assert!(app.get("/").text().contains("stopped"));
    job(&api, &api.post(&format!("{path}/start"), &Value::Null).is(202));
    app.wait_for_page("one");

    assert!(api.json("DELETE", &path, &json!({ "confirm": "another" })).status >= 400);
    assert_eq!(app.page("/"), "one");
    api.json("DELETE", &path, &json!({ "confirm": app.slug })).is(202);
    until("it is gone", SETTLE_LIMIT, || api.get(&path).status == 404);
    let label = format!("skypanel.app={}", app.slug);
    for kind in ["network", "secret", "container"] {
        until(&format!("no {kind} of it is left"), SETTLE_LIMIT, || engine.list(kind, &[&label]).is_empty());
    }
}

pub(crate) fn webhook(client: Client<'_>) {
    // The platform is the Git host, too: one app's repository is what the other is built from.
    let origin = App::probe("origin");
    origin.push().live();
    let _network = origin.instance.set("network.allowed", "127.0.0.0/8");
    let app = App::probe("hooked");
    let api = client(&app.instance, &app.user);
    api.post("/api/paas/apps", &json!({ "slug": app.slug, "organization": app.instance.organization })).is(201);
    let path = format!("/api/paas/apps/{}", app.slug);
    let key = api.post(&format!("{path}/repository/deploy-key"), &Value::Null).is(201);
    let reader = client(&app.instance, &User::member(&app.instance, &app.instance.organization, "viewer"));
    reader.post("/api/me/ssh-keys", &json!({ "public_key": key["public_key"] })).is(201);
    let repository = json!({ "git_url": app.user.remote(&origin.slug), "git_branch": "main", "auto_deploy": true });
    api.json("PATCH", &format!("{path}/repository"), &repository).is(200);
    let hook = api.post(&format!("{path}/webhooks"), &json!({ "provider": "github" })).is(201);

    let told = origin.version("two");
    origin.push().live();
    origin.version("three");
    origin.push().live();
    let push = json!({ "ref": "refs/heads/main", "after": told, "head_commit": { "id": told, "message": "two" } });
    let delivered = deliver(&api, &hook, "delivery-1", &push).is(202);
    let deployment = finished(&api, &delivered["deployment_id"]);
    assert_eq!(deployment["succeeded"], true, "{deployment}");
    app.wait_for_page("two");
    let again = deliver(&api, &hook, "delivery-1", &push).is(200);
    assert_eq!((&again["seen_before"], &again["deployment_id"]), (&json!(true), &delivered["deployment_id"]));
    let skipped =
        json!({ "ref": "refs/heads/main", "after": told, "head_commit": { "id": told, "message": "x [skip ci]" } });
    assert_eq!(deliver(&api, &hook, "delivery-2", &skipped).is(200)["outcome"], "ignored");
    let releases = api.get(&format!("{path}/deployments")).is(200);
    assert_eq!(releases["items"].as_array().map(Vec::len), Some(1), "{releases}");
    assert_eq!(
        (&releases["items"][0]["trigger"], &releases["items"][0]["git_commit"]),
        (&json!("webhook"), &json!(told))
    );
}

pub(crate) fn wallet(client: Client<'_>) {
    let instance = Instance::attach();
    let organization = reference("prepaid");
    let owner = User::member(&instance, &organization, "owner");
    let app = App::with_user(instance.clone(), owner, "wallet");
    app.repository.copy_from(&skypanel_e2e::root().join("e2e/apps/probe"));
    app.version("one");
    app.push().live();
    let admin = client(&instance, &User::admin(&instance));
    let ledger = format!("/api/admin/paas/organizations/{organization}/ledger");
    let move_money = |kind: &str, amount: &str, reference: &str| {
        admin.post(&ledger, &json!({ "kind": kind, "amount": amount, "reference": reference })).is(201)
    };
    let _ = move_money("top_up", "5", &reference("first"));
    let _billing = instance.set("billing.enabled", "true");
    let engine = Engine::of(&instance);
    let _ = move_money("adjustment", "-5", &reference("correction"));
    until("it stopped", PUSH_LIMIT, || engine.tasks(&app.slug, "web").is_empty());
    let page = app.get("/");
    assert!(page.status == 503 && page.text().to_lowercase().contains("suspended"), "{page:?}");
    let info = app.command("apps:info", &[]).success().out();
    assert!(info.contains("suspended") && info.contains("wallet"), "{info}");
    app.version("two");
    assert!(!app.push().0.ok(), "nothing is deployed while the wallet is empty");
    let _ = move_money("top_up", "5", &reference("second"));
    app.wait_for_page("one");
    assert_eq!(engine.tasks(&app.slug, "web").len(), 1);
}

/// A name that no other run has: payments are taken once, and each wallet begins empty.
fn reference(name: &str) -> String {
    static RUN: AtomicU32 = AtomicU32::new(0);
    format!("{name}-{}-{}", std::process::id(), RUN.fetch_add(1, Ordering::Relaxed))
}

/// Posts a GitHub push as GitHub does.
#[track_caller]
fn deliver(api: &Api, hook: &Value, delivery: &str, push: &Value) -> skypanel_e2e::Answer {
    let url = text(&hook["url"]);
    let path = &url[url.find("/api/").expect("is an address of the API")..];
    let body = push.to_string();
    let mut openssl = Command::new("openssl");
    openssl.args(["dgst", "-sha256", "-r", "-hmac", text(&hook["secret"])]);
    let file = tempfile::NamedTempFile::new().expect("a temporary file");
    std::fs::write(file.path(), &body).expect("is written");
    let digest = run(openssl.arg(file.path()), COMMAND_LIMIT).success().out();
    let signature = format!("sha256={}", digest.split(' ').next().expect("a digest"));
    let headers = [
        ("Content-Type", "application/json"),
        ("X-GitHub-Event", "push"),
        ("X-GitHub-Delivery", delivery),
        ("X-Hub-Signature-256", &signature),
    ];
    api.send("POST", path, &headers, body.as_bytes())
}

/// Waits for the end of the job that an answer names, which must go well.
#[track_caller]
fn job(api: &Api, answer: &Value) {
    let done = finished(api, &answer["job_id"]);
    assert_eq!(done["succeeded"], true, "{done}");
}

/// A job once it is done.
#[track_caller]
fn finished(api: &Api, id: &Value) -> Value {
    let path = format!("/api/paas/jobs/{}", text(id));
    until_some("the job is done", PUSH_LIMIT, || {
        let job = api.get(&path).is(200);
        (job["state"] == "done").then_some(job)
    })
}

#[track_caller]
fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("{value} is not text"))
}
