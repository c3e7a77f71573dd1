//! Every command there is answers programs in JSON.

use std::collections::BTreeSet;
use std::time::Duration;

use chrono::{TimeZone as _, Utc};
use serde_json::Value;
use skypanel_core::actions::{Login, Scope};
use skypanel_core::clock::Clock;
use skypanel_core::model::{AppStatus, Role, WebhookProvider};
use skypanel_core::webhook::{Call, sign_generic};
use skypanel_receiver::{Limits, SourceLimits, platform_commands};
use totp_rs::{Builder, Secret};

use crate::commands::released;
use crate::git_hosts::Origin;
use crate::git_hosts::http::{HttpHost, Manners};
use crate::sources::archive;
use crate::world::World;

/// Commands without JSON, and why.
const TEXT_ALONE: &[(&str, &str)] = &[("run", "its output is that of the app's own process")];

const PASSWORD: &str = "a long password";

/// A world in which commands are tried one after the other.
struct Walk {
    world: World,
    tried: BTreeSet<String>,
}

impl Walk {
    /// Runs a command that ends well; answers its first document.
    async fn tell(&mut self, line: &str) -> Value {
        self.tell_with(line, b"").await
    }

    /// The same with something on its standard input.
    async fn tell_with(&mut self, line: &str, input: &[u8]) -> Value {
        let (status, document) = self.try_with(line, input).await;
        assert_eq!(status, Some(0), "{line}: {document}");
        document
    }

    async fn try_with(&mut self, line: &str, input: &[u8]) -> (Option<i32>, Value) {
        let said = self.world.ssh_with_input(&[], &format!("{line} --json"), input).await;
        let documents = said.documents();
        assert!(documents.iter().all(Value::is_object), "{line}: {said:?}");
        let first = documents.into_iter().next().unwrap_or_else(|| panic!("{line} answers nothing: {said:?}"));
        self.tried.insert(line.split(' ').next().expect("has a word").to_owned());
        (said.status, first)
    }

    async fn all(&mut self, lines: &[&str]) {
        for line in lines {
            self.tell(line).await;
        }
    }
}

fn text<'a>(document: &'a Value, field: &str) -> &'a str {
    document[field].as_str().unwrap_or_else(|| panic!("{field} is no text in {document}"))
}

#[tokio::test]
async fn every_command_answers_in_json() {
    // Billing is switched on by the database's own time, which is earlier.
    let clock = Clock::standing_at(Utc.with_ymd_and_hms(2030, 5, 10, 10, 0, 0).single().expect("a time"));
    let world = World::at(clock, Limits::default(), SourceLimits::default()).await;
    sqlx::query("UPDATE users SET is_admin = true").execute(world.store().pool()).await.expect("makes an admin");
    let mut walk = Walk { world, tried: BTreeSet::new() };
    people(&mut walk).await;
    walk.all(&["apps:create shop --org acme", "apps", "apps:info shop", "apps:edit -a shop --title Shop"]).await;
    sources(&mut walk).await;
    money_and_platform(&mut walk).await;
    alerts(&mut walk).await;
    processes(&mut walk).await;
    walk.all(&["help", "apps:destroy shop --confirm shop"]).await;

    let left_out = |name: &str| TEXT_ALONE.iter().any(|(text, _)| *text == name);
    let commands: BTreeSet<String> =
        platform_commands().get_subcommands().map(|command| command.get_name().to_owned()).collect();
    let untried: Vec<&String> = commands.difference(&walk.tried).filter(|name| !left_out(name)).collect();
    assert!(untried.is_empty(), "not tried: {untried:?}");
    walk.world.close().await;
}

async fn people(walk: &mut Walk) {
    walk.all(&["whoami", "orgs", "2fa", "plans", "keys", "tokens"]).await;
    let begun = walk.tell_with("2fa:setup", PASSWORD.as_bytes()).await;
    let secret = Secret::try_from_base32(text(&begun, "secret")).expect("is base 32");
    let app = Builder::new().with_secret(secret).with_account_name("a").build().expect("is set up");
    let now = u64::try_from(walk.world.actions.clock.now().timestamp()).expect("is after 1970");
    let confirmed = walk.tell(&format!("2fa:confirm {}", app.generate(now))).await;
    let recovery = confirmed["recovery_codes"][0].as_str().expect("has one");
    walk.tell_with(&format!("2fa:remove {recovery}"), PASSWORD.as_bytes()).await;
    let login = Login {
        email: "ada@example.com",
        password: PASSWORD,
        code: None,
        user_agent: None,
        address: None,
        request_id: None,
    };
    walk.world.actions.log_in(login).await.expect("logs in");
    let sessions = walk.tell("sessions").await;
    walk.tell(&format!("sessions:end {}", text(&sessions["items"][0], "id"))).await;
    walk.tell_with("password", format!("{PASSWORD}\na much better one\n").as_bytes()).await;

    let fingerprint = walk.world.key("laptop", None).await;
    let key = std::fs::read(walk.world.path("laptop.pub")).expect("reads");
    walk.tell_with("keys:add", &key).await;
    walk.tell(&format!("keys:remove {fingerprint}")).await;
    let token = walk.tell("tokens:create ci").await;
    walk.tell(&format!("tokens:revoke {}", text(&token, "id"))).await;
    for command in ["login:approve", "login:deny"] {
        let begun = walk.world.actions.begin_device_login("a laptop", Scope::Read, None).await.expect("begins");
        walk.tell(&format!("{command} {}", begun.0.user_code)).await;
    }

    walk.world.member("bob", Role::Viewer).await;
    walk.all(&["members", "members:role bob@example.com owner"]).await;
    let invited = walk.tell("members:invite eve@example.com").await;
    walk.tell("invitations").await;
    walk.tell(&format!("invitations:remove {}", text(&invited, "id"))).await;
    walk.world.ssh_as("bob", "orgs:create heir").await.ok();
    let invited = walk.world.ssh_as("bob", "members:invite ada@example.com --org heir --json").await.ok().json();
    walk.tell(&format!("invitations:accept {}", text(&invited, "url"))).await;
    walk.all(&[
        "members:remove bob@example.com --org acme",
        "orgs:create lab",
        "orgs:edit --org lab --app-creation off",
    ])
    .await;
}

async fn sources(walk: &mut Walk) {
    for (key, value) in [("network.allowed", "127.0.0.0/8"), ("git.allow_http", "true")] {
        walk.world.store().set_setting(key, value).await.expect("is set");
    }
    let origin = Origin::new();
    let host = HttpHost::serve(origin.root().to_owned(), Manners::default()).await;
    walk.tell(&format!("repo:set -a shop {}", host.url("127.0.0.1"))).await;
    walk.all(&["repo -a shop", "repo:check -a shop", "repo:key -a shop", "deploy -a shop"]).await;
    walk.tell_with("deploy:archive -a shop", &archive("a", b"1")).await;
    walk.tell("deploy:again -a shop").await;
    let made = walk.tell("webhooks:create -a shop generic").await;
    let (id, url) = (text(&made, "id"), text(&made, "url"));
    let (body, now) = (br#"{"ref": "main", "message": "One"}"#, walk.world.actions.clock.now().timestamp());
    let headers = [
        ("x-skypanel-timestamp".to_owned(), now.to_string()),
        ("x-skypanel-delivery".to_owned(), "1".to_owned()),
        ("x-skypanel-signature".to_owned(), sign_generic(text(&made, "secret").as_bytes(), now, body)),
    ];
    let call = Call { provider: WebhookProvider::Generic, headers: &headers, body };
    let token = url.rsplit('/').next().expect("has one");
    walk.world.actions.receive_webhook(token, call, None, None).await.expect("is taken");
    let calls = walk.tell(&format!("webhooks:deliveries -a shop {id}")).await;
    walk.tell(&format!("webhooks:replay -a shop {id} {}", text(&calls["items"][0], "id"))).await;
    let drain = walk.tell("drains:add -a shop syslog://127.0.0.1:1").await;
    walk.tell("drains -a shop").await;
    walk.tell(&format!("drains:remove -a shop {}", text(&drain, "id"))).await;
    walk.tell("webhooks -a shop").await;
    walk.tell(&format!("webhooks:rotate -a shop {id}")).await;
    walk.tell(&format!("webhooks:remove -a shop {id}")).await;
    walk.all(&["domains:add -a shop www.example.com", "domains -a shop", "domains:redirect -a shop off"]).await;
    // Its records are not there.
    let (status, verified) = walk.try_with("domains:verify -a shop www.example.com", b"").await;
    assert_eq!((status, &verified["proven"]), (Some(1), &false.into()));
    walk.tell("domains:remove -a shop www.example.com").await;
}

async fn money_and_platform(walk: &mut Walk) {
    walk.all(&["admin:settings:set billing.enabled=true", "admin:topup acme 10 --reference PAY-1"]).await;
    released(&walk.world, "shop").await;
    let shop = walk.world.app("shop").await.id;
    walk.world.actions.store.set_app_status(shop, AppStatus::Running).await.expect("sets");
    walk.world.actions.clock.advance(Duration::from_hours(2));
    walk.all(&[
        "admin:billing:settle",
        "admin:billing",
        "wallet --org acme",
        "wallet:alerts --org acme --hours 48 --budget 12.5",
        "wallet:ledger --org acme",
        "usage --org acme",
        "invoices --org acme",
        "invoices:show 2030-05 --org acme",
        "admin:refund acme 1",
        "admin:adjust acme -1",
        "admin:apps",
        "admin:audit",
        "admin:limit acme --apps 5",
        "admin:nodes",
        "admin:orgs",
        "admin:orgs:info acme",
        "admin:suspend acme",
        "admin:resume acme",
        "admin:orgs:destroy lab --yes lab",
        "admin:overview",
        "admin:plans",
        "admin:plans:create tiny --cores 0.25 --memory 256 --disk 5 --replicas 2 --price 0.001",
        "admin:plans:edit tiny --price 0.002",
        "admin:plans:remove tiny",
        "admin:settings",
        "admin:settings:reset git.max_pack_mb",
        "admin:users",
        "admin:users:edit bob@example.com --locked on",
    ])
    .await;
    // Whether all of it works depends on the machine.
    let (_, checked) = walk.try_with("admin:settings:check git.max_pack_mb=64", b"").await;
    assert!(checked["checks"].is_array(), "{checked}");
}

async fn alerts(walk: &mut Walk) {
    walk.all(&["alerts --org acme --past", "admin:alerts --rule deploy_failures"]).await;
    for (list, org) in [("notifications", " --org acme"), ("admin:notifications", "")] {
        let made = walk.tell(&format!("{list}:add webhook https://hooks.invalid/x --severity critical{org}")).await;
        let id = text(&made, "id");
        assert_eq!((text(&made, "address"), text(&made, "secret").len()), ("https://hooks.invalid/…", 43));
        let edited = walk.tell(&format!("{list}:edit {id} --rules app_deploys_failing --enabled off{org}")).await;
        assert_eq!(edited["rules"], serde_json::json!(["app_deploys_failing"]));
        let edited = walk.tell(&format!("{list}:edit {id} --rules all{org}")).await;
        assert_eq!((&edited["rules"], &edited["enabled"]), (&Value::Null, &false.into()));
        let rotated = walk.tell(&format!("{list}:rotate {id}{org}")).await;
        assert_ne!(rotated["secret"], made["secret"]);
        // There is no such host.
        let (status, tried) = walk.try_with(&format!("{list}:test {id}{org}"), b"").await;
        assert_eq!((status, &tried["sent"]), (Some(1), &false.into()), "{tried}");
        let messages = walk.tell(&format!("{list}:messages {id}{org}")).await;
        assert_eq!(messages["items"][0]["is_test"], true);
        let listed = walk.tell(&format!("{list}{org}")).await;
        assert_eq!(text(&listed["items"][0], "id"), id);
        walk.tell(&format!("{list}:remove {id}{org}")).await;
        // What is a secret need not be an argument.
        let slack = walk.tell_with(&format!("{list}:add slack{org}"), b"https://hooks.slack.com/services/x\n").await;
        assert_eq!((text(&slack, "address"), &slack["secret"]), ("https://hooks.slack.com/…", &Value::Null));
    }
}

async fn processes(walk: &mut Walk) {
    walk.all(&[
        "config:set -a shop A=1",
        "config -a shop",
        "config:export -a shop",
        "config:unset -a shop A",
        "ps -a shop",
        "ps:plan -a shop",
        "ps:scale -a shop web=1",
        "ps:restart -a shop",
        "ps:stop -a shop",
        "ps:start -a shop",
        "metrics -a shop",
        "logs -a shop",
        "events -a shop",
        "releases -a shop",
        "releases:info -a shop",
        "releases:diff -a shop",
        "rollback -a shop",
        "builds:log -a shop",
        "builds:cancel -a shop",
        "cache:purge -a shop",
    ])
    .await;
    walk.tell_with("config:import -a shop", b"B=2\n").await;
    let builds = walk.tell("builds -a shop").await;
    let id = text(&builds["items"][0], "id");
    walk.tell(&format!("jobs:info {id}")).await;
    walk.tell(&format!("jobs:follow {id}")).await;
}
