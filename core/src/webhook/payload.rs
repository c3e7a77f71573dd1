//! What a push looks like in the words of each host. Only what is needed is read; everything else may change.

use std::borrow::Cow;

use serde::Deserialize;

use super::{Call, Told};
use crate::model::{CommitHash, PushEvent, WebhookProvider};
use crate::{Error, Result};

/// Markers in a commit's message that ask not to deploy it.
const SKIP_MARKERS: [&str; 5] = ["[skip ci]", "[ci skip]", "[no ci]", "[skip deploy]", "[deploy skip]"];
/// Longest summary kept, in characters.
const MAX_SUMMARY: usize = 500;

/// A push of GitHub, GitLab or Gitea; they have the same names for what they share.
#[derive(Deserialize)]
struct Push {
    #[serde(rename = "ref")]
    name: String,
    #[serde(default)]
    before: Option<String>,
    after: String,
    #[serde(default)]
    deleted: bool,
    #[serde(default)]
    head_commit: Option<Commit>,
    #[serde(default)]
    commits: Option<Vec<Commit>>,
}

#[derive(Clone, Deserialize)]
struct Commit {
    id: String,
    #[serde(default)]
    message: Option<String>,
    #[serde(default)]
    author: Option<Author>,
}

#[derive(Clone, Deserialize)]
struct Author {
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    email: Option<String>,
}

/// A generic call: `{"ref": "main", "commit": "…", "message": "…", "author": "…"}`.
#[derive(Deserialize)]
struct Generic {
    #[serde(rename = "ref", alias = "branch")]
    name: String,
    #[serde(default)]
    commit: Option<String>,
    #[serde(default)]
    message: Option<String>,
    #[serde(default)]
    author: Option<String>,
}

pub(super) fn read(call: &Call<'_>) -> Result<Told> {
    let event = call.event();
    match (call.provider, event.as_str()) {
        (WebhookProvider::Github | WebhookProvider::Generic, "ping") => Ok(Told::Ping),
        (WebhookProvider::Github | WebhookProvider::Gitea, "push") | (WebhookProvider::Gitlab, "Push Hook") => {
            pushed(parse(&json_of(call)?)?)
        }
        (WebhookProvider::Generic, "push") => generic(parse(call.body)?),
        (WebhookProvider::Gitlab, "Tag Push Hook") => {
            Ok(Told::Nothing("A tag was pushed; branches are deployed.".to_owned()))
        }
        _ => Ok(Told::Nothing(format!("Nothing is done on the event \"{event}\"; pushes are deployed."))),
    }
}

fn pushed(push: Push) -> Result<Told> {
    let Some(branch) = push.name.strip_prefix("refs/heads/") else {
        return Ok(Told::Nothing(format!("{} is no branch; branches are deployed.", shown(&push.name))));
    };
    let commit: CommitHash = push.after.parse().map_err(|_| wrong("\"after\" is no commit's hash"))?;
    if push.deleted || commit.is_zero() {
        return Ok(Told::Nothing(format!("The branch \"{}\" was deleted.", shown(branch))));
    }
    let branch = branch.parse().map_err(|_| wrong("\"ref\" is no branch"))?;
    let is_head = |head: &Commit| head.id.eq_ignore_ascii_case(commit.as_str());
    let head = push.head_commit.filter(|head| is_head(head)).or_else(|| push.commits?.into_iter().find(is_head));
    let message = head.as_ref().and_then(|head| head.message.as_deref());
    let author = head.as_ref().and_then(|head| head.author.as_ref()).and_then(|author| {
        let name = author.name.as_deref().filter(|name| !name.is_empty())?;
        Some(match author.email.as_deref().filter(|email| !email.is_empty()) {
            Some(email) => format!("{name} <{email}>"),
            None => name.to_owned(),
        })
    });
    Ok(Told::Push(PushEvent {
        branch,
        before: push.before.and_then(|before| before.parse().ok()),
        commit: Some(commit),
        skip: message.and_then(skip_marker),
        message: message.map(summary),
        author: author.map(|author| shown(&author)),
    }))
}

fn generic(push: Generic) -> Result<Told> {
    let branch = push.name.strip_prefix("refs/heads/").unwrap_or(&push.name);
    let branch = branch.parse().map_err(|_| wrong("\"ref\" is no branch"))?;
    let commit: Option<CommitHash> =
        push.commit.map(|commit| commit.parse().map_err(|_| wrong("\"commit\" is no full hash"))).transpose()?;
    let message = push.message.as_deref();
    Ok(Told::Push(PushEvent {
        branch,
        before: None,
        commit,
        skip: message.and_then(skip_marker),
        message: message.map(summary),
        author: push.author.map(|author| shown(&author)),
    }))
}

/// GitHub sends a form with the JSON in it, if it is set up so.
fn json_of<'a>(call: &Call<'a>) -> Result<Cow<'a, [u8]>> {
    let form = call.header("content-type").is_some_and(|kind| kind.starts_with("application/x-www-form-urlencoded"));
    if !form {
        return Ok(Cow::Borrowed(call.body));
    }
    let field = call.body.split(|byte| *byte == b'&').find_map(|field| field.strip_prefix(b"payload="));
    form_decoded(field.unwrap_or_default()).map(Cow::Owned).ok_or_else(|| wrong("the form has no right \"payload\""))
}

fn form_decoded(text: &[u8]) -> Option<Vec<u8>> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((byte, after)) = rest.split_first() {
        rest = after;
        match byte {
            b'+' => decoded.push(b' '),
            b'%' => {
                let (digits, after) = rest.split_at_checked(2)?;
                let mut byte = [0];
                hex::decode_to_slice(digits, &mut byte).ok()?;
                decoded.push(byte[0]);
                rest = after;
            }
            other => decoded.push(*other),
        }
    }
    Some(decoded)
}

fn parse<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T> {
    serde_json::from_slice(body).map_err(|error| wrong(&format!("{error}")))
}

/// The marker in a commit's message that asks not to deploy it.
pub fn skip_marker(message: &str) -> Option<String> {
    let message = message.to_ascii_lowercase();
    SKIP_MARKERS.into_iter().find(|marker| message.contains(marker)).map(str::to_owned)
}

fn summary(message: &str) -> String {
    shown(message.lines().next().unwrap_or_default())
}

fn shown(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(MAX_SUMMARY).collect()
}

fn wrong(why: &str) -> Error {
    Error::Invalid(format!("The call's content cannot be understood: {why}."))
}
