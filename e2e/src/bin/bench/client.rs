//! The developer: repositories, pushes and commands with the real `git` and `ssh`, and a key of their own.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::Result;
use crate::process::{Running, run};

const LOCAL_LIMIT: Duration = Duration::from_mins(1);

/// Who pushes, and with which key.
pub(crate) struct Client {
    directory: PathBuf,
}

impl Client {
    /// Makes the key and an `ssh` configuration that no setting of the user's can change.
    pub(crate) fn new(directory: &Path) -> Result<Self> {
        fs::create_dir_all(directory)?;
        let client = Self { directory: directory.to_owned() };
        let mut keygen = Command::new("ssh-keygen");
        keygen.args(["-q", "-t", "ed25519", "-N", "", "-C", "skypanel-bench", "-f"]).arg(client.key());
        run(&mut keygen, LOCAL_LIMIT)?;
        let configuration = format!(
            "IdentityFile {}\nIdentitiesOnly yes\nIdentityAgent none\nUserKnownHostsFile {}\nStrictHostKeyChecking accept-new\n\
             LogLevel ERROR\nBatchMode yes\n",
            client.key().display(),
            directory.join("known_hosts").display()
        );
        fs::write(client.configuration(), configuration)?;
        Ok(client)
    }

    fn key(&self) -> PathBuf {
        self.directory.join("id_ed25519")
    }

    pub(crate) fn public_key(&self) -> PathBuf {
        self.directory.join("id_ed25519.pub")
    }

    fn configuration(&self) -> PathBuf {
        self.directory.join("ssh_config")
    }

    /// `ssh`, to which port and user remain to be said.
    pub(crate) fn ssh(&self) -> Command {
        let mut ssh = Command::new("ssh");
        ssh.arg("-F").arg(self.configuration());
        ssh
    }

    /// Makes a repository out of a directory of files, with one commit.
    pub(crate) fn repository(&self, name: &str, fill: impl FnOnce(&Path) -> Result<()>) -> Result<Repository> {
        let path = self.directory.join(name);
        fs::create_dir_all(&path)?;
        let ssh = format!("ssh -F {}", self.configuration().display());
        let repository = Repository { path, ssh };
        repository.git(&["init", "--quiet", "--initial-branch=main"])?;
        fill(&repository.path)?;
        repository.commit("First version")?;
        Ok(repository)
    }
}

/// A developer's repository.
pub(crate) struct Repository {
    pub(crate) path: PathBuf,
    ssh: String,
}

impl Repository {
    fn command(&self) -> Command {
        let mut git = Command::new("git");
        git.current_dir(&self.path)
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_TERMINAL_PROMPT", "0")
            .env("GIT_SSH_COMMAND", &self.ssh)
            .args(["-c", "user.name=Skypanel benchmark", "-c", "user.email=bench@localhost", "-c", "gc.auto=0"]);
        git
    }

    /// Runs `git` locally.
    pub(crate) fn git(&self, arguments: &[&str]) -> Result<()> {
        run(self.command().args(arguments), LOCAL_LIMIT).map(drop)
    }

    /// Commits all there is.
    pub(crate) fn commit(&self, message: &str) -> Result<()> {
        self.git(&["add", "--all"])?;
        self.git(&["commit", "--quiet", "--message", message])
    }

    /// Starts `git push` of what is checked out.
    pub(crate) fn push(&self, url: &str, branch: &str) -> Result<Running> {
        Running::start(self.command().args(["push", url, &format!("HEAD:refs/heads/{branch}")]))
    }
}

/// Copies a directory of small files.
pub(crate) fn copy(from: &Path, to: &Path) -> Result<()> {
    for entry in fs::read_dir(from).map_err(|error| format!("{}: {error}", from.display()))? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            fs::create_dir_all(&target)?;
            copy(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}

/// Changes the greeting of a copy of `examples/python-hello` or `python-flask`.
pub(crate) fn change_greeting(repository: &Path, from: &str, to: &str) -> Result<()> {
    let file = repository.join("app.py");
    let source = fs::read_to_string(&file)?;
    if source.matches(from).count() != 1 {
        return Err(format!("{} does not hold {from:?} once", file.display()).into());
    }
    Ok(fs::write(&file, source.replace(from, to))?)
}
