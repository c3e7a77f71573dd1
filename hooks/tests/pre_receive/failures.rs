//! What the hook says when it cannot ask.

use std::process::Command;
use std::thread;
use std::time::Duration;

use serde_json::json;

use crate::stand_in::{NEW, OLD, Receiver, bare_hook, finish, main_update, output, spawn, verdict};

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
