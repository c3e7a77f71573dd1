//! `--json`: what programs read, of what is answered at once, of what goes on for a while, and of what is refused.

use serde_json::json;
use skypanel_core::model::{AppStatus, Role};
use skypanel_core::store::NewUser;

use crate::commands::released;
use crate::worker::Script;
use crate::world::World;

#[tokio::test]
async fn what_is_answered_at_once_is_one_document() {
    let world = World::new().await;
    assert_eq!(world.ssh("apps --json").await.ok().json(), json!({ "items": [], "next_cursor": null }));
    let made = world.ssh("apps:create shop --json").await.ok().json();
    assert_eq!((&made["slug"], &made["status"], &made["plan"]), (&json!("shop"), &json!("inactive"), &json!("hobby")));
    let listed = world.ssh(" --json apps").await.ok().json();
    assert_eq!(listed["items"], json!([made]));
    assert_eq!(world.ssh("apps --status running --json").await.ok().json()["items"], json!([]));
    let shown = world.ssh("apps info shop --json").await.ok().json();
    assert_eq!((&shown["id"], &shown["host"]), (&made["id"], &json!("shop.localhost")));
    let formation = world.ssh("ps:scale -a shop --json").await.ok().json();
    assert_eq!(formation, json!({ "formation": { "web": 1 } }));

    world.ssh("config:set -a shop --json A=s3cr3t").await.ok().says_not("s3cr3t");
    let vars = world.ssh("config -a shop --json").await.ok().json();
    assert_eq!(vars["items"][0]["key"], "A");
    let keys = world.ssh("keys --json").await.ok().json();
    assert_eq!(keys["items"][0]["name"], "user");
    released(&world, "shop").await;
    let releases = world.ssh("releases -a shop --json").await.ok().json();
    let release = &releases["items"][0];
    assert_eq!((&release["version"], &release["is_current"]), (&json!(1), &json!(true)), "{release:#}");
    assert_eq!(release["created_by"], "ada@example.com");
    let events = world.ssh("events -a shop --json").await.ok().json();
    let kinds: Vec<&str> =
        events["items"].as_array().expect("a list").iter().filter_map(|event| event["kind"].as_str()).collect();
    assert!(kinds.contains(&"create") && kinds.contains(&"config"), "{kinds:?}");
    world.ssh("events").await.ok().says(&["KIND", "shop", "Created", "ada@example.com"]);
    let processes = world.ssh("ps -a shop --json").await.ok().json();
    assert_eq!(processes["items"][1]["error"], "exit 1");
    let logs = world.ssh("logs -a shop --json").await.ok().documents();
    assert_eq!(logs.len(), 3);
    assert_eq!((&logs[2]["process"], &logs[2]["text"]), (&json!("web.1"), &json!("last")));
    world.close().await;
}

#[tokio::test]
async fn what_goes_on_is_a_document_for_each_piece_and_one_for_the_end() {
    let world = World::new().await;
    released(&world, "shop").await;
    world.store().set_app_status(world.app("shop").await.id, AppStatus::Running).await.expect("sets");
    world.script([Script::succeeds("-----> Gr\u{f6}\u{df}e\n"), Script::fails(" !     No.\n")]);
    let said = world.ssh("config:set -a shop A=1 --json").await.ok().documents();
    assert_eq!((&said[0]["set"], said[0]["deployment_id"].is_string()), (&json!(["A"]), true), "{said:?}");
    assert_eq!(said[1..], [json!({ "output": "-----> Gr\u{f6}\u{df}e\n" }), json!({ "succeeded": true })]);
    let said = world.ssh("ps:restart -a shop --json").await.failed();
    assert_eq!(said.status, Some(1));
    let said = said.documents();
    assert_eq!((&said[0]["app"], said[0]["job_id"].is_string()), (&json!("shop"), true), "{said:?}");
    assert_eq!(said[1..], [json!({ "output": " !     No.\n" }), json!({ "succeeded": false })]);
    let nothing = world.ssh("config:set -a shop A=1 --json").await.ok().documents();
    assert_eq!(nothing, [json!({ "set": [], "unset": [], "deployment_id": null })]);
    let purged = world.ssh("cache:purge -a shop --json").await.ok().documents();
    assert_eq!(purged.last(), Some(&json!({ "succeeded": true })));
    let destroyed = world.ssh_with_input(&[], "apps:destroy shop --json", b"shop").await.ok().documents();
    assert_eq!(destroyed[0]["app_status"], "deleting");
    assert_eq!(destroyed[1], json!({ "succeeded": true }));
    world.close().await;
}

#[tokio::test]
async fn what_is_refused_is_a_code_and_words() {
    let world = World::new().await;
    world.ssh("apps:info missing --json").await.refused("NOT_FOUND").says(&["There is no app"]);
    world.ssh(" --json nonsense").await.refused("NOT_FOUND").says(&["Unknown command"]);
    world.ssh("ps:scale --json -a shop --bogus").await.refused("INVALID_INPUT").says(&["--bogus"]);
    world.ssh("config --json").await.refused("INVALID_INPUT").says(&["Say which app"]);
    world.ssh("config --json TOKEN=s3cr3t").await.refused("INVALID_INPUT").says_not("s3cr3t");
    world.ssh("apps:create Shop --json").await.refused("INVALID_INPUT");
    world.ssh("apps:create shop --json").await.ok();
    world.ssh("apps:create shop --json").await.refused("SLUG_TAKEN");
    let said = world.ssh("apps:destroy shop --confirm other --json").await.refused("INVALID_INPUT");
    said.says(&["\"fields\":{\"confirm\":"]);
    // A command to run has its own output, and its own options.
    world.ssh("run --json -a shop ls").await.failed().says(&["there is no --json for it"]);
    released(&world, "shop").await;
    let said = world.ssh("run -a shop ls --json").await.failed();
    assert_eq!((said.status, said.stdout.as_str()), (Some(7), "ran ls --json\n"));
    world.close().await;
}

#[tokio::test]
async fn viewers_look_and_outsiders_find_nothing() {
    let world = World::new().await;
    world.ssh("apps:create shop").await.ok();
    world.member("viewer", Role::Viewer).await;
    let outsider = NewUser { email: "eve@example.com", password: "a long password", is_admin: false };
    let outsider = world.store().create_user(outsider).await.expect("makes a user");
    world.key("outsider", Some(&outsider)).await;
    let id = uuid::Uuid::new_v4();
    for looks in [
        "apps:info",
        "builds",
        "config",
        "config:export",
        "domains",
        "drains",
        "ps:plan",
        "ps",
        "releases",
        "repo",
        "webhooks",
    ] {
        world.ssh_as("viewer", &format!("{looks} --app shop --json")).await.ok().json();
        let said = world.ssh_as("outsider", &format!("{looks} --app shop --json")).await;
        said.refused("NOT_FOUND").says(&["There is no app"]);
    }
    for changes in [
        "apps:edit --title Shop".to_owned(),
        "builds:cancel".to_owned(),
        "cache:purge".to_owned(),
        "config:import".to_owned(),
        "deploy".to_owned(),
        "deploy:again".to_owned(),
        "deploy:archive".to_owned(),
        "domains:add www.example.com".to_owned(),
        "domains:redirect off".to_owned(),
        format!("domains:remove {id}"),
        "domains:verify www.example.com".to_owned(),
        "drains:add syslog://93.184.216.34:514".to_owned(),
        format!("drains:remove {id}"),
        "ps:plan standard".to_owned(),
        "ps:restart".to_owned(),
        "ps:scale web=1 --dry-run".to_owned(),
        "repo:check".to_owned(),
        "repo:key".to_owned(),
        "repo:set --branch next".to_owned(),
        "rollback".to_owned(),
        "webhooks:create github".to_owned(),
        format!("webhooks:remove {id}"),
        format!("webhooks:replay {id} {id}"),
        format!("webhooks:rotate {id}"),
    ] {
        let said = world.ssh_as("viewer", &format!("{changes} -a shop --json")).await;
        said.refused("FORBIDDEN").says(&["this needs the role developer"]);
        let said = world.ssh_as("outsider", &format!("{changes} -a shop --json")).await;
        said.refused("NOT_FOUND").says(&["There is no app"]);
    }
    for others in [
        "wallet",
        "wallet:alerts",
        "wallet:alerts --budget 1",
        "wallet:ledger",
        "usage",
        "invoices",
        "members",
        "invitations",
        "invoices:show 2026-11",
    ] {
        world.ssh_as("outsider", &format!("{others} --org acme --json")).await.refused("NOT_FOUND");
    }
    world.ssh_as("viewer", "members:invite a@example.com --json").await.refused("FORBIDDEN");
    world.ssh_as("viewer", "invitations --json").await.refused("FORBIDDEN");
    world.ssh_as("viewer", "wallet:alerts --hours 1 --json").await.refused("FORBIDDEN");
    world.ssh_as("viewer", "orgs:edit --app-creation off --json").await.refused("FORBIDDEN");
    for admins in ["admin:overview", "admin:topup acme 5", "admin:users", "admin:settings:set billing.enabled=true"] {
        world.ssh(&format!("{admins} --json")).await.refused("FORBIDDEN").says(&["Only an admin of the platform"]);
    }
    assert!(world.worker.done().is_empty());
    world.close().await;
}
