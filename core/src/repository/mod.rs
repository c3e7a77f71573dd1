//! Repositories elsewhere: whether one can be reached and has the branch, and fetching one commit of it. The work is
//! done by the `git` program, which is told the address to connect to, asks nobody anything and is given little time,
//! space and environment.

mod command;
mod commit_status;
mod deploy_key;
mod failure;
mod host_keys;
mod version;
mod workplace;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::OnceCell;
use zeroize::Zeroizing;

pub use commit_status::{CommitState, CommitStatus, StatusError};
pub use deploy_key::DeployKey;
pub use host_keys::HostKeys;

use crate::model::{CommitHash, GitBranch, GitTransport, GitUrl};
use crate::network::{Guard, HttpClient, Resolve, SystemResolver};
use crate::settings::Settings;
use crate::{Error, Result};
use command::{Ended, GitCommand};
use workplace::Workplace;
pub use workplace::remove_leftovers;

/// Longest it may take to ask a host about a repository.
const ASK_TIME: Duration = Duration::from_secs(30);
/// How much of a branch is fetched first where a host does not give single commits.
const FIRST_DEPTH: &str = "--depth=50";

/// What one needs to fetch a repository. Nothing in it is shown by `Debug`.
#[derive(Clone, Default)]
pub struct Credentials {
    /// User name and token for HTTPS.
    pub token: Option<(String, Zeroizing<String>)>,
    /// Private key for SSH.
    pub key: Option<DeployKey>,
    /// The keys the SSH host must show one of; where there are none, the first it shows is taken.
    pub host_keys: Option<HostKeys>,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credentials")
    }
}

/// A branch of a repository elsewhere.
#[derive(Clone, Debug)]
pub struct Remote {
    /// Its address.
    pub url: GitUrl,
    /// The branch.
    pub branch: GitBranch,
    /// What it takes to get in.
    pub credentials: Credentials,
}

/// What asking a host told.
#[derive(Clone, Debug)]
pub struct Seen {
    /// The newest commit of the branch.
    pub tip: CommitHash,
    /// The key an SSH host showed, where none was known before.
    pub host_keys: Option<HostKeys>,
}

/// A fetched commit, in a bare repository that vanishes with this.
#[derive(Debug)]
pub struct Fetched {
    /// The commit.
    pub commit: CommitHash,
    /// The key an SSH host showed, where none was known before.
    pub host_keys: Option<HostKeys>,
    workplace: Workplace,
}

impl Fetched {
    /// The bare repository.
    pub fn repository(&self) -> PathBuf {
        self.workplace.repository()
    }
}

/// Asks and fetches. Cheap to clone.
#[derive(Clone)]
pub struct GitClient {
    resolver: Arc<dyn Resolve>,
    program: PathBuf,
    /// Set once `git` was found to be new enough.
    checked: Arc<OnceCell<()>>,
}

impl Default for GitClient {
    fn default() -> Self {
        Self::new(Arc::new(SystemResolver))
    }
}

impl fmt::Debug for GitClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GitClient").field("program", &self.program).finish_non_exhaustive()
    }
}

impl GitClient {
    /// With this resolver and the `git` of the path.
    pub fn new(resolver: Arc<dyn Resolve>) -> Self {
        Self { resolver, program: PathBuf::from("git"), checked: Arc::default() }
    }

    /// The `git` program.
    pub fn program(&self) -> &Path {
        &self.program
    }

    /// What it looks hosts up with, for others that connect to hosts that users name.
    pub fn resolver(&self) -> Arc<dyn Resolve> {
        self.resolver.clone()
    }

    /// A client for the programming interfaces of hosts, under the same rules.
    pub fn http(&self, settings: &Settings) -> HttpClient {
        HttpClient::new(self.guard(settings))
    }

    pub(crate) fn guard(&self, settings: &Settings) -> Guard {
        Guard::new(self.resolver.clone(), settings.network_allowed.clone())
    }

    /// Whether the repository can be reached and has the branch; the error says which of the two failed.
    pub async fn ask(&self, remote: &Remote, settings: &Settings) -> Result<Seen> {
        let workplace = self.prepare(remote, settings).await?;
        self.ask_from(&workplace, remote).await
    }

    async fn ask_from(&self, workplace: &Workplace, remote: &Remote) -> Result<Seen> {
        let full = format!("refs/heads/{}", remote.branch);
        let ended = GitCommand::new(&self.program, workplace)
            .args(["ls-remote", "--quiet", "--", remote.url.as_str(), &full])
            .run(ASK_TIME, u64::MAX)
            .await?;
        if !ended.succeeded {
            return Err(failure::classify(remote, &ended.stderr));
        }
        let tip = ended
            .stdout
            .lines()
            .filter_map(|line| line.split_once('\t'))
            .find(|(_, name)| *name == full)
            .map(|(hash, _)| hash.parse::<CommitHash>())
            .transpose()?
            .ok_or_else(|| {
                Error::repository(
                    "git_branch",
                    format!(
                        "The repository {} can be reached, but has no branch \"{}\". Push that branch there, or choose \
                         another one.",
                        remote.url, remote.branch
                    ),
                )
            })?;
        Ok(Seen { tip, host_keys: workplace.learned_host_keys()? })
    }

    /// Fetches one commit, or the branch's newest: alone where the host gives single commits, else with as much of
    /// the branch as it takes. Another, to compare it with, comes along where the host still has it and gives it.
    pub async fn fetch(
        &self,
        remote: &Remote,
        commit: Option<&CommitHash>,
        beside: Option<&CommitHash>,
        settings: &Settings,
    ) -> Result<Fetched> {
        let workplace = self.prepare(remote, settings).await?;
        let limit = Duration::from_secs(settings.git_fetch_seconds);
        let work = self.fetch_into(&workplace, remote, commit, beside, settings);
        let commit = tokio::time::timeout(limit, work).await.unwrap_or_else(|_| {
            Err(Error::repository(
                "git_url",
                format!("Fetching {} took longer than {} s and was stopped.", remote.url, limit.as_secs()),
            ))
        })?;
        let host_keys = workplace.learned_host_keys()?;
        workplace.forget_credentials();
        Ok(Fetched { commit, host_keys, workplace })
    }

    async fn fetch_into(
        &self,
        workplace: &Workplace,
        remote: &Remote,
        commit: Option<&CommitHash>,
        beside: Option<&CommitHash>,
        settings: &Settings,
    ) -> Result<CommitHash> {
        let commit = match commit {
            Some(commit) => commit.clone(),
            None => self.ask_from(workplace, remote).await?.tip,
        };
        self.make_place(workplace, &commit).await?;
        let is_comparable = |other: &&CommitHash| **other != commit && other.as_str().len() == commit.as_str().len();
        if let Some(other) = beside.filter(is_comparable) {
            let both = [commit.as_str(), other.as_str()];
            if let Ok(ended) = self.run_fetch(workplace, remote, settings, &["--depth=1"], &both).await
                && ended.succeeded
            {
                return Ok(commit);
            }
            // The other one may be gone, or both together be too much: what came of them does not count.
            workplace.clear().await?;
            self.make_place(workplace, &commit).await?;
        }
        let branch = format!("refs/heads/{}", remote.branch);
        let alone = self.run_fetch(workplace, remote, settings, &["--depth=1"], &[commit.as_str()]).await?;
        if alone.succeeded {
            return Ok(commit);
        }
        if !failure::gives_no_single_commits(&alone.stderr) {
            return Err(failure::classify(remote, &alone.stderr));
        }
        // Each step takes more; a host without shallow clones refuses all but the last.
        for depth in [&[FIRST_DEPTH][..], &["--unshallow"], &[]] {
            let fetched = self.run_fetch(workplace, remote, settings, depth, &[branch.as_str()]).await?;
            if fetched.succeeded && self.has(workplace, &commit).await? {
                return Ok(commit);
            }
            if depth.is_empty() && !fetched.succeeded {
                return Err(failure::classify(remote, &fetched.stderr));
            }
        }
        Err(Error::repository(
            "commit",
            format!(
                "The commit {} is not in the branch \"{}\" of {} (any more).",
                commit.short(),
                remote.branch,
                remote.url
            ),
        ))
    }

    async fn make_place(&self, workplace: &Workplace, commit: &CommitHash) -> Result<()> {
        let format = if commit.as_str().len() == 64 { "--object-format=sha256" } else { "--object-format=sha1" };
        let made = GitCommand::new(&self.program, workplace)
            .args(["init", "--quiet", "--bare", format, "--template=", "repository"])
            .run(ASK_TIME, u64::MAX)
            .await?;
        if !made.succeeded {
            return Err(Error::System("A place to fetch into could not be made. Is the disk full?".to_owned()));
        }
        Ok(())
    }

    async fn run_fetch(
        &self,
        workplace: &Workplace,
        remote: &Remote,
        settings: &Settings,
        options: &[&str],
        what: &[&str],
    ) -> Result<Ended> {
        GitCommand::new(&self.program, workplace)
            .in_repository()
            .args(["fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--no-recurse-submodules", "--no-auto-gc"])
            .args(options.iter().copied())
            .args(["--", remote.url.as_str()])
            .args(what.iter().copied())
            .run(Duration::from_secs(settings.git_fetch_seconds), settings.git_max_pack_mb << 20)
            .await
    }

    async fn has(&self, workplace: &Workplace, commit: &CommitHash) -> Result<bool> {
        let found = GitCommand::new(&self.program, workplace)
            .in_repository()
            .args(["cat-file", "-e", &format!("{commit}^{{commit}}")])
            .run(ASK_TIME, u64::MAX)
            .await?;
        Ok(found.succeeded)
    }

    /// Checks the host, and lays out what `git` needs to get in.
    async fn prepare(&self, remote: &Remote, settings: &Settings) -> Result<Workplace> {
        if remote.url.transport() == GitTransport::Http && !settings.git_allow_http {
            return Err(Error::repository(
                "git_url",
                "Addresses with http:// are not fetched, since anyone on the way could change the code. Use https://.",
            ));
        }
        // One that answers now; the rest of the work goes to this address and to no other.
        let stream = self
            .guard(settings)
            .connect(remote.url.host(), remote.url.port())
            .await
            .map_err(|error| Error::repository("git_url", format!("The repository cannot be reached. {error}")))?;
        let address = stream
            .peer_addr()
            .map_err(|error| Error::repository("git_url", format!("The repository cannot be reached: {error}.")))?
            .ip();
        drop(stream);
        let workplace = Workplace::prepare(remote, address)?;
        self.checked.get_or_try_init(|| version::check(&self.program, &workplace)).await?;
        Ok(workplace)
    }
}
