//! What the hook is told: output to pass on, then a verdict.

use std::io::Read as _;
use std::process::Output;
use std::thread;
use std::time::Duration;

use crate::stand_in::{Receiver, finish, frame, main_update, output, spawn, verdict};

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
