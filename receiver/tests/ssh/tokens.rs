//! API tokens in place of keys: who gets in, as whom, and what their scope lets them do.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Duration;

use skypanel_core::credentials::hash;
use skypanel_core::model::{Role, User};
use skypanel_receiver::{Limits, SourceLimits};
use tokio::process::Command;

use crate::world::{Said, World, eventually, run};

/// What makes `ssh` offer a password only, and take one refusal for an answer.
const BY_PASSWORD: &[&str] = &[
    "-o",
    "PubkeyAuthentication=no",
    "-o",
    "PreferredAuthentications=password,keyboard-interactive",
    "-o",
    "NumberOfPasswordPrompts=1",
];

/// Makes a token `skp_NAME` for a user.
pub(crate) async fn token(world: &World, user: &User, name: &str, scope: &str) -> String {
    let token = format!("skp_{name}");
    sqlx::query(
        "INSERT INTO api_tokens (id, user_id, name, hash, prefix, scope, created_at, expires_at)
         VALUES ($1, $2, $3, $4, 'skp_', $5, now(), now() + interval '1 hour')",
    )
    .bind(uuid::Uuid::new_v4())
    .bind(user.id)
    .bind(name)
    .bind(hash(&token))
    .bind(scope)
    .execute(world.store().pool())
    .await
    .expect("makes a token");
    token
}

/// Makes `ssh` get its password from a program, which leaves a trace of having been asked.
fn ask(world: &World, command: &mut Command, password: &str) {
    let program = world.path("askpass");
    let script = format!("#!/bin/sh\n: > '{}'\nprintf '%s\\n' '{password}'\n", world.path("asked").display());
    std::fs::write(&program, script).expect("writes");
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).expect("makes it a program");
    command.env("SSH_ASKPASS", program).env("SSH_ASKPASS_REQUIRE", "force");
}

/// `ssh` by a token, not started yet.
pub(crate) fn ssh_command(world: &World, token: &str, command: &str) -> Command {
    with_token(world, token, &[], command)
}

fn with_token(world: &World, token: &str, extra: &[&str], command: &str) -> Command {
    let mut ssh = world.ssh_command("user", &[BY_PASSWORD, extra].concat(), command);
    ask(world, &mut ssh, token);
    ssh
}

async fn ssh(world: &World, token: &str, extra: &[&str], command: &str) -> Said {
    run(with_token(world, token, extra, command)).await
}

async fn git(world: &World, token: &str, directory: &Path, arguments: &[&str]) -> Said {
    let mut git = world.git_command("user", directory, arguments);
    let known = world.path("known_hosts").display().to_string();
    let line = format!("ssh -F /dev/null -o UserKnownHostsFile='{known}' {}", BY_PASSWORD.join(" "));
    git.env("GIT_SSH_COMMAND", line);
    ask(world, &mut git, token);
    run(git).await
}

#[tokio::test]
async fn a_token_lets_its_user_in_and_may_push_when_its_scope_is_deploy() {
    let world = World::new().await;
    let member = world.member("developer", Role::Developer).await;
    let token = token(&world, &member, "deploying", "deploy").await;
    ssh(&world, &token, &[], "").await.failed().says(&["Hello developer@example.com!"]);
    let copy = world.working_copy("hello", &[("a", "1")]).await;
    git(&world, &token, &copy, &["push", "skypanel", "main"]).await.ok().says(&["Created app hello"]);
    assert!(world.server_ref("hello", "refs/heads/main").await.is_some());
    git(&world, &token, &copy, &["fetch", "skypanel"]).await.ok();
    ssh(&world, &token, &[], "config:set -a hello A=1").await.ok();
    // What only people manage is out of its reach, whatever its user may.
    ssh(&world, &token, &[], "keys:add ssh-ed25519 AAAA").await.failed().says(&["needs the scope \"manage\""]);
    ssh(&world, &token, &[], "apps:destroy hello --confirm hello").await.failed();
    assert_eq!(world.app("hello").await.slug.as_str(), "hello");
    eventually("its use was noted", async || {
        let used: (Option<String>,) =
            sqlx::query_as("SELECT last_used_address FROM api_tokens WHERE last_used_at IS NOT NULL")
                .fetch_one(world.store().pool())
                .await
                .expect("answers");
        used.0.as_deref() == Some("127.0.0.1")
    })
    .await;
    world.close().await;
}

/// Commands that only look.
const LOOKS: &[&str] = &[
    "2fa",
    "alerts",
    "apps",
    "apps:info",
    "builds",
    "builds:log",
    "config",
    "config:export",
    "domains",
    "drains",
    "events",
    "help",
    "invitations",
    "invoices",
    "invoices:show",
    "jobs:follow",
    "jobs:info",
    "keys",
    "logs",
    "members",
    "metrics",
    "orgs",
    "plans",
    "ps",
    "releases",
    "releases:diff",
    "releases:info",
    "repo",
    "tokens",
    "usage",
    "wallet",
    "wallet:ledger",
    "webhooks",
    "webhooks:deliveries",
    "whoami",
];

/// All others, well-formed.
const CHANGES: &[&str] = &[
    "2fa:confirm 123456",
    "2fa:remove 123456",
    "2fa:setup",
    "admin:adjust acme -1",
    "admin:alerts",
    "admin:apps",
    "admin:audit",
    "admin:billing",
    "admin:billing:settle",
    "admin:limit acme --apps 1",
    "admin:nodes",
    "admin:notifications",
    "admin:notifications:add email ops@example.com",
    "admin:notifications:edit 00000000-0000-4000-8000-000000000001 --enabled off",
    "admin:notifications:messages 00000000-0000-4000-8000-000000000001",
    "admin:notifications:remove 00000000-0000-4000-8000-000000000001",
    "admin:notifications:rotate 00000000-0000-4000-8000-000000000001",
    "admin:notifications:test 00000000-0000-4000-8000-000000000001",
    "admin:orgs",
    "admin:orgs:destroy acme --yes acme --with-apps",
    "admin:orgs:info acme",
    "admin:overview",
    "admin:plans",
    "admin:plans:create tiny --cores 0.1 --memory 64 --disk 1 --replicas 1 --price 0.001",
    "admin:plans:edit hobby --price 0.1",
    "admin:plans:remove hobby",
    "admin:refund acme 1",
    "admin:resume acme",
    "admin:settings",
    "admin:settings:check",
    "admin:settings:reset git.max_pack_mb",
    "admin:settings:set git.max_pack_mb=1",
    "admin:suspend acme",
    "admin:topup acme 1",
    "admin:users",
    "admin:users:edit ada@example.com --locked on",
    "apps:create new",
    "apps:destroy -a hello --confirm hello",
    "apps:edit -a hello --branch other",
    "builds:cancel -a hello",
    "cache:purge -a hello",
    "config:import -a hello",
    "config:set -a hello A=1",
    "config:unset -a hello A",
    "deploy -a hello",
    "deploy:again -a hello",
    "deploy:archive -a hello",
    "domains:add -a hello www.example.com",
    "domains:redirect -a hello on",
    "domains:remove -a hello www.example.com",
    "domains:verify -a hello www.example.com",
    "drains:add -a hello https://logs.example.com/",
    "drains:remove -a hello 00000000-0000-4000-8000-000000000001",
    "invitations:accept ski_x",
    "invitations:remove 00000000-0000-4000-8000-000000000001",
    "keys:add ssh-ed25519 AAAA",
    "keys:remove SHA256:x",
    "login:approve BCDF-GHJK",
    "login:deny BCDF-GHJK",
    "members:invite eve@example.com",
    "members:remove ada@example.com",
    "members:role ada@example.com viewer",
    "notifications",
    "notifications:add email ops@example.com",
    "notifications:edit 00000000-0000-4000-8000-000000000001 --enabled off",
    "notifications:messages 00000000-0000-4000-8000-000000000001",
    "notifications:remove 00000000-0000-4000-8000-000000000001",
    "notifications:rotate 00000000-0000-4000-8000-000000000001",
    "notifications:test 00000000-0000-4000-8000-000000000001",
    "orgs:create another",
    "orgs:edit --app-creation off",
    "password",
    "ps:plan -a hello standard",
    "ps:restart -a hello",
    "ps:scale -a hello web=1",
    "ps:start -a hello",
    "ps:stop -a hello",
    "repo:check -a hello",
    "repo:key -a hello",
    "repo:set -a hello https://git.example.com/x.git",
    "rollback -a hello",
    "run -a hello true",
    "sessions",
    "sessions:end --all",
    "tokens:create better --scope manage",
    "tokens:revoke 00000000-0000-4000-8000-000000000001",
    "wallet:alerts --hours 48",
    "webhooks:create -a hello github",
    "webhooks:remove -a hello 00000000-0000-4000-8000-000000000001",
    "webhooks:replay -a hello 00000000-0000-4000-8000-000000000001 00000000-0000-4000-8000-000000000002",
    "webhooks:rotate -a hello 00000000-0000-4000-8000-000000000001",
];

#[tokio::test]
async fn a_reading_token_reads_and_changes_nothing() {
    let world = World::new().await;
    let copy = world.working_copy("hello", &[("a", "1")]).await;
    world.git(&copy, &["push", "skypanel", "main"]).await.ok();
    sqlx::query("UPDATE users SET is_admin = true").execute(world.store().pool()).await.expect("updates");
    let token = token(&world, &world.user, "reading", "read").await;
    for command in ["apps", "ps -a hello", "config -a hello", "releases -a hello", "apps:info hello", "keys", "help"] {
        ssh(&world, &token, &[], command).await.ok();
    }
    git(&world, &token, &copy, &["fetch", "skypanel"]).await.ok();

    let before = state(&world).await;
    let socket = world.path("control").display().to_string();
    let shared = ["-o", "ControlMaster=auto", "-o", "ControlPersist=60", "-S", &socket];
    for line in skypanel_receiver::command_list().lines() {
        let name = line.split_whitespace().next().expect("has a name");
        if LOOKS.contains(&name) {
            continue;
        }
        let command = CHANGES.iter().find(|command| command.split(' ').next() == Some(name));
        let command = command.unwrap_or_else(|| panic!("{name} is new: say above whether it only looks"));
        let said = ssh(&world, &token, &shared, command).await.failed();
        let refusal = match name {
            _ if name.starts_with("admin:") => "Only an admin of the platform can do this",
            "login:approve" | "login:deny" => "with a key of yours",
            _ => "This token has the scope \"read\"",
        };
        said.says(&[refusal]);
    }
    run(world.ssh_command("user", &["-S", &socket, "-O", "exit"], "")).await.ok();
    world.commit(&copy, &[("a", "2")]).await;
    git(&world, &token, &copy, &["push", "skypanel", "main"]).await.failed().says(&["needs the scope \"deploy\""]);
    git(&world, &token, &copy, &["push", &world.url("new"), "main"])
        .await
        .failed()
        .says(&["needs the scope \"deploy\""]);
    assert_eq!(state(&world).await, before);
    world.close().await;
}

/// Everything a command could have changed.
async fn state(world: &World) -> Vec<String> {
    let sql = "SELECT 'app ' || slug || status || restart_count FROM paas_applications
         UNION ALL SELECT 'deployment ' || id FROM paas_deployments
         UNION ALL SELECT 'key ' || fingerprint FROM ssh_keys
         UNION ALL SELECT 'audit ' || action || id FROM paas_audit_log ORDER BY 1";
    sqlx::query_scalar(sql).fetch_all(world.store().pool()).await.expect("answers")
}

#[tokio::test]
async fn tokens_that_are_none_are_refused_with_the_reason() {
    let world = World::new().await;
    let revoked = token(&world, &world.user, "revoked", "manage").await;
    let expired = token(&world, &world.user, "expired", "manage").await;
    let good = token(&world, &world.user, "good", "manage").await;
    for sql in [
        "UPDATE api_tokens SET revoked_at = now() WHERE name = 'revoked'",
        "UPDATE api_tokens SET expires_at = now() - interval '1 second' WHERE name = 'expired'",
    ] {
        sqlx::query(sql).execute(world.store().pool()).await.expect("updates");
    }
    for token in [revoked.as_str(), &expired, "skp_never-was"] {
        ssh(&world, token, &[], "apps").await.failed().says(&["unknown, revoked or expired", "skypanel login"]);
    }
    ssh(&world, "a long password", &[], "apps").await.failed().says(&["Passwords are not taken here"]);
    let counted: i32 = sqlx::query_scalar("SELECT failures FROM auth_failures WHERE key = 'token:address:127.0.0.1'")
        .fetch_one(world.store().pool())
        .await
        .expect("is counted");
    assert_eq!(counted, 3, "those that look like tokens");
    sqlx::query("UPDATE auth_failures SET failures = 50").execute(world.store().pool()).await.expect("updates");
    ssh(&world, "skp_never-was", &[], "apps").await.failed().says(&["too many failed tries"]);
    ssh(&world, &good, &[], "apps").await.ok();
    sqlx::query("UPDATE users SET disabled_at = now()").execute(world.store().pool()).await.expect("updates");
    ssh(&world, &good, &[], "apps").await.failed();
    world.close().await;
}

#[tokio::test]
async fn a_revoked_token_is_of_no_use_on_an_open_connection() {
    let limits = Limits { identity_time: Duration::ZERO, ..Limits::default() };
    let world = World::with(limits, SourceLimits::default()).await;
    let token = token(&world, &world.user, "short", "manage").await;
    let socket = world.path("control").display().to_string();
    let open = ["-o", "ControlMaster=yes", "-o", "ControlPersist=30", "-S", &socket];
    ssh(&world, &token, &open, "apps").await.ok();
    let again = ["-S", socket.as_str()];
    run(world.ssh_command("user", &again, "apps")).await.ok();
    sqlx::query("UPDATE api_tokens SET revoked_at = now()").execute(world.store().pool()).await.expect("revokes");
    run(world.ssh_command("user", &again, "apps")).await.failed().says(&["unknown, revoked or expired"]);
    run(world.ssh_command("user", &["-S", &socket, "-O", "exit"], "")).await.ok();
    world.close().await;
}

#[tokio::test]
async fn strangers_with_keys_are_asked_for_no_password() {
    let world = World::new().await;
    world.key("stranger", None).await;
    let mut ssh = world.ssh_command("stranger", &[], "apps");
    ask(&world, &mut ssh, "skp_x");
    run(ssh).await.failed().says(&["Skypanel does not know your key", "skypanel login"]);
    assert!(!world.path("asked").exists(), "nobody was asked");
    world.close().await;
}

#[tokio::test]
async fn the_host_key_is_told_to_clients_through_the_database() {
    let world = World::new().await;
    let known = std::fs::read_to_string(world.path("known_hosts")).expect("reads");
    eventually("the key is told", async || {
        let told = world.store().host_keys().await.expect("answers");
        matches!(told.as_slice(), [key] if known.trim().ends_with(key.as_str()) && key.starts_with("ssh-ed25519 "))
    })
    .await;
    world.close().await;
}
