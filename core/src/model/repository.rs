//! How an app is connected to a repository elsewhere.

use chrono::{DateTime, Utc};

use super::{GitBranch, GitUrl};

text_enum! {
    /// What a Git host is, for its programming interface.
    HostKind {
        /// GitHub, or GitHub Enterprise.
        Github = "github",
        /// GitLab.
        Gitlab = "gitlab",
        /// Gitea or Forgejo.
        Gitea = "gitea",
    }
}

impl HostKind {
    /// What a host is by its name, where that tells.
    pub fn guess(host: &str) -> Option<Self> {
        let first = host.split('.').next().unwrap_or_default();
        match (host, first) {
            ("github.com", _) | (_, "github") => Some(Self::Github),
            ("gitlab.com", _) | (_, "gitlab") => Some(Self::Gitlab),
            ("codeberg.org" | "gitea.com", _) | (_, "gitea" | "forgejo") => Some(Self::Gitea),
            _ => None,
        }
    }
}

/// An app's connection to its repository, without anything secret.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Repository {
    /// Where it lies; none while the app is only pushed to.
    pub git_url: Option<GitUrl>,
    /// The branch that is deployed.
    pub git_branch: GitBranch,
    /// Whether a webhook's push is deployed by itself.
    pub auto_deploy: bool,
    /// The user name that goes with the token; none where no token is set.
    pub token_username: Option<String>,
    /// The public half of the deploy key, `ssh-ed25519 AAAA… skypanel-<app>`.
    pub deploy_key: Option<String>,
    /// The SSH host's pinned keys.
    pub host_keys: Option<String>,
    /// Whether a user gave them; else they are what the host showed first.
    pub host_keys_given: bool,
    /// What the host is.
    pub host_kind: Option<HostKind>,
    /// Whether commits are marked with how their deployment went.
    pub report_status: bool,
    /// When the address was last seen to work.
    pub verified_at: Option<DateTime<Utc>>,
}

impl Repository {
    /// No connection, as with a new app.
    pub fn none() -> Self {
        Self {
            git_url: None,
            git_branch: GitBranch::main(),
            auto_deploy: false,
            token_username: None,
            deploy_key: None,
            host_keys: None,
            host_keys_given: false,
            host_kind: None,
            report_status: true,
            verified_at: None,
        }
    }
}

/// What a deployment is fetched from.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct DeploymentSource {
    /// The repository.
    pub git_url: GitUrl,
    /// The branch.
    pub git_branch: GitBranch,
    /// The commit that was asked for; none for the branch's newest.
    pub git_commit: Option<super::CommitHash>,
}
