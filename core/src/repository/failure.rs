//! What `git` said when it could not get in, told as what the user has to change.

use super::Remote;
use crate::Error;
use crate::model::GitTransport;

/// Longest piece of a host's own words that is passed on.
const MAX_QUOTE: usize = 300;

/// Whether a host gives whole branches only, so that asking for a single commit failed.
pub(super) fn gives_no_single_commits(stderr: &str) -> bool {
    [
        "not our ref",
        "unadvertised object",
        "does not allow request",
        "find remote ref",
        "dumb http",
        "did not send all necessary objects",
    ]
    .iter()
    .any(|words| stderr.contains(words))
}

/// The failure of an errand, from what `git` and `ssh` write in English.
pub(super) fn classify(remote: &Remote, stderr: &str) -> Error {
    let url = &remote.url;
    let says = |words: &[&str]| words.iter().any(|words| stderr.contains(words));
    let over_ssh = url.transport() == GitTransport::Ssh;
    if over_ssh && says(&["Host key verification failed", "HOST IDENTIFICATION HAS CHANGED", "host key is known for"]) {
        return Error::repository(
            "host_keys",
            format!(
                "The host {} shows another SSH key than the one that is pinned for this app. If its owner has changed the \
                 key, pin the new one (compare it with what the owner publishes); if not, somebody may be in between.",
                url.host()
            ),
        );
    }
    if over_ssh && says(&["Permission denied"]) {
        let what = if remote.credentials.key.is_some() {
            "does not let this app's deploy key in. Add the public key to the repository there (read access is enough)."
        } else {
            "wants a key. Make a deploy key for this app and add it to the repository there."
        };
        return Error::repository("deploy_key", format!("The repository cannot be reached: {} {what}", url.host()));
    }
    if says(&[
        "Authentication failed",
        "could not read Username",
        "could not read Password",
        "error: 401",
        "error: 403",
    ]) {
        let what = if remote.credentials.token.is_some() {
            "refuses the token. Is it still valid, and may it read this repository?"
        } else {
            "wants a token: the repository is private, or does not exist."
        };
        return Error::repository("token", format!("The repository cannot be reached: {} {what}", url.host()));
    }
    let reason = if says(&[
        "error: 301",
        "error: 302",
        "error: 307",
        "error: 308",
        "unable to update url base from redirection",
    ]) {
        "the host sends callers on to another address, which is not followed. Use the address the host shows for cloning; \
         it mostly ends in .git"
            .to_owned()
    } else if says(&[
        "not found",
        "does not exist",
        "error: 404",
        "not appear to be a git repository",
        "not a git repository",
    ]) {
        "there is no such repository, or it is private".to_owned()
    } else if says(&["certificate", "SSL"]) {
        format!("its certificate is not trusted here ({})", quote(stderr))
    } else {
        quote(stderr)
    };
    Error::repository("git_url", format!("The repository {url} cannot be reached: {}.", reason.trim_end_matches('.')))
}

/// The last thing that was said, as a terminal may show it.
fn quote(stderr: &str) -> String {
    let line = stderr
        .lines()
        .rev()
        .map(str::trim)
        .find(|line| line.starts_with("fatal:") || line.starts_with("error:") || line.starts_with("ssh:"))
        .or_else(|| stderr.lines().map(str::trim).rfind(|line| !line.is_empty()))
        .unwrap_or("the host said nothing");
    line.chars().filter(|c| !c.is_control()).take(MAX_QUOTE).collect()
}
