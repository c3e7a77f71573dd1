//! Drives the built hook the way `git receive-pack` does, against a receiver on a real Unix socket.

use std::{
    ffi::OsStr,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    os::unix::{
        ffi::OsStrExt as _,
        net::{UnixListener, UnixStream},
    },
    path::PathBuf,
    process::{Child, Command, Output, Stdio},
    thread,
    time::Duration,
};

use serde_json::{Value, json};
use tempfile::TempDir;

const OLD: &str = "0000000000000000000000000000000000000000";
const NEW: &str = "89e6c98d92887913cadf06b2adb97f26cde4849b";

/// A receiver that serves one hook.
struct Receiver {
    folder: TempDir,
    listener: UnixListener,
}

/// The receiver's side of one push.
struct Push {
    stream: BufReader<UnixStream>,
    request: Value,
}

impl Receiver {
    fn new() -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        let listener = UnixListener::bind(folder.path().join("hook.sock")).expect("a socket");
        Self { folder, listener }
    }

    fn socket(&self) -> PathBuf {
        self.folder.path().join("hook.sock")
    }

    fn hook(&self) -> Command {
        let mut hook = bare_hook();
        hook.env("SKYPANEL_HOOK_SOCKET", self.socket()).env("SKYPANEL_HOOK_TOKEN", "one-time");
        hook.current_dir(self.folder.path());
        hook
    }

    /// Takes the hook's connection and reads its request.
    fn accept(&self) -> Push {
        let (stream, _) = self.listener.accept().expect("the hook connects");
        stream.set_read_timeout(Some(Duration::from_secs(10))).expect("a read timeout");
        let mut stream = BufReader::new(stream);
        let mut line = String::new();
        stream.read_line(&mut line).expect("the request is UTF-8");
        assert!(line.ends_with('\n'), "the request is one whole line: {line:?}");
        Push { stream, request: serde_json::from_str(&line).expect("the request is JSON") }
    }
}

impl Push {
    fn send(&mut self, bytes: &[u8]) {
        self.stream.get_mut().write_all(bytes).expect("the hook reads");
    }

    fn closed_by_hook(&mut self) -> bool {
        matches!(self.stream.read(&mut [0; 1]), Ok(0) | Err(_))
    }
}

fn bare_hook() -> Command {
    let mut hook = Command::new(env!("CARGO_BIN_EXE_skypanel-hook"));
    hook.env_clear();
    hook.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    hook
}

fn spawn(hook: &mut Command, updates: &[u8]) -> Child {
    let mut child = hook.spawn().expect("the hook starts");
    let mut stdin = child.stdin.take().expect("stdin is a pipe");
    // A hook that has ended already has no use for the updates.
    let _ = stdin.write_all(updates);
    child
}

fn main_update() -> Vec<u8> {
    format!("{OLD} {NEW} refs/heads/main\n").into_bytes()
}

fn output(text: &[u8]) -> Vec<u8> {
    frame(b'o', text)
}

fn verdict(code: u8) -> Vec<u8> {
    frame(b'v', &[code])
}

fn frame(kind: u8, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("a small payload");
    [&[kind], length.to_be_bytes().as_slice(), payload].concat()
}

fn finish(child: Child) -> (Option<i32>, String) {
    let Output { status, stderr, stdout } = child.wait_with_output().expect("the hook ends");
    assert!(stdout.is_empty(), "everything the developer sees goes to stderr");
    (status.code(), String::from_utf8_lossy(&stderr).into_owned())
}

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
fn output_comes_through_as_it_arrives() {
    let receiver = Receiver::new();
    let mut child = spawn(&mut receiver.hook(), &main_update());
    let mut stderr = child.stderr.take().expect("stderr is a pipe");
    let mut push = receiver.accept();
    for step in ["-----> Python app detected\n", "       no newline yet", " … now\n"] {
        push.send(&output(step.as_bytes()));
        let mut seen = vec![0; step.len()];
        stderr.read_exact(&mut seen).expect("the step is there before the next is sent");
        assert_eq!(seen, step.as_bytes());
    }
    push.send(&verdict(0));
    assert_eq!(child.wait().expect("the hook ends").code(), Some(0));
}

#[test]
fn frames_may_be_split_anywhere() {
    let receiver = Receiver::new();
    let child = spawn(&mut receiver.hook(), &main_update());
    let mut push = receiver.accept();
    let bytes = [output(b"one\n"), output(b""), output(b"two\x00\xff\n"), verdict(7)].concat();
    for byte in bytes {
        push.send(&[byte]);
        thread::sleep(Duration::from_millis(2));
    }
    let Output { status, stderr, .. } = child.wait_with_output().expect("the hook ends");
    assert_eq!(status.code(), Some(7));
    assert_eq!(stderr, b"one\ntwo\x00\xff\n");
}

#[test]
fn the_largest_frame_comes_through() {
    let receiver = Receiver::new();
    let child = spawn(&mut receiver.hook(), &main_update());
    let mut push = receiver.accept();
    let text: Vec<u8> = b"0123456789abcde\n".repeat(1 << 16);
    let sent = [output(&text), verdict(0)].concat();
    let sender = thread::spawn(move || push.send(&sent));
    let Output { status, stderr, .. } = child.wait_with_output().expect("the hook ends");
    sender.join().expect("the sender ends");
    assert_eq!(status.code(), Some(0));
    assert!(stderr == text, "every byte arrives in order");
}

#[test]
fn every_exit_code_is_passed_on() {
    for code in [0, 1, 2, 127, 255] {
        let receiver = Receiver::new();
        let child = spawn(&mut receiver.hook(), &main_update());
        receiver.accept().send(&verdict(code));
        assert_eq!(finish(child), (Some(i32::from(code)), String::new()));
    }
}

#[test]
fn an_oversized_frame_is_refused_at_once() {
    let receiver = Receiver::new();
    let child = spawn(&mut receiver.hook(), &main_update());
    let mut push = receiver.accept();
    push.send(&[&b"o"[..], &(1_u32 << 20 | 1).to_be_bytes()].concat());
    let (code, text) = finish(child);
    assert_eq!(code, Some(1));
    assert!(text.starts_with(" !     Skypanel's receiver sent something"), "{text}");
    assert!(text.contains("1048577 bytes"), "{text}");
    assert!(push.closed_by_hook());
}

#[test]
fn unknown_frames_and_bad_verdicts_are_refused() {
    for (bytes, reason) in [
        (frame(b'x', b"?"), "unknown kind 120"),
        (frame(b'v', b""), "a verdict of 0 bytes"),
        (frame(b'v', b"00"), "a verdict of 2 bytes"),
    ] {
        let receiver = Receiver::new();
        let child = spawn(&mut receiver.hook(), &main_update());
        receiver.accept().send(&bytes);
        let (code, text) = finish(child);
        assert_eq!(code, Some(1));
        assert!(text.contains(reason), "{text}");
    }
}

#[test]
fn a_lost_connection_says_what_becomes_of_the_push() {
    let half_a_frame = &output(b"-----> Building\n       half a li")[..];
    let cut = [half_a_frame, b"o\0\0"].concat();
    for (sent, shown) in [
        (&b""[..], ""),
        (half_a_frame, "-----> Building\n       half a li\n"),
        (&cut[..], "-----> Building\n       half a li\n"),
    ] {
        let receiver = Receiver::new();
        let child = spawn(&mut receiver.hook(), &main_update());
        let mut push = receiver.accept();
        push.send(sent);
        drop(push);
        let (code, text) = finish(child);
        assert_eq!(code, Some(1));
        let told = text.strip_prefix(shown).expect("what came before is shown");
        assert!(told.starts_with(" !     Lost the connection to Skypanel"), "{told}");
        assert!(told.contains("build goes on once Skypanel is back"), "{told}");
        assert!(told.contains("`releases`"), "{told}");
        assert!(told.lines().all(|line| line.starts_with(" !     ")), "{told}");
    }
}

#[test]
fn a_developer_who_left_does_not_lose_the_verdict() {
    let receiver = Receiver::new();
    let mut child = spawn(&mut receiver.hook(), &main_update());
    drop(child.stderr.take());
    let mut push = receiver.accept();
    for _ in 0..64 {
        push.send(&output(&[b'x'; 4096]));
    }
    thread::sleep(Duration::from_millis(50));
    assert!(child.try_wait().expect("a status").is_none(), "the hook waits for the verdict");
    push.send(&output(b"-----> Released\n"));
    push.send(&verdict(0));
    assert_eq!(child.wait().expect("the hook ends").code(), Some(0));
}

#[test]
fn without_its_environment_the_hook_refuses() {
    let only_socket = |hook: &mut Command| {
        hook.env("SKYPANEL_HOOK_SOCKET", "/nonexistent");
    };
    let empty = |hook: &mut Command| {
        hook.env("SKYPANEL_HOOK_SOCKET", "").env("SKYPANEL_HOOK_TOKEN", "");
    };
    let nothing = |_: &mut Command| {};
    let cases: [&dyn Fn(&mut Command); 3] = [&only_socket, &empty, &nothing];
    for case in cases {
        let mut hook = bare_hook();
        case(&mut hook);
        let (code, text) = finish(spawn(&mut hook, &main_update()));
        assert_eq!(code, Some(1));
        assert!(text.starts_with(" !     This repository takes pushes only through Skypanel."));
    }
}

#[test]
fn a_receiver_that_is_not_there_is_named() {
    let receiver = Receiver::new();
    let mut hook = receiver.hook();
    hook.env("SKYPANEL_HOOK_SOCKET", receiver.folder.path().join("gone.sock"));
    let (code, text) = finish(spawn(&mut hook, &main_update()));
    assert_eq!(code, Some(1));
    assert!(text.starts_with(" !     Skypanel's receiver cannot be reached (No such file"), "{text}");
    assert!(text.contains("Nothing was changed."), "{text}");
}

#[test]
fn broken_input_is_refused_before_anything_is_sent() {
    let updates = |text: &[u8]| (text.to_vec(), None);
    let cases = [
        (updates(b""), "the list of updates is empty"),
        (updates(b"\n"), "line 1 of the list"),
        (updates(format!("{OLD} {NEW} refs/heads/main\n{OLD} {NEW}\n").as_bytes()), "line 2"),
        ((main_update(), Some("2")), "push options are incomplete"),
        ((main_update(), Some("-1")), "push options are incomplete"),
        ((main_update(), Some("18446744073709551615")), "push options are incomplete"),
    ];
    for ((updates, option_count), reason) in cases {
        let receiver = Receiver::new();
        let mut hook = receiver.hook();
        if let Some(count) = option_count {
            hook.env("GIT_PUSH_OPTION_COUNT", count).env("GIT_PUSH_OPTION_0", "no-cache");
        }
        let (code, text) = finish(spawn(&mut hook, &updates));
        assert_eq!(code, Some(1));
        assert!(text.contains(reason), "{text}");
        receiver.listener.set_nonblocking(true).expect("a non-blocking socket");
        assert!(receiver.listener.accept().is_err(), "the hook has not connected");
    }
}

#[test]
fn the_token_is_never_shown() {
    let receiver = Receiver::new();
    let mut hook = receiver.hook();
    hook.env("SKYPANEL_HOOK_TOKEN", "s3cret-token");
    let child = spawn(&mut hook, &main_update());
    let push = receiver.accept();
    assert_eq!(push.request["token"], json!("s3cret-token"));
    drop(push);
    assert!(!finish(child).1.contains("s3cret-token"));
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
