//! What calls tell, and which are believed.

use std::fmt::Write as _;

use chrono::{DateTime, TimeDelta, Utc};
use skypanel_core::model::WebhookProvider::{Generic, Gitea, Github, Gitlab};
use skypanel_core::model::{PushEvent, WebhookProvider};
use skypanel_core::webhook::Told;

use crate::{Sent, sent};

const SECRET: &str = "a secret";

fn now() -> DateTime<Utc> {
    "2026-11-22T12:00:00Z".parse().expect("is a time")
}

fn call(provider: WebhookProvider, event: &str, body: &str) -> Sent {
    sent(provider, event, "1", SECRET, body.as_bytes(), now().timestamp())
}

fn push(branch: &str, (before, commit): (Option<&str>, &str), message: &str, author: &str) -> PushEvent {
    PushEvent {
        branch: branch.parse().expect("is a branch"),
        before: before.map(|before| before.parse().expect("is a hash")),
        commit: Some(commit.parse().expect("is a hash")),
        message: Some(message.to_owned()),
        author: Some(author.to_owned()),
        skip: None,
    }
}

#[test]
fn pushes_of_every_host_tell_branch_commit_message_and_author() {
    let ada = "Ada Lovelace <ada@example.com>";
    let generic = r#"{"ref": "main", "commit": "59B20B8D5C6FF8D09518454D4DD8B7B30F095AB5", "message": "By hand", "author": "Ada"}"#;
    for (provider, event, body, expected) in [
        (
            Github,
            "push",
            include_str!("fixtures/github_push.json"),
            push(
                "main",
                (Some("6113728f27ae82c7b1a177c8d03f9e96e0adf246"), "59b20b8d5c6ff8d09518454d4dd8b7b30f095ab5"),
                "Add a cart",
                ada,
            ),
        ),
        (
            Gitlab,
            "Push Hook",
            include_str!("fixtures/gitlab_push.json"),
            push(
                "main",
                (Some("95790bf891e76fee5e1747ab589903a6a1f80f22"), "da1560886d4f094c3e6c9ef40349f7d38b5d27d7"),
                "Fix the till",
                ada,
            ),
        ),
        (
            Gitea,
            "push",
            include_str!("fixtures/gitea_push.json"),
            push(
                "main",
                (Some("28e1879d029cb852e4844d9c718537df08844e03"), "bffeb74224043ba2feb48d137756c8a9331c449a"),
                "Webhooks Yay!",
                ada,
            ),
        ),
        (Generic, "push", generic, push("main", (None, "59b20b8d5c6ff8d09518454d4dd8b7b30f095ab5"), "By hand", "Ada")),
    ] {
        assert_eq!(call(provider, event, body).call().read().expect("is right"), Told::Push(expected), "{provider}");
    }
    let newest = call(Generic, "push", r#"{"branch": "main"}"#).call().read().expect("is right");
    assert!(matches!(newest, Told::Push(PushEvent { commit: None, message: None, .. })), "{newest:?}");
}

#[test]
fn what_is_not_to_be_deployed_is_told_as_that() {
    let tag = r#"{"ref": "refs/tags/v1", "after": "59b20b8d5c6ff8d09518454d4dd8b7b30f095ab5"}"#;
    for (provider, event, body, words) in [
        (Github, "push", include_str!("fixtures/github_branch_deleted.json"), "was deleted"),
        (Gitlab, "Push Hook", include_str!("fixtures/gitlab_branch_deleted.json"), "was deleted"),
        (Github, "push", tag, "is no branch"),
        (Gitlab, "Tag Push Hook", tag, "tag"),
        (Github, "issues", "{}", "\"issues\""),
        (Gitea, "release", "{}", "\"release\""),
    ] {
        match call(provider, event, body).call().read().expect("is right") {
            Told::Nothing(reason) => assert!(reason.contains(words), "{reason}"),
            other => panic!("{other:?}"),
        }
    }
    let ping = call(Github, "ping", include_str!("fixtures/github_ping.json"));
    assert_eq!(ping.call().read().expect("is right"), Told::Ping);
    assert_eq!(call(Generic, "ping", "").call().read().expect("is right"), Told::Ping);
}

#[test]
fn markers_in_the_newest_commits_message_ask_not_to_deploy() {
    for (message, skip) in [
        ("Fix [skip ci]", Some("[skip ci]")),
        ("Fix\n\nlong text\n[SKIP DEPLOY]", Some("[skip deploy]")),
        ("[ci skip] Fix", Some("[ci skip]")),
        ("skip ci", None),
    ] {
        let body = serde_json::json!({ "ref": "main", "message": message }).to_string();
        match call(Generic, "push", &body).call().read().expect("is right") {
            Told::Push(push) => assert_eq!(push.skip.as_deref(), skip, "{message}"),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn githubs_form_encoding_is_read_too() {
    let json = include_str!("fixtures/github_push.json");
    let mut form = String::from("payload=");
    for byte in json.bytes() {
        match byte {
            b' ' => form.push('+'),
            byte if byte.is_ascii_alphanumeric() => form.push(char::from(byte)),
            byte => write!(form, "%{byte:02X}").expect("writes to memory"),
        }
    }
    let call = call(Github, "push", &form).with("content-type", "application/x-www-form-urlencoded");
    call.call().verify(&[SECRET.as_bytes()], now()).expect("is authentic");
    assert!(matches!(call.call().read().expect("is right"), Told::Push(_)));
}

#[test]
fn malformed_content_is_refused() {
    for (provider, event, body) in [
        (Github, "push", ""),
        (Github, "push", "[]"),
        (Github, "push", r#"{"ref": "refs/heads/main", "after": "main"}"#),
        (
            Github,
            "push",
            r#"{"ref": "refs/heads/--upload-pack=x", "after": "59b20b8d5c6ff8d09518454d4dd8b7b30f095ab5"}"#,
        ),
        (Gitlab, "Push Hook", r#"{"ref": 7}"#),
        (Generic, "push", r#"{"ref": "main", "commit": "59b20b8"}"#),
        (Generic, "push", &format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000))),
    ] {
        let error = call(provider, event, body).call().read().expect_err(event);
        assert_eq!(error.code(), "INVALID_INPUT");
    }
}

#[test]
fn only_who_knows_a_secret_is_believed() {
    let body = include_str!("fixtures/github_push.json");
    for (provider, event) in [(Github, "push"), (Gitlab, "Push Hook"), (Gitea, "push"), (Generic, "push")] {
        let right = call(provider, event, body);
        let verify = |sent: &Sent, secrets: &[&str]| {
            let secrets: Vec<&[u8]> = secrets.iter().map(|secret| secret.as_bytes()).collect();
            sent.call().verify(&secrets, now())
        };
        verify(&right, &[SECRET]).expect("is authentic");
        verify(&right, &["new", SECRET]).expect("the old secret holds, too");
        verify(&right, &["other"]).expect_err("another secret");
        verify(&right, &[]).expect_err("no secret");
        let (signature, _) = right.headers.last().expect("is the proof").clone();
        for wrong in ["", "sha256=", "00", &"0".repeat(64), &format!("sha256={}", "0".repeat(64)), "é"] {
            let error = verify(&right.clone().with(&signature, wrong), &[SECRET]).expect_err("is forged");
            assert_eq!(error.code(), "UNAUTHENTICATED");
        }
        let mut unsigned = right.clone();
        unsigned.headers.pop();
        verify(&unsigned, &[SECRET]).expect_err("is unsigned");
        if provider != Gitlab {
            let mut changed = right.clone();
            changed.body.push(b' ');
            verify(&changed, &[SECRET]).expect_err("was changed");
        }
    }
    // The example of GitHub's documentation ("Validating webhook deliveries").
    let known = Sent { provider: Github, headers: Vec::new(), body: b"Hello, World!".to_vec() }
        .with("x-hub-signature-256", "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17");
    known.call().verify(&[b"It's a Secret to Everybody"], now()).expect("is the documented signature");
}

#[test]
fn generic_calls_hold_for_minutes_only() {
    for (minutes, holds) in [(0, true), (4, true), (-4, true), (6, false), (-6, false)] {
        let at = (now() + TimeDelta::minutes(minutes)).timestamp();
        let call = sent(Generic, "push", "1", SECRET, b"{}", at);
        assert_eq!(call.call().verify(&[SECRET.as_bytes()], now()).is_ok(), holds, "{minutes}");
    }
    // The time is part of what is signed.
    let later = now() + TimeDelta::hours(1);
    let call = call(Generic, "push", "{}").with("x-skypanel-timestamp", &later.timestamp().to_string());
    assert!(call.call().verify(&[SECRET.as_bytes()], later).is_err());
    for time in ["", "soon", "-1", "99999999999999999999"] {
        let call = call.clone().with("x-skypanel-timestamp", time);
        assert!(call.call().verify(&[SECRET.as_bytes()], now()).is_err());
    }
}
