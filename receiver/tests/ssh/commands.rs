//! The commands, as typed into `ssh`.

use std::time::Duration;

use skypanel_core::actions::Actor;
use skypanel_core::logs::{LogLevel, LogRecord, LogSource};
use skypanel_core::model::{AppRef, AppStatus, Trigger};
use skypanel_receiver::{Limits, SourceLimits};

use crate::worker::Script;
use crate::world::{World, eventually};

/// Every command there is to be, in the order `help` lists them.
const COMMANDS: &str = "\
    2fa 2fa:confirm 2fa:remove 2fa:setup admin:adjust admin:alerts admin:apps admin:audit admin:billing admin:billing:settle \
    admin:limit admin:nodes admin:notifications admin:notifications:add admin:notifications:edit \
    admin:notifications:messages admin:notifications:remove admin:notifications:rotate admin:notifications:test admin:orgs admin:orgs:destroy admin:orgs:info admin:overview admin:plans admin:plans:create admin:plans:edit admin:plans:remove \
    admin:refund admin:resume admin:settings admin:settings:check admin:settings:reset admin:settings:set \
    admin:suspend admin:topup admin:users admin:users:edit alerts apps apps:create apps:destroy apps:edit apps:info \
    builds builds:cancel builds:log cache:purge config config:export config:import config:set config:unset deploy \
    deploy:again deploy:archive domains domains:add domains:redirect domains:remove domains:verify drains drains:add drains:remove events help invitations \
    invitations:accept invitations:remove invoices invoices:show jobs:follow jobs:info keys keys:add keys:remove \
    login:approve login:deny logs members members:invite members:remove members:role metrics notifications \
    notifications:add notifications:edit notifications:messages notifications:remove notifications:rotate notifications:test orgs orgs:create orgs:edit \
    password plans ps ps:plan ps:restart ps:scale ps:start ps:stop releases releases:diff releases:info repo repo:check repo:key repo:set \
    rollback run sessions sessions:end tokens tokens:create tokens:revoke usage wallet wallet:alerts wallet:ledger webhooks webhooks:create \
    webhooks:deliveries webhooks:remove webhooks:replay webhooks:rotate whoami";

/// Pushes an app, so that it has a release.
pub(crate) async fn released(world: &World, app: &str) {
    let copy = world.working_copy(app, &[("a", "1")]).await;
    world.git(&copy, &["push", "skypanel", "main"]).await.ok();
    let lines = ["\x1b[32mgreen\x1b[0m", "evil \x1b]0;title\x07\x1b[2J\rtext", "last"];
    let records = lines.map(|text| written(0, LogSource::App, "web.1", text)).to_vec();
    world.logs.append(world.app(app).await.id, records).await.expect("appends");
}

/// A line that was written so many seconds after a time.
pub(crate) fn written(seconds: i64, source: LogSource, process: &str, text: &str) -> LogRecord {
    LogRecord {
        at: chrono::DateTime::from_timestamp(1_795_323_600 + seconds, 123_456_000).expect("a time"),
        source,
        process: process.to_owned(),
        level: (text.contains("error")).then_some(LogLevel::Error),
        continues: false,
        text: text.to_owned().into(),
    }
}

#[tokio::test]
async fn apps_are_created_listed_described_and_destroyed() {
    let world = World::new().await;
    let said = world.ssh("apps:create shop").await.ok();
    said.says(&["-----> Created app shop", &format!("ssh://git@paas.example:{}/shop.git", world.address.port())]);
    world.ssh("apps create shop").await.failed().says(&["The name \"shop\" is taken"]);
    world.ssh("apps:create Shop").await.failed().says(&["cannot be an app's name"]);
    let random = world.ssh("apps create").await.ok();
    assert!(random.stdout.starts_with("-----> Created app "), "{random:?}");
    let list = world.ssh("apps").await.ok();
    list.says(&["NAME", "STATUS", "shop", "inactive"]);
    world.ssh("apps:info shop").await.ok().says(&["=== shop", "http://shop.localhost", "hobby", "acme"]);
    world.ssh("apps:destroy shop --confirm other").await.failed().says(&["was not destroyed"]);
    let asked = world.ssh_with_input(&[], "apps:destroy shop", b"shop\n").await.ok();
    asked.says(&["Type the app's name to go on", "-----> Destroyed shop"]);
    world.ssh("apps:info shop").await.failed().says(&["There is no app \"shop\""]);
    world.close().await;
}

#[tokio::test]
async fn a_destroyed_app_takes_its_repository_along() {
    let world = World::new().await;
    released(&world, "shop").await;
    let repository = world.data().join("repositories").join(format!("{}.git", world.app("shop").await.id));
    assert!(repository.is_dir());
    world.ssh("apps:destroy shop --confirm shop").await.ok();
    assert!(!repository.exists());
    world.close().await;
}

#[tokio::test]
async fn an_app_destroyed_elsewhere_takes_its_repository_along_too() {
    let limits = Limits { collect_time: Duration::from_millis(50), ..Limits::default() };
    let world = World::with(limits, SourceLimits::default()).await;
    for app in ["shop", "other"] {
        released(&world, app).await;
    }
    let repository = async |app: &str| world.data().join(format!("repositories/{}.git", world.app(app).await.id));
    let (shop, other) = (repository("shop").await, repository("other").await);
    let owner = world.store().identity(world.user.id).await.expect("answers").expect("is a user");
    let owner = Actor::browser(owner, None, None);
    let app = AppRef::Id(world.app("shop").await.id);
    world.actions.destroy_app(&owner, &app, "shop").await.expect("destroys");
    eventually("it is gone", async || !shop.exists()).await;
    assert!(other.is_dir());
    world.close().await;
}

#[tokio::test]
async fn config_vars_go_in_and_never_come_out() {
    let world = World::new().await;
    world.ssh("apps:create shop").await.ok();
    world.ssh("config -a shop").await.ok().says(&["shop has no config vars"]);
    let set = world.ssh("config:set -a shop GREETING='hello there' TOKEN=s3cr3t=x").await.ok();
    set.says(&["Set GREETING, TOKEN", "with the first release"]).says_not("s3cr3t");
    let list = world.ssh("config --app shop").await.ok();
    list.says(&["GREETING", "TOKEN"]).says_not("hello there");
    let (_, vars) = world.store().config_vars(world.app("shop").await.id).await.expect("opens");
    let value = vars.get(&"GREETING".parse().expect("a key")).expect("is set");
    assert_eq!(value.as_slice(), b"hello there");
    world.ssh("config:set -a shop lower=1").await.failed().says(&["cannot be a config var's name"]);
    world.ssh("config:set -a shop PORT=1").await.failed().says(&["set by Skypanel itself"]);
    world.ssh("config:set -a shop s3cr3t").await.failed().says(&["NAME=VALUE"]).says_not("s3cr3t");
    for line in [
        "config:unset -a shop TOKEN=s3cr3t",
        "config:unset -a shop bad-NAME=s3cr3t",
        "config:set -a shop bad-NAME=s3cr3t",
        "config:set -a TOKEN=s3cr3t A=1",
        "config -a shop TOKEN=s3cr3t",
        "config TOKEN=s3cr3t",
        "TOKEN=s3cr3t",
        "help TOKEN=s3cr3t",
    ] {
        world.ssh(line).await.failed().says(&[" !     "]).says_not("s3cr3t");
    }
    world.ssh("config:unset -a shop TOKEN=s3cr3t").await.failed().says(&["names alone", "config:unset TOKEN"]);
    world.ssh("config:set -a shop").await.failed().says(&["required"]);
    world.ssh("config:set A=1").await.failed().says(&["Say which app it is about: -a NAME"]);
    assert!(world.worker.deployments().is_empty());

    let copy = world.working_copy("shop", &[("a", "1")]).await;
    world.git(&copy, &["push", "skypanel", "main"]).await.ok();
    let pushed = world.worker.deployments()[0];
    world.script([Script::succeeds("-----> Launched v2\n")]);
    let said = world.ssh("config:unset -a shop TOKEN").await.ok();
    said.says(&["-----> Unset TOKEN, restarting shop", "-----> Launched v2"]);
    let deployment = world.store().deployment(world.worker.deployments()[1]).await.expect("is stored");
    assert_eq!((deployment.trigger, deployment.parent_id), (Trigger::Config, Some(pushed)));
    assert_eq!(deployment.description.as_deref(), Some("Unset TOKEN"));
    world.ssh("config:unset -a shop TOKEN").await.ok().says(&["Nothing changed"]);
    world.script([Script::fails(" !     The new tasks crash.\n")]);
    let said = world.ssh("config:set -a shop A=1").await.failed();
    assert_eq!(said.status, Some(1));
    said.says(&[" !     The new tasks crash."]);
    world.close().await;
}

#[tokio::test]
async fn releases_are_listed_and_rolled_back() {
    let world = World::new().await;
    world.ssh("apps:create shop").await.ok();
    world.ssh("releases -a shop").await.ok().says(&["shop has no releases yet"]);
    world.ssh("rollback -a shop").await.failed().says(&["no earlier release"]);
    let copy = world.working_copy("shop", &[("a", "1")]).await;
    for text in ["1", "2", "3"] {
        world.commit(&copy, &[("a", text)]).await;
        world.git(&copy, &["push", "skypanel", "main"]).await.ok();
    }
    let list = world.ssh("releases -a shop").await.ok();
    list.says(&["RELEASE", "v3", "current", "Deploy ", "ada@example.com"]);
    world.ssh("rollback -a shop").await.ok().says(&["-----> Rolling shop back to v2"]);
    let deployments = world.worker.deployments();
    let deployment = world.store().deployment(deployments[3]).await.expect("is stored");
    assert_eq!((deployment.trigger, deployment.parent_id), (Trigger::Rollback, Some(deployments[1])));
    assert_eq!(deployment.description.as_deref(), Some("Rollback to v2"));
    world.ssh("rollback -a shop v1").await.ok().says(&["back to v1"]);
    world.ssh("rollback -a shop v5").await.failed().says(&["v5 is what runs now"]);
    world.ssh("rollback -a shop v99").await.failed().says(&["There is no release v99"]);
    world.ssh("rollback -a shop latest").await.failed().says(&["Releases are written v1"]);
    world.store().prune_releases(world.app("shop").await.id, 1).await.expect("prunes");
    world.ssh("rollback -a shop v1").await.failed().says(&["v1 is not kept any more"]);
    world.close().await;
}

#[tokio::test]
async fn processes_are_shown_scaled_stopped_and_started() {
    let world = World::new().await;
    world.ssh("apps:create shop").await.ok();
    world.ssh("ps:start -a shop").await.failed().says(&["shop has no release yet"]);
    released(&world, "shop").await;
    world.store().set_app_status(world.app("shop").await.id, AppStatus::Running).await.expect("sets");
    let shown = world.ssh("ps -a shop").await.ok();
    shown.says(&["=== web (2): serve", "web.1: running since 2026-", "web.2: failed", "(exit 1)", "non-zero exit (3)"]);
    world.ssh("ps:scale -a shop").await.ok().says(&["web=1"]);
    world.ssh("ps:scale -a shop web=2").await.failed().says(&["allows 1 replica"]);
    world.ssh("ps:scale -a shop worker=1").await.failed().says(&["no process type \"worker\"", "has: web"]);
    world.ssh("ps:scale -a shop web=x").await.failed().says(&["TYPE=NUMBER"]);
    world.ssh("metrics -a shop").await.ok().says(&[
        "EDGE      NOW    MEAN   MAX",
        "requests  12.00  10.00  24.00  /s",
        "web.1   NOW    MEAN   MAX",
        "cpu     0.250  0.500  1.500  cores",
        "memory  8.00   6.00   16.00  MB",
    ]);
    let metrics = world.ssh("metrics -a shop --range 6h --json").await.ok().json();
    assert_eq!((&metrics["range"], metrics["series"].as_array().map(Vec::len)), (&"6h".into(), Some(3)));
    let cpu = &metrics["series"][0];
    assert_eq!((&cpu["name"], &cpu["unit"], &cpu["process"]), (&"cpu".into(), &"cores".into(), &"web".into()));
    let values = cpu["points"].as_array().expect("is a list").iter().map(|point| &point[1]).collect::<Vec<_>>();
    assert_eq!((values, &cpu["max"]), (vec![&0.75.into(), &0.25.into()], &serde_json::json!([1.5, 0.5])));
    world.script([Script::succeeds("-----> Scaled\n"), Script::succeeds("       done\n")]);
    world.ssh("ps scale -a shop web=0").await.ok().says(&["-----> Scaling shop to web=0", "-----> Scaled"]);
    world.ssh("ps:restart -a shop").await.ok().says(&["-----> Restarting shop"]);
    assert_eq!(world.app("shop").await.restart_count, 1);
    world.ssh("ps:stop -a shop").await.ok().says(&["-----> Stopping shop"]);
    assert_eq!(world.app("shop").await.status, AppStatus::Stopped);
    world.ssh("ps:stop -a shop").await.ok().says(&["stopped already"]);
    world.ssh("ps:restart -a shop").await.failed().says(&["Start it with ps:start"]);
    world.ssh("ps:start -a shop").await.ok().says(&["-----> Starting shop"]);
    assert_eq!(world.app("shop").await.status, AppStatus::Running);
    let tasks: Vec<String> = world.worker.done().into_iter().map(|done| done.task).collect();
    assert_eq!(tasks, ["deploy", "apply", "apply", "apply", "apply"]);
    world.close().await;
}

#[tokio::test]
async fn keys_are_added_and_work() {
    let world = World::new().await;
    world.key("laptop", None).await;
    let text = std::fs::read(world.path("laptop.pub")).expect("reads");
    let said = world.ssh_with_input(&[], "keys:add", &text).await.ok();
    said.says(&["-----> Added the key SHA256:", "(laptop)"]);
    world.ssh_as("laptop", "keys").await.ok().says(&["FINGERPRINT", "user", "laptop", "ssh-ed25519"]);
    world.ssh("keys:add nonsense").await.failed().says(&["not a public key"]);
    world.ssh_with_input(&[], "keys:add", b"").await.failed().says(&["There is no key"]);
    let private = std::fs::read(world.path("laptop")).expect("reads");
    world.ssh_with_input(&[], "keys add", &private).await.failed().says(&["private key"]);
    world.close().await;
}

#[tokio::test]
async fn builds_are_cancelled_and_caches_purged() {
    let world = World::new().await;
    released(&world, "shop").await;
    world.ssh("builds:cancel -a shop").await.ok().says(&["Nothing of shop is being built"]);
    let hold = std::sync::Arc::new(tokio::sync::Notify::new());
    world.script([Script::fails(" !     Cancelled.\n").held(&hold)]);
    let setting = tokio::spawn(crate::world::run(world.ssh_command("user", &[], "config:set -a shop A=1")));
    let store = world.store().clone();
    crate::world::eventually("it runs", async || !store.all_unfinished_deployments().await.expect("asks").is_empty())
        .await;
    world.ssh("builds:cancel -a shop").await.ok().says(&["-----> Cancelled: Set A"]);
    hold.notify_one();
    setting.await.expect("ends").failed();
    world.script([Script::succeeds("       1.2 MB freed\n")]);
    world.ssh("cache:purge -a shop").await.ok().says(&["1.2 MB freed"]);
    world.close().await;
}

#[tokio::test]
async fn help_lists_every_command_and_explains_each() {
    let world = World::new().await;
    let help = world.ssh("help").await.ok().says(&["Usage: ssh -p", "git push skypanel main"]);
    let listed: Vec<(&str, &str)> = help
        .stdout
        .lines()
        .filter_map(|line| line.strip_prefix("  ")?.split_once(' '))
        .map(|(name, about)| (name, about.trim()))
        .collect();
    let names: Vec<&str> = listed.iter().map(|(name, _)| *name).collect();
    assert_eq!(names.join(" "), COMMANDS);
    assert!(listed.iter().all(|(_, about)| !about.is_empty()), "{listed:?}");
    for name in ["apps:create", "config:import", "ps:plan", "run", "whoami"] {
        let explained = world.ssh(&format!("help {name}")).await.ok().says(&[&format!("Usage: {name}")]);
        assert_eq!(explained.stdout.contains("--json"), name != "run", "{name}");
        for spelling in [format!("{name} --help"), format!("{} -h", name.replace(':', " "))] {
            assert_eq!(world.ssh(&spelling).await.ok().stdout, explained.stdout, "{spelling}");
        }
        let both = world.ssh(&format!("help {}", name.replace(':', " "))).await.ok();
        assert_eq!(both.stdout, explained.stdout, "help {name} in two words");
    }
    world.ssh("help ps:scale").await.ok().says(&["TYPE=NUMBER", "--app"]);
    world.ssh("ps scale --help").await.ok().says(&["TYPE=NUMBER"]);
    world.ssh("help nonsense").await.failed().says(&["Unknown command \"nonsense\""]);
    let told = world.ssh("help --json").await.ok().json();
    let told: Vec<&str> =
        told["items"].as_array().expect("a list").iter().filter_map(|item| item["name"].as_str()).collect();
    assert_eq!(told.join(" "), COMMANDS);
    let explained = world.ssh("help ps:scale --json").await.ok().json();
    assert_eq!(explained["name"], "ps:scale");
    assert!(explained["help"].as_str().expect("text").contains("TYPE=NUMBER"));
    world.close().await;
}
