//! Admin commands on a machine where nothing else of Skypanel runs: each starts the private database and stops it.

use std::fs::{File, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;

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
    let output = child.wait_with_output().expect("ends");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}");
    said
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
