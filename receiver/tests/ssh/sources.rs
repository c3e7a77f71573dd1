//! Commands about what is deployed: repositories elsewhere, archives, webhooks, `.env` files, builds and releases.

use serde_json::{Value, json};
use skypanel_core::model::WebhookProvider;
use skypanel_core::webhook::{Call, sign_generic};

use crate::commands::released;
use crate::git_hosts::Origin;
use crate::git_hosts::http::{HttpHost, Manners};
use crate::worker::Script;
use crate::world::World;

/// An app `shop` in a world that fetches from this machine.
async fn world() -> World {
    let world = World::new().await;
    for (key, value) in [("network.allowed", "127.0.0.0/8"), ("git.allow_http", "true")] {
        world.store().set_setting(key, value).await.expect("is set");
    }
    world.ssh("apps:create shop").await.ok();
    world
}

#[tokio::test]
async fn an_app_is_connected_to_a_repository_and_deployed_from_it() {
    let world = world().await;
    let origin = Origin::new();
    let login = Some(("x-access-token".to_owned(), "t0ken".to_owned()));
    let host = HttpHost::serve(origin.root().to_owned(), Manners { login, ..Manners::default() }).await;
    let url = host.url("127.0.0.1");
    world.ssh("repo -a shop").await.ok().says(&["none: it is only pushed to"]);
    world.ssh("deploy -a shop --json").await.refused("CONFLICT").says(&["has no Git URL"]);
    world.ssh("deploy:again -a shop --json").await.refused("NOT_FOUND").says(&["Nothing was built of shop lately"]);
    world.ssh(&format!("repo:set -a shop {url} --json")).await.refused("INVALID_GIT_URL").says(&["\"fields\""]);
    let set = world.ssh_with_input(&[], &format!("repo:set -a shop {url} --token"), b"t0ken\n").await.ok();
    set.says(&["-----> Connected shop", &url, "of x-access-token"]).says_not("t0ken");
    let typed = world.ssh_with_terminal("repo:set -a shop --token", &[b"t0ken\r"]).await.ok();
    typed.says(&["Paste the token: ", "-----> Connected shop"]).says_not("t0ken");
    world.ssh("repo:set -a shop --branch none --json").await.refused("INVALID_GIT_URL").says(&["git_branch"]);
    let set = world.ssh("repo:set -a shop --auto-deploy on --json").await.ok().json();
    assert_eq!((&set["git_url"], &set["auto_deploy"], &set["has_token"]), (&json!(url), &json!(true), &json!(true)));
    world.ssh("repo:check -a shop").await.ok().says(&["can be reached and has the branch main"]);
    let key = world.ssh("repo:key -a shop --json").await.ok().json();
    assert!(key["public_key"].as_str().expect("has one").starts_with("ssh-ed25519 "), "{key}");
    world.ssh("repo:key -a shop").await.ok().says(&["-----> Made a deploy key", "skypanel-shop"]);

    world.script([Script::succeeds("-----> Launched v1\n"), Script::fails(" !     Broken.\n")]);
    let said = world.ssh("deploy -a shop").await.ok();
    said.says(&["-----> Deploying shop from its repository", "-----> Launched v1"]);
    let commit = "0123456789abcdef0123456789abcdef01234567";
    let failed = world.ssh(&format!("deploy -a shop {commit} --no-cache --json")).await.failed().documents();
    assert_eq!(failed.last(), Some(&json!({ "succeeded": false })));
    let id = failed[0]["deployment_id"].as_str().expect("has one");
    world.ssh("deploy -a shop 0123 --json").await.failed();

    let builds = world.ssh("builds -a shop --json").await.ok().json();
    let statuses: Vec<&Value> =
        builds["items"].as_array().expect("a list").iter().map(|build| &build["status"]).collect();
    assert_eq!(statuses, ["failed", "succeeded"]);
    assert_eq!((&builds["items"][0]["id"], &builds["items"][0]["git_commit"]), (&json!(id), &json!(commit)));
    world.ssh("builds -a shop").await.ok().says(&["ID", id, "v1", "failed"]);
    assert_eq!(world.ssh("builds:log -a shop").await.ok().stdout, " !     Broken.\n");
    let log = world.ssh("builds:log -a shop v1 --json").await.ok().json();
    assert_eq!((&log["log"], &log["complete"]), (&json!("-----> Launched v1\n"), &json!(true)));
    world.ssh("builds:log -a shop v9 --json").await.refused("NOT_FOUND");
    let shown = world.ssh(&format!("releases:info -a shop {id}")).await.ok();
    shown.says(&["Status:", "failed", "Commit:", commit, "it was told to fail"]);
    let shown = world.ssh("releases:info -a shop v1 --json").await.ok().json();
    assert_eq!((&shown["app"], &shown["version"]), (&json!("shop"), &json!(1)));
    assert_eq!((&shown["processes"], shown["stages"].is_array()), (&json!({ "web": "serve" }), true));
    world.ssh("releases:info -a shop v1").await.ok().says(&[
        "=== shop v1",
        "current",
        "web: serve",
        "Buildpack:",
        "static",
    ]);

    let job = world.ssh(&format!("jobs:info {id} --json")).await.ok().json();
    assert_eq!((&job["state"], &job["succeeded"]), (&json!("done"), &json!(false)));
    world.ssh(&format!("jobs:info {id}")).await.ok().says(&["It failed."]);
    assert_eq!(world.ssh(&format!("jobs:follow {id}")).await.failed().stdout, " !     Broken.\n");
    world.ssh(&format!("jobs:info {} --json", uuid::Uuid::new_v4())).await.refused("NOT_FOUND");
    world.ssh(&format!("builds:cancel -a shop {id}")).await.ok().says(&["Nothing of shop is being built"]);
    world.close().await;
}

/// A `tar` with one file.
pub(crate) fn archive(name: &str, content: &[u8]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_size(content.len() as u64);
    header.set_mode(0o644);
    builder.append_data(&mut header, name, content).expect("adds");
    builder.into_inner().expect("ends")
}

#[tokio::test]
async fn an_archive_is_deployed_whole() {
    let world = world().await;
    // More than fits between the connection and the command at a time.
    let content: Vec<u8> = (0..12_000_000u32).map(|number| (number.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let line = "deploy:archive -a shop --description 1.2.3";
    let said = world.ssh_with_input(&[], line, &archive("large.bin", &content)).await.ok();
    said.says(&["-----> Deploying an archive to shop", "-----> Done"]);
    let source = world.source(world.worker.deployments()[0]);
    assert!(source[&b"large.bin"[..]].1 == content, "it is stored as it was sent");
    world.ssh("releases -a shop").await.ok().says(&["Deploy 1.2.3"]);
    let said = world.ssh_with_input(&[], "deploy:archive -a shop --json", &archive("a", b"1")).await.ok().documents();
    assert!(said[0]["deployment_id"].is_string() && said[0]["superseded"] == json!([]), "{said:?}");
    let said = world.ssh_with_input(&[], "deploy:archive -a shop --json", b"no archive").await;
    said.refused("INVALID_INPUT");
    assert_eq!(world.worker.deployments().len(), 2);
    let said = world.ssh("deploy:again -a shop --no-cache").await.ok();
    said.says(&["-----> shop: Deploy an uploaded archive again", "-----> Done"]);
    let again = world.store().deployment(world.worker.deployments()[2]).await.expect("is there");
    assert!(again.no_cache && again.source_id == Some(world.worker.deployments()[1]));
    world.ssh("deploy:again v1 -a shop").await.ok().says(&["-----> shop: Deploy 1.2.3 again"]);
    world.store().set_setting("git.max_pack_mb", "1").await.expect("sets");
    let said = world.ssh_with_input(&[], "deploy:archive -a shop", &archive("large.bin", &content)).await.failed();
    said.says(&["larger than 1 MiB"]);
    world.close().await;
}

#[tokio::test]
async fn webhooks_are_made_rotated_looked_at_and_removed() {
    let world = world().await;
    world.ssh("webhooks -a shop").await.ok().says(&["shop has no webhooks."]);
    world.ssh("webhooks:create -a shop sourceforge").await.failed().says(&["github, gitlab, gitea, generic"]);
    let said = world.ssh("webhooks:create -a shop github").await.ok();
    said.says(&["-----> Made a webhook", "Address: https://paas.example/api/webhooks/github/", "Secret:"]);
    let made = world.ssh("webhooks:create -a shop generic --json").await.ok().json();
    let id = made["id"].as_str().expect("has one");
    let url = made["url"].as_str().expect("has one");
    let rotated = world.ssh(&format!("webhooks:rotate -a shop {id} --json")).await.ok().json();
    assert_ne!(rotated["secret"], made["secret"]);
    assert!(rotated["old_secret_until"].is_string());

    let deliveries = format!("webhooks:deliveries -a shop {id}");
    world.ssh(&deliveries).await.ok().says(&["It was never called."]);
    let (body, now) = (br#"{"ref": "main", "message": "One"}"#, chrono::Utc::now().timestamp());
    let secret = rotated["secret"].as_str().expect("has one");
    let headers = [
        ("x-skypanel-timestamp".to_owned(), now.to_string()),
        ("x-skypanel-delivery".to_owned(), "1".to_owned()),
        ("x-skypanel-signature".to_owned(), sign_generic(secret.as_bytes(), now, body)),
    ];
    let call = Call { provider: WebhookProvider::Generic, headers: &headers, body };
    let token = url.rsplit('/').next().expect("has one");
    world.actions.receive_webhook(token, call, None, None).await.expect("is taken");
    let calls = world.ssh(&format!("{deliveries} --json")).await.ok().json();
    let call = &calls["items"][0];
    assert_eq!((&call["outcome"], &call["git_branch"]), (&json!("ignored"), &json!("main")), "{call:#}");
    world.ssh(&deliveries).await.ok().says(&["CALL", "ignored", "switched off"]);
    let replay = format!("webhooks:replay -a shop {id} {}", call["id"].as_str().expect("has one"));
    world.ssh(&replay).await.ok().says(&["-----> ignored:"]);
    assert_eq!(world.ssh(&format!("{replay} --json")).await.ok().json()["replay_of"], call["id"]);

    let listed = world.ssh("webhooks -a shop --json").await.ok().says_not(secret).json();
    assert_eq!(listed["items"].as_array().map(Vec::len), Some(2));
    world.ssh("webhooks -a shop").await.ok().says(&["PROVIDER", "github", "generic", url]);
    world.ssh(&format!("webhooks:remove -a shop {id}")).await.ok().says(&["-----> Removed the webhook"]);
    world.ssh(&format!("webhooks:remove -a shop {id} --json")).await.refused("NOT_FOUND");
    world.close().await;
}

#[tokio::test]
async fn config_vars_come_from_a_file_and_go_into_one_without_values() {
    let world = world().await;
    released(&world, "shop").await;
    world.ssh("config:set -a shop OLD=1").await.ok();
    let file = b"# of the shop\nexport GREETING=\"hello\nthere\"\nTOKEN='s3cr3t'\n";
    let said = world.ssh_with_input(&[], "config:import -a shop", file).await.ok();
    said.says(&["-----> Set GREETING, TOKEN, restarting shop"]).says_not("s3cr3t");
    let (_, vars) = world.store().config_vars(world.app("shop").await.id).await.expect("opens");
    assert_eq!(vars.get(&"GREETING".parse().expect("a key")).expect("is set").as_slice(), b"hello\nthere");
    assert_eq!(world.ssh("config:export -a shop").await.ok().stdout, "GREETING=\nOLD=\nTOKEN=\n");
    assert_eq!(world.ssh("config:export -a shop --json").await.ok().json()["text"], "GREETING=\nOLD=\nTOKEN=\n");
    let said = world.ssh_with_input(&[], "config:import -a shop --replace --json", b"GREETING=hi\n").await.ok();
    assert_eq!(said.documents()[0]["unset"], json!(["OLD", "TOKEN"]));
    assert_eq!(world.worker.deployments().len(), 4, "a release for each change");
    let said = world.ssh_with_input(&[], "config:import -a shop --json", b"A=1\nlower s3cr3t\n").await;
    said.refused("INVALID_INPUT").says(&["line 2"]).says_not("s3cr3t");
    assert_eq!(world.worker.deployments().len(), 4);
    world.close().await;
}

#[tokio::test]
async fn an_app_is_changed() {
    let world = world().await;
    let made =
        world.ssh("apps:create other --plan standard --replicas 2 --buildpack heroku/go --json").await.ok().json();
    assert_eq!((&made["plan"], &made["replicas"]), (&json!("standard"), &json!(2)));
    assert_eq!(made["buildpack"], "heroku/go");
    let edited =
        world.ssh("apps:edit -a shop --title 'The shop' --health-check /ready --health-retries 5 --json").await;
    let edited = edited.ok().json();
    assert_eq!((&edited["name"], &edited["slug"]), (&json!("The shop"), &json!("shop")));
    assert_eq!((&edited["health_check_path"], &edited["health_check_retries"]), (&json!("/ready"), &json!(5)));
    assert_eq!(edited["job_id"], Value::Null);
    world.ssh("apps:edit -a shop --branch next").await.ok().says(&["-----> shop is as you want it"]);
    world.ssh("apps:info shop").await.ok().says(&["Deploy branch:", "next", "/ready"]);
    world.ssh("apps:edit -a shop --health-check ready --json").await.refused("INVALID_INPUT");
    let asked = "--health-protocol http --health-port 9090 --health-status 200-204";
    let edited = world.ssh(&format!("apps:edit -a shop {asked} --json")).await.ok().json();
    assert_eq!((&edited["health_check_protocol"], &edited["health_check_port"]), (&json!("http"), &json!(9090)));
    assert_eq!(edited["health_check_expected_status"], "200-204");
    world.ssh("apps:info shop").await.ok().says(&["/ready, on port 9090, healthy with 200-204"]);
    for wrong in ["--health-protocol icmp", "--health-port 65536", "--health-status 2xx"] {
        world.ssh(&format!("apps:edit -a shop {wrong} --json")).await.refused("INVALID_INPUT");
    }
    world.close().await;
}

#[tokio::test]
async fn log_drains_are_added_listed_and_removed() {
    let world = world().await;
    world.ssh("drains -a shop").await.ok().says(&["shop has no log drains."]);
    world.ssh("drains:add -a shop syslog://10.1.2.3:514").await.failed().says(&["in a private network"]);
    world.ssh("drains:add -a shop ftp://x").await.failed().says(&["syslog+tls://logs.example.com:6514"]);
    let said = world.ssh("drains:add -a shop https://me:s3cr3t@93.184.216.34/in").await.ok().says_not("s3cr3t");
    said.says(&["-----> Forwarding the log of shop to https://93.184.216.34:443", "drains:remove -a shop "]);
    let listed = world.ssh("drains -a shop --json").await.ok().says_not("s3cr3t").json();
    let id = listed["items"][0]["id"].as_str().expect("has one").parse().expect("is an id");
    world.ssh("drains -a shop").await.ok().says(&["ID", "TO", "STATE", "works"]);
    let (id, now) = (skypanel_core::model::LogDrainId(id), chrono::Utc::now());
    world.store().note_log_drain(id, Some("It answered 503:\u{1b}[31m no"), now).await.expect("is noted");
    world.ssh("drains -a shop").await.ok().says(&["fails since", "It answered 503:"]).says_not("\u{1b}[31m");
    world
        .ssh(&format!("drains:remove -a shop {id}"))
        .await
        .ok()
        .says(&["is not forwarded to https://93.184.216.34:443"]);
    world.ssh(&format!("drains:remove -a shop {id} --json")).await.refused("NOT_FOUND");
    world.close().await;
}
