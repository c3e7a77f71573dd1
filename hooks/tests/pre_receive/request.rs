//! What the hook asks: everything Git said, once and whole.

use std::ffi::OsStr;
use std::io::Write as _;
use std::os::unix::ffi::OsStrExt as _;
use std::process::{Command, Output, Stdio};
use std::thread;

use serde_json::{Value, json};

use crate::stand_in::{NEW, OLD, Receiver, finish, main_update, output, spawn, verdict};

#[test]
fn the_request_holds_what_git_said() {
    let receiver = Receiver::new();
    let root = receiver.folder.path().to_str().expect("a UTF-8 path").to_owned();
    let updates = format!("{OLD} {NEW} refs/heads/main\n{NEW} {OLD} refs/tags/v1 \"x\\\n").into_bytes();
    let child = spawn(
        receiver
            .hook()
            .env("GIT_DIR", ".")
            .env("GIT_QUARANTINE_PATH", "./objects/tmp_objdir-incoming-x")
            .env("GIT_OBJECT_DIRECTORY", format!("{root}/objects/tmp_objdir-incoming-x"))
            .env("GIT_ALTERNATE_OBJECT_DIRECTORIES", "/a/objects:/b/objects")
            .env("GIT_PUSH_OPTION_COUNT", "2")
            .env("GIT_PUSH_OPTION_0", "no-cache")
            .env("GIT_PUSH_OPTION_1", "note=two\nlines, \"quotes\", a \\ and a tab\t\u{1}"),
        &updates,
    );
    let mut push = receiver.accept();
    push.send(&verdict(0));
    assert_eq!(finish(child), (Some(0), String::new()));
    assert_eq!(
        push.request,
        json!({
            "token": "one-time",
            "updates": [
                { "old": OLD, "new": NEW, "reference": "refs/heads/main" },
                { "old": NEW, "new": OLD, "reference": "refs/tags/v1 \"x\\" },
            ],
            "push_options": ["no-cache", "note=two\nlines, \"quotes\", a \\ and a tab\t\u{1}"],
            "git_dir": root,
            "quarantine": format!("{root}/objects/tmp_objdir-incoming-x"),
            "object_directory": format!("{root}/objects/tmp_objdir-incoming-x"),
            "alternates": "/a/objects:/b/objects",
        })
    );
}

#[test]
fn missing_values_are_null_and_empty() {
    let receiver = Receiver::new();
    let child = spawn(&mut receiver.hook(), &main_update());
    let mut push = receiver.accept();
    push.send(&verdict(0));
    assert_eq!(finish(child).0, Some(0));
    assert_eq!(push.request["push_options"], json!([]));
    assert_eq!(push.request["quarantine"], Value::Null);
    assert_eq!(push.request["object_directory"], Value::Null);
    assert_eq!(push.request["alternates"], Value::Null);
    assert_eq!(push.request["git_dir"], json!(receiver.folder.path().to_str()));
}

#[test]
fn bytes_that_are_no_text_are_replaced() {
    let receiver = Receiver::new();
    let mut updates = format!("{OLD} {NEW} refs/heads/").into_bytes();
    updates.extend(b"a\xff\xc3\x28\xe2\x80\xa8z\x7f\n");
    let child = spawn(
        receiver
            .hook()
            .env("GIT_PUSH_OPTION_COUNT", "1")
            .env("GIT_PUSH_OPTION_0", OsStr::from_bytes(b"\xf0\x9f\x98\x80 \xed\xa0\x80")),
        &updates,
    );
    let mut push = receiver.accept();
    push.send(&verdict(0));
    assert_eq!(finish(child).0, Some(0));
    assert_eq!(push.request["updates"][0]["reference"], json!("refs/heads/a\u{fffd}\u{fffd}(\u{2028}z\u{7f}"));
    assert_eq!(push.request["push_options"][0], json!("\u{1f600} \u{fffd}\u{fffd}\u{fffd}"));
}

#[test]
fn many_updates_arrive_whole() {
    let receiver = Receiver::new();
    let updates: Vec<String> = (0..5_000).map(|n| format!("{OLD} {NEW} refs/heads/branch-{n}\n")).collect();
    let mut child = receiver.hook().spawn().expect("the hook starts");
    let mut stdin = child.stdin.take().expect("stdin is a pipe");
    let writer = thread::spawn(move || stdin.write_all(updates.concat().as_bytes()));
    let mut push = receiver.accept();
    push.send(&verdict(0));
    assert_eq!(finish(child).0, Some(0));
    writer.join().expect("the writer ends").expect("the hook reads all updates");
    let updates = push.request["updates"].as_array().expect("an array");
    assert_eq!(updates.len(), 5_000);
    assert_eq!(updates[4_999]["reference"], json!("refs/heads/branch-4999"));
}
#[test]
fn git_itself_is_served() {
    let receiver = Receiver::new();
    let root = receiver.folder.path();
    let git = |arguments: &[&str], folder: &str| {
        let mut git = Command::new("git");
        git.args(arguments).current_dir(root.join(folder));
        git.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1");
        for person in ["AUTHOR", "COMMITTER"] {
            git.env(format!("GIT_{person}_NAME"), "A Developer");
            git.env(format!("GIT_{person}_EMAIL"), "developer@example.org");
        }
        git.env("SKYPANEL_HOOK_SOCKET", receiver.socket()).env("SKYPANEL_HOOK_TOKEN", "one-time");
        git
    };
    for (arguments, folder) in [
        (&["init", "-q", "--bare", "app.git"][..], "."),
        (&["config", "receive.advertisePushOptions", "true"], "app.git"),
        (&["init", "-q", "-b", "main", "work"], "."),
        (&["commit", "-q", "--allow-empty", "-m", "first"], "work"),
    ] {
        assert!(git(arguments, folder).status().expect("git runs").success());
    }
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_skypanel-hook"), root.join("app.git/hooks/pre-receive"))
        .expect("the hook is installed");

    for (code, pushed) in [(1, false), (0, true)] {
        let child = git(&["push", "-o", "no-cache", "../app.git", "main"], "work")
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("git runs");
        let mut push = receiver.accept();
        push.send(&[output(b"-----> Building\n"), verdict(code)].concat());
        let Output { status, stderr, .. } = child.wait_with_output().expect("git ends");
        let text = String::from_utf8_lossy(&stderr);
        assert_eq!(status.success(), pushed, "{text}");
        assert!(text.contains("remote: -----> Building"), "{text}");
        assert_eq!(text.contains("pre-receive hook declined"), !pushed, "{text}");
        assert_eq!(push.request["push_options"], json!(["no-cache"]));
        assert_eq!(push.request["updates"][0]["reference"], json!("refs/heads/main"));
        let bare = root.join("app.git").canonicalize().expect("the repository is there");
        assert_eq!(push.request["git_dir"], json!(bare.to_str()));
        let quarantine = push.request["quarantine"].as_str().expect("Git quarantines objects");
        assert!(quarantine.starts_with(bare.to_str().expect("a UTF-8 path")), "{quarantine}");
        assert_eq!(push.request["object_directory"], json!(quarantine));
    }
}
