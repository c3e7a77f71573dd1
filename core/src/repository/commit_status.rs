//! Tells a Git host how the deployment of a commit goes, so that it is shown beside the commit there.
//!
//! Sources: GitHub "REST API endpoints for commit statuses", GitLab "Commits API", Gitea "API: repoCreateStatus".

use std::fmt;

use bytes::Bytes;
use hyper::Method;
use serde_json::json;
use zeroize::Zeroizing;

use crate::model::{CommitHash, GitTransport, GitUrl, HostKind};
use crate::network::{HttpClient, HttpRequest};

/// Longest description in characters: GitHub's limit.
const MAX_DESCRIPTION: usize = 140;

/// How a deployment goes, as far as hosts can show it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CommitState {
    /// It waits or runs.
    Pending,
    /// It is live.
    Success,
    /// It failed or was cancelled.
    Failure,
}

/// A status to be set. Its token is not shown by `Debug`.
#[derive(Clone)]
pub struct CommitStatus<'a> {
    /// What the host is.
    pub host: HostKind,
    /// The repository there.
    pub url: &'a GitUrl,
    /// The commit.
    pub commit: &'a CommitHash,
    /// How it goes.
    pub state: CommitState,
    /// Which of the commit's statuses this is, such as `skypanel/shop`.
    pub context: String,
    /// In words.
    pub description: String,
    /// A token that may write statuses.
    pub token: &'a Zeroizing<String>,
}

impl fmt::Debug for CommitStatus<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CommitStatus")
            .field("url", &self.url)
            .field("commit", &self.commit)
            .field("state", &self.state)
            .finish_non_exhaustive()
    }
}

/// Why a status was not set.
#[derive(Debug, thiserror::Error)]
pub enum StatusError {
    /// The host refuses it; it would again.
    #[error("{0}")]
    Refused(String),
    /// The host could not be asked, or not now.
    #[error("{0}")]
    Passing(String),
}

impl CommitStatus<'_> {
    /// Sets it.
    pub async fn send(&self, http: &HttpClient) -> Result<(), StatusError> {
        let answer = http.call(self.request()).await.map_err(StatusError::Passing)?;
        let host = self.url.host();
        match answer.status {
            200..=299 => Ok(()),
            // GitLab refuses to set what is set already.
            400 if self.host == HostKind::Gitlab && contains(&answer.body, "Cannot transition status") => Ok(()),
            408 | 425 | 429 | 500..=599 => {
                Err(StatusError::Passing(format!("{host} answered a commit status with {}.", answer.status)))
            }
            401 | 403 | 404 => Err(StatusError::Refused(format!(
                "{host} refuses commit statuses ({}): the token may not write them for {}.",
                answer.status,
                self.url.repository()
            ))),
            status => Err(StatusError::Refused(format!("{host} refuses this commit status with {status}."))),
        }
    }

    fn request(&self) -> HttpRequest {
        let repository = self.url.repository();
        let commit = self.commit;
        let description: String = self.description.chars().take(MAX_DESCRIPTION).collect();
        let (path, headers, body) = match self.host {
            HostKind::Github => (
                format!("{}/repos/{}/statuses/{commit}", self.github_prefix(), segments(repository)),
                vec![
                    ("authorization", format!("Bearer {}", self.token.as_str())),
                    ("accept", "application/vnd.github+json".to_owned()),
                    ("x-github-api-version", "2022-11-28".to_owned()),
                ],
                json!({ "state": self.word(), "context": self.context, "description": description }),
            ),
            HostKind::Gitlab => (
                format!("/api/v4/projects/{}/statuses/{commit}", encoded(repository)),
                vec![("private-token", self.token.as_str().to_owned())],
                json!({ "state": self.word(), "name": self.context, "description": description }),
            ),
            HostKind::Gitea => (
                format!("/api/v1/repos/{}/statuses/{commit}", segments(repository)),
                vec![("authorization", format!("token {}", self.token.as_str()))],
                json!({ "state": self.word(), "context": self.context, "description": description }),
            ),
        };
        let mut headers = headers;
        headers.push(("content-type", "application/json".to_owned()));
        let (tls, port) = match self.url.transport() {
            GitTransport::Https => (true, self.url.port()),
            GitTransport::Http => (false, self.url.port()),
            GitTransport::Ssh => (true, 443),
        };
        HttpRequest {
            method: Method::POST,
            tls,
            host: if self.is_github_itself() { "api.github.com".to_owned() } else { self.url.host().to_owned() },
            port,
            path,
            headers,
            body: Bytes::from(body.to_string()),
        }
    }

    fn is_github_itself(&self) -> bool {
        self.host == HostKind::Github && self.url.host() == "github.com"
    }

    fn github_prefix(&self) -> &'static str {
        if self.is_github_itself() { "" } else { "/api/v3" }
    }

    fn word(&self) -> &'static str {
        match (self.state, self.host) {
            (CommitState::Pending, _) => "pending",
            (CommitState::Success, _) => "success",
            (CommitState::Failure, HostKind::Gitlab) => "failed",
            (CommitState::Failure, _) => "failure",
        }
    }
}

fn contains(body: &[u8], words: &str) -> bool {
    String::from_utf8_lossy(body).contains(words)
}

fn segments(path: &str) -> String {
    path.split('/').map(encoded).collect::<Vec<_>>().join("/")
}

/// One segment of a path; a path that is already written with `%xx` in a Git address stays as it is.
fn encoded(text: &str) -> String {
    use std::fmt::Write as _;
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~%".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(host: HostKind, url: &str, state: CommitState) -> HttpRequest {
        let url: GitUrl = url.parse().expect("is an address");
        let commit: CommitHash = "a".repeat(40).parse().expect("is a hash");
        let token = Zeroizing::new("secret".to_owned());
        let (context, description) = ("skypanel/shop".to_owned(), "Live".to_owned());
        let status = CommitStatus { host, url: &url, commit: &commit, state, context, description, token: &token };
        let request = status.request();
        let shown = format!("{status:?} {request:?}");
        assert!(!shown.contains("secret") && shown.contains("statuses/aaaa"), "{shown}");
        request
    }

    #[test]
    fn each_host_is_told_in_its_own_way() {
        let sha = "a".repeat(40);
        let github = request(HostKind::Github, "git@github.com:acme/shop.git", CommitState::Failure);
        assert_eq!((github.host.as_str(), github.port, github.tls), ("api.github.com", 443, true));
        assert_eq!(github.path, format!("/repos/acme/shop/statuses/{sha}"));
        assert!(github.headers.contains(&("authorization", "Bearer secret".to_owned())));
        let body: serde_json::Value = serde_json::from_slice(&github.body).expect("is JSON");
        assert_eq!(body, json!({ "state": "failure", "context": "skypanel/shop", "description": "Live" }));

        let own = request(HostKind::Github, "https://git.acme.example:8443/acme/shop", CommitState::Success);
        assert_eq!((own.host.as_str(), own.port), ("git.acme.example", 8443));
        assert_eq!(own.path, format!("/api/v3/repos/acme/shop/statuses/{sha}"));

        let gitlab = request(HostKind::Gitlab, "https://gitlab.com/group/sub/shop.git", CommitState::Failure);
        assert_eq!(gitlab.path, format!("/api/v4/projects/group%2Fsub%2Fshop/statuses/{sha}"));
        assert!(gitlab.headers.contains(&("private-token", "secret".to_owned())));
        let body: serde_json::Value = serde_json::from_slice(&gitlab.body).expect("is JSON");
        assert_eq!(body["state"], "failed");

        let gitea = request(HostKind::Gitea, "ssh://git@codeberg.org:2222/acme/shop.git", CommitState::Pending);
        assert_eq!((gitea.path, gitea.port), (format!("/api/v1/repos/acme/shop/statuses/{sha}"), 443));
        assert!(gitea.headers.contains(&("authorization", "token secret".to_owned())));
    }
}
