//! Admin commands on a machine where nothing else of Skypanel runs: each starts the private database and stops it. And
//! what the first start makes.

#[path = "../../core/tests/support/mod.rs"]
mod support;

use std::fs::{File, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};
use sqlx::ConnectOptions as _;
use support::Database;
use tempfile::TempDir;

const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl ada@laptop";

/// A data directory that PostgreSQL's user may enter.
fn directory() -> TempDir {
    let directory = tempfile::tempdir().expect("makes a directory");
    std::fs::set_permissions(directory.path(), Permissions::from_mode(0o755)).expect("opens it");
    directory
}

fn admin(directory: &Path, arguments: &[&str]) -> Child {
    let mut admin = Command::new(env!("CARGO_BIN_EXE_skypanel"));
    admin.arg("admin").args(arguments).env("SKYPANEL_DATA_DIR", directory).env_remove("SKYPANEL_DATABASE_URL");
    admin.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("starts")
}

/// What it said on standard error, once it has ended well.
fn ended(child: Child) -> String {
    told(child).1
}

/// What it said on standard output and on standard error, once it has ended well.
fn told(child: Child) -> (String, String) {
    let output = child.wait_with_output().expect("ends");
    let [told, said] = [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes).into_owned());
    assert!(output.status.success(), "{said}");
    (told, said)
}

#[test]
fn commands_at_the_same_time_wait_for_each_other() {
    let directory = directory();
    let running: Vec<Child> =
        ["a", "b", "c"].iter().map(|name| admin(directory.path(), &["org:create", name])).collect();
    for child in running {
        ended(child);
    }
    assert!(!directory.path().join("postgres/data/postmaster.pid").exists(), "the database is left running");
    ended(admin(directory.path(), &["user:create", "ada@example.com", "--org", "a"]));
    ended(admin(directory.path(), &["user:create", "bob@example.com", "--org", "c"]));
}

/// The JSON documents it answered with, once it has ended well.
fn documents(child: Child) -> Vec<Value> {
    let output = child.wait_with_output().expect("ends");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let read = |line: &str| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
    String::from_utf8_lossy(&output.stdout).lines().map(read).collect()
}

#[test]
fn programs_are_answered_in_json() {
    let directory = directory();
    let one = |arguments: &[&str]| {
        let mut told = documents(admin(directory.path(), arguments));
        assert_eq!(told.len(), 1, "{arguments:?}: {told:?}");
        told.remove(0)
    };
    let made = one(&["--json", "org:create", "acme"]);
    assert_eq!((&made["name"], made["id"].is_string()), (&json!("acme"), true));
    let user = one(&["user:create", "ada@example.com", "--org", "acme", "--json"]);
    assert_eq!((&user["email"], &user["organizations"][0]["role"]), (&json!("ada@example.com"), &json!("developer")));
    let reset = one(&["user:reset-password", "ada@example.com", "--json"]);
    assert!(reset["password"].is_string() && reset["password"] != user["password"]);
    let key = directory.path().join("key.pub");
    std::fs::write(&key, "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJySykK18nyfYWW/A+yKBMRbHjc36mgcMmxaKn4S4bFo ada\n")
        .expect("writes");
    let key = one(&["key:add", &key.display().to_string(), "--email", "ada@example.com", "--json"]);
    assert_eq!((&key["name"], key["fingerprint"].is_string()), (&json!("ada"), true));
    let set = one(&["settings:set", "git.max_pack_mb=64", "--json"]);
    assert_eq!(set, one(&["settings", "--json"]));
    let items = set["items"].as_array().expect("a list");
    assert!(items.iter().any(|item| item["key"] == "git.max_pack_mb" && item["value"] == 64), "{items:?}");

    let refused = admin(directory.path(), &["app:plan", "shop", "--json"]).wait_with_output().expect("ends");
    assert_eq!(refused.status.code(), Some(1));
    let error: Value = serde_json::from_slice(&refused.stderr).expect("is JSON");
    assert_eq!(error["code"], "NOT_FOUND");
}

#[test]
fn one_that_waits_says_so() {
    let directory = directory();
    let held = File::create(directory.path().join("admin.lock")).expect("makes the lock");
    held.lock().expect("locks");
    let waiting = admin(directory.path(), &["org:create", "a"]);
    std::thread::sleep(Duration::from_secs(5));
    drop(held);
    let said = ended(waiting);
    assert!(said.contains("-----> Waiting for another `skypanel admin` command to end"), "{said}");
}

#[test]
fn a_new_password_comes_with_what_else_opens_the_account() {
    let directory = directory();
    let key = directory.path().join("key.pub");
    std::fs::write(&key, KEY).expect("writes");
    ended(admin(directory.path(), &["user:create", "ada@example.com", "--org", "a"]));
    let file = key.to_str().expect("is text");
    ended(admin(directory.path(), &["key:add", file, "--email", "ada@example.com"]));
    let (told, _) = told(admin(directory.path(), &["user:reset-password", "ada@example.com"]));
    let lines: Vec<&str> = told.lines().collect();
    assert_eq!(lines[0], "Ended 0 sessions and 0 logins of devices, and revoked 0 API tokens of ada@example.com.");
    assert!(lines[1].contains("SSH keys") && lines[2].starts_with("       SHA256:"), "{told}");
    assert!(lines[2].ends_with(" ada@laptop") && lines[3].contains("shown only now"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_admin_is_in_the_audit_log() {
    let (database, directory) = (Database::new().await, directory());
    let mut serve = Command::new(env!("CARGO_BIN_EXE_skypanel"));
    serve.args(["serve", "api"]).env("SKYPANEL_DATA_DIR", directory.path());
    serve.env("SKYPANEL_DATABASE_URL", database.pool().connect_options().to_url_lossy().as_str());
    // Everything is set up by the time that it misses the engine.
    serve.env("SKYPANEL_DOCKER_SOCKET", directory.path().join("no.sock"));
    let output = tokio::task::spawn_blocking(move || serve.output()).await.expect("runs").expect("starts");
    assert!(!output.status.success(), "{output:?}");
    assert!(database.store().has_admin().await.expect("looks"), "{output:?}");
    let lines: Vec<(String, String, serde_json::Value)> =
        sqlx::query_as("SELECT action, via, after FROM paas_audit_log ORDER BY id")
            .fetch_all(database.pool())
            .await
            .expect("reads");
    let told: Vec<_> = lines.iter().map(|(action, via, _)| (action.as_str(), via.as_str())).collect();
    assert_eq!(told, [("organization.create", "system"), ("user.create", "system")]);
    let membership = &lines[1].2;
    assert_eq!((&membership["organization"], &membership["role"]), (&"default".into(), &"owner".into()));
    database.close().await;
}
