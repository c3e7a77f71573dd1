//! Commands of the platform's admins.

use serde_json::json;
use skypanel_core::model::{AppStatus, Role};
use skypanel_core::store::NewUser;

use crate::commands::released;
use crate::world::World;

/// A platform with the app `shop` and the admin `root`, who is in no organisation.
async fn platform() -> World {
    let world = World::new().await;
    let root = NewUser { email: "root@example.com", password: "a long password", is_admin: true };
    let root = world.store().create_user(root).await.expect("makes a user");
    world.key("root", Some(&root)).await;
    world
}

#[tokio::test]
async fn admins_see_all_of_the_platform() {
    let world = platform().await;
    let empty = world.ssh_as("root", "admin:overview --json").await.ok().json();
    assert_eq!((&empty["applications"]["total"], &empty["users"]["admins"]), (&json!(0), &json!(1)));
    assert_eq!(empty["deployments"]["failed"], 0);
    released(&world, "shop").await;
    world.store().set_app_status(world.app("shop").await.id, AppStatus::Running).await.expect("sets");
    world.ssh_as("root", "admin:overview").await.ok().says(&["Apps:", "1: 1 running", "An hour costs:", "$0.0069"]);
    let said = world.ssh_as("root", "admin:overview").await.ok();
    said.says(&["Nodes:", "1: 1 ready", "waiting, the first for"]);
    world.ssh_as("root", "admin:apps").await.ok().says(&["shop", "running", "acme", "hobby"]);
    assert_eq!(world.ssh_as("root", "admin:apps --search none --json").await.ok().json()["items"], json!([]));
    let organizations = world.ssh_as("root", "admin:orgs --json").await.ok().json();
    assert_eq!((&organizations["items"][0]["name"], &organizations["items"][0]["apps"]), (&json!("acme"), &json!(1)));
    world.ssh_as("root", "admin:orgs --search cm").await.ok().says(&["acme", "active", "1 (1 run)"]);
    let shown = world.ssh_as("root", "admin:orgs:info acme --json").await.ok().json();
    assert_eq!(shown, organizations["items"][0]);
    let said = world.ssh_as("root", "admin:orgs:info acme").await.ok();
    said.says(&["=== acme", "active", "1, 1 run, 0 are suspended", "$0.0069 an hour", "apps default"]);
    world.ssh_as("root", "admin:orgs:info nobody --json").await.refused("NOT_FOUND");
    assert_eq!(world.ssh_as("root", "admin:apps --org acme --json").await.ok().json()["items"][0]["slug"], "shop");
    world.ssh_as("root", "admin:nodes").await.ok().says(&[
        "one",
        "manager, leads",
        "ready",
        "0.50 of 2.000",
        "1024 of 4096 MB",
    ]);
    let nodes = world.ssh_as("root", "admin:nodes --json").await.ok().json();
    assert_eq!(nodes["items"][0]["usage"]["containers"], 5.0);
    assert_eq!((&nodes["items"][0]["id"], &nodes["items"][0]["replicas"]), (&json!("node1"), &json!(3)));
    let audit = world.ssh_as("root", "admin:audit --action app.create --json").await.ok().json();
    assert_eq!((&audit["items"][0]["actor"], &audit["items"][0]["via"]), (&json!("ada@example.com"), &json!("ssh")));
    for (only, is_listed) in [
        ("--user ada@example.com --org acme --kind app --address 127.0.0.1", true),
        ("--user root@example.com", false),
        ("--since 2999-01-01T00:00:00Z", false),
        ("--until 2999-01-01T00:00:00Z", true),
        ("--address 192.0.2.1", false),
    ] {
        let audit = world.ssh_as("root", &format!("admin:audit --action app.create {only} --json")).await.ok().json();
        assert_eq!(audit["items"] != json!([]), is_listed, "{only}");
    }
    world.ssh_as("root", "admin:audit").await.ok().says(&["app.create", "ada@example.com", "ssh"]);
    world.close().await;
}

#[tokio::test]
async fn organisations_are_suspended_limited_paid_for_and_deleted() {
    let world = platform().await;
    released(&world, "shop").await;
    world.store().set_app_status(world.app("shop").await.id, AppStatus::Running).await.expect("sets");
    world.ssh_as("root", "admin:suspend acme --reason 'no answer'").await.ok().says(&["-----> Suspended acme"]);
    assert_eq!(world.app("shop").await.status, AppStatus::Suspended);
    world.ssh("apps:info shop").await.ok().says(&["Suspended: admin"]);
    let resumed = world.ssh_as("root", "admin:resume acme --json").await.ok().json();
    assert_eq!((&resumed["name"], &resumed["suspended_at"]), (&json!("acme"), &json!(null)));
    assert_eq!(world.app("shop").await.status, AppStatus::Running);
    let limited = world.ssh_as("root", "admin:limit acme --apps 1 --builds 2 --json").await.ok().json();
    assert_eq!((&limited["max_apps"], &limited["max_concurrent_builds"]), (&json!(1), &json!(2)));
    world.ssh("apps:create other --json").await.refused("PLAN_LIMIT_REACHED");
    world.ssh_as("root", "admin:limit acme --apps default").await.ok().says(&["apps default", "builds at once 2"]);
    world.ssh_as("root", "admin:limit acme --apps many").await.failed().says(&["neither a number nor"]);

    world
        .ssh_as("root", "admin:topup acme 12.50 --reference PAY-12 --note gift")
        .await
        .ok()
        .says(&["top_up $12.5", "holds $12.5"]);
    world.ssh_as("root", "admin:refund acme 1").await.ok().says(&["holds $13.5"]);
    world.ssh_as("root", "admin:adjust acme -13.5").await.ok().says(&["holds $0"]);
    world.ssh_as("root", "admin:topup acme much").await.failed().says(&["is not an amount"]);
    world.ssh_as("root", "admin:topup nobody 1 --json").await.refused("NOT_FOUND");
    world.ssh_as("root", "admin:orgs:destroy acme --yes other --json").await.refused("INVALID_INPUT");
    world.ssh_as("root", "admin:orgs:destroy acme --yes acme --json").await.refused("CONFLICT");
    let heir = world.store().ensure_organization("heir").await.expect("makes one");
    let gone = world.ssh_as("root", "admin:orgs:destroy acme --yes acme --apps-to heir --json").await.ok().json();
    assert_eq!(gone, json!({ "is_gone": true, "destroyed": [], "reassigned": ["shop"] }));
    assert_eq!(world.app("shop").await.organization_id, heir.id);
    world.close().await;
}

#[tokio::test]
async fn users_settings_and_plans_are_changed() {
    let world = platform().await;
    world.member("bob", Role::Developer).await;
    world.ssh_as("root", "admin:users").await.ok().says(&["root@example.com", "admin", "bob@example.com", "acme"]);
    let found = world.ssh_as("root", "admin:users --search bob --json").await.ok().json();
    assert_eq!(found["items"][0]["organizations"][0]["role"], "developer");
    world.ssh_as("root", "admin:users:edit bob@example.com --locked on").await.ok().says(&["locked out"]);
    world.ssh_as("bob", "whoami").await.failed();
    let back =
        world.ssh_as("root", "admin:users:edit bob@example.com --locked off --admin on --json").await.ok().json();
    assert_eq!((&back["is_admin"], &back["disabled_at"]), (&json!(true), &json!(null)));
    world.ssh_as("bob", "admin:overview").await.ok();
    world.ssh_as("root", "admin:users:edit nobody@example.com --admin on --json").await.refused("NOT_FOUND");

    world.ssh_as("root", "admin settings").await.ok().says(&["SETTING", "git.max_pack_mb", "512"]);
    let set = world.ssh_as("root", "admin:settings:set git.max_pack_mb=64 --json").await.ok().json();
    let items = set["items"].as_array().expect("a list");
    let pack = items.iter().find(|item| item["key"] == "git.max_pack_mb").expect("is there");
    assert_eq!((&pack["value"], &pack["default"], &pack["is_set"]), (&json!(64), &json!(512), &json!(true)));
    world.ssh_as("root", "admin:settings:set git.max_pack_mb=none --json").await.refused("INVALID_INPUT");
    world.ssh_as("root", "admin:settings:set nonsense").await.failed().says(&["KEY=VALUE"]);
    world.ssh_as("root", "admin:settings:reset git.max_pack_mb").await.ok().says(&["git.max_pack_mb", "512"]);
    // Tried as if it were saved, and not saved.
    let bucket = "storage.backend=s3 storage.s3_endpoint=http://127.0.0.1:1 storage.s3_bucket=x";
    let tried = world.ssh_as("root", &format!("admin:settings:check {bucket} --json")).await;
    assert_eq!((tried.status, tried.json()["ok"].as_bool()), (Some(1), Some(false)), "{tried:?}");
    let tried = tried.json();
    let s3 = tried["checks"].as_array().expect("a list").iter().find(|check| check["part"] == "s3");
    assert_eq!(s3.expect("is there")["outcome"], "failed");
    world.ssh_as("root", "admin:settings").await.ok().says_not("127.0.0.1:1");
    world.ssh_as("root", "admin:settings:check nonsense").await.failed().says(&["KEY=VALUE"]);
    world.ssh_as("root", "admin:settings:check git.max_pack_mb=none --json").await.refused("INVALID_INPUT");
    let secret = world.ssh_as("root", "admin:settings:set storage.s3_secret_key=s3cr3t storage.s3_bucket=x").await;
    secret.says_not("s3cr3t");

    let plan = "admin:plans:create tiny --cores 0.25 --memory 256 --disk 5 --replicas 2 --price 0.001 --json";
    let plan = world.ssh_as("root", plan).await.ok().json();
    assert_eq!((&plan["name"], &plan["cpu_cores"]), (&json!("tiny"), &json!("0.25")));
    world.ssh_as("root", "admin:plans:edit tiny --price 0.002").await.ok().says(&["-----> Changed the plan tiny"]);
    world.ssh_as("root", "admin:plans").await.ok().says(&["APPS", "tiny", "$0.002", "hobby"]);
    world.ssh_as("root", "admin:plans:edit tiny --cores many --json").await.refused("INVALID_INPUT");
    world.ssh_as("root", "admin:plans:remove tiny").await.ok().says(&["-----> Removed the plan tiny"]);
    world.ssh_as("root", "admin:plans:remove tiny --json").await.refused("NOT_FOUND");
    world.close().await;
}
