//! People with SSH keys of their own.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;

use crate::command::{Finished, run};
use crate::{COMMAND_LIMIT, Instance};

/// Someone with a key, and a directory for it.
pub struct User {
    instance: Instance,
    home: TempDir,
}

impl User {
    /// A key of the user who owns the tests' organisation.
    #[track_caller]
    pub fn owner(instance: &Instance) -> Self {
        let user = Self::stranger(instance);
        user.register(&instance.user);
        user
    }

    /// A new user with a role in an organisation, which is made if there is none of that name.
    #[track_caller]
    pub fn member(instance: &Instance, organization: &str, role: &str) -> Self {
        let user = Self::stranger(instance);
        let email = format!("{}@e2e.test", unique("user"));
        let _ = instance.admin(&["user:create", &email, "--org", organization, "--role", role]).success();
        user.register(&email);
        user
    }

    /// A new user who administers the platform.
    #[track_caller]
    pub fn admin(instance: &Instance) -> Self {
        let user = Self::stranger(instance);
        let email = format!("{}@e2e.test", unique("admin"));
        let _ = instance.admin(&["user:create", &email, "--admin"]).success();
        user.register(&email);
        user
    }

    /// Someone whose key nobody knows.
    ///
    /// # Panics
    /// When no key can be made.
    #[track_caller]
    pub fn stranger(instance: &Instance) -> Self {
        let home = tempfile::Builder::new().prefix("skypanel-e2e-user-").tempdir().expect("a temporary directory");
        let user = Self { instance: instance.clone(), home };
        let mut keygen = Command::new("ssh-keygen");
        keygen.args(["-q", "-t", "ed25519", "-N", "", "-C", "e2e", "-f"]).arg(user.key());
        let _ = run(&mut keygen, Duration::from_secs(20)).success();
        user
    }

    #[track_caller]
    fn register(&self, email: &str) {
        let key = self.key().with_extension("pub");
        let _ = self.instance.admin(&["key:add", "--email", email, &key.to_string_lossy()]).success();
    }

    /// The private key's file.
    pub fn key(&self) -> PathBuf {
        self.home.path().join("id_ed25519")
    }

    /// The words that call `ssh` with this user's key and none of the machine's own settings.
    pub fn ssh_words(&self) -> Vec<String> {
        let known_hosts = self.home.path().join("known_hosts");
        [
            "ssh".to_owned(),
            "-F/dev/null".to_owned(),
            format!("-i{}", self.key().display()),
            "-oIdentitiesOnly=yes".to_owned(),
            "-oIdentityAgent=none".to_owned(),
            format!("-oUserKnownHostsFile={}", known_hosts.display()),
            "-oStrictHostKeyChecking=accept-new".to_owned(),
            "-oLogLevel=ERROR".to_owned(),
            "-oBatchMode=yes".to_owned(),
            format!("-p{}", self.instance.ssh_port),
        ]
        .into()
    }

    /// `ssh git@… <line>`; `options` come before the address.
    pub fn ssh(&self, options: &[&str], line: &str) -> Command {
        let words = self.ssh_words();
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]).args(options).arg("git@127.0.0.1");
        if !line.is_empty() {
            command.arg("--").arg(line);
        }
        command
    }

    /// Runs a command line on the platform.
    #[track_caller]
    pub fn command(&self, line: &str) -> Finished {
        run(&mut self.ssh(&["-T"], line), COMMAND_LIMIT)
    }

    /// An app's remote address.
    pub fn remote(&self, slug: &str) -> String {
        format!("ssh://git@127.0.0.1:{}/{slug}.git", self.instance.ssh_port)
    }

    /// `git` as this user, with none of the machine's own settings.
    pub fn git(&self) -> Command {
        let mut git = Command::new("git");
        git.env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_TERMINAL_PROMPT", "0")
            .env("LC_ALL", "C.UTF-8")
            .env("GIT_SSH_COMMAND", self.ssh_words().join(" "))
            .env("GIT_AUTHOR_NAME", "Ada Example")
            .env("GIT_AUTHOR_EMAIL", "ada@example.com")
            .env("GIT_COMMITTER_NAME", "Ada Example")
            .env("GIT_COMMITTER_EMAIL", "ada@example.com");
        git
    }
}

/// A name that no other test uses, at most 30 characters, a DNS label.
///
/// # Panics
/// When the clock is before 1970.
pub(crate) fn unique(prefix: &str) -> String {
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::time::SystemTime;
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("a clock");
    let stamp = (since.as_millis() % 100_000_000) as u64;
    let prefix = prefix.get(..12).unwrap_or(prefix).trim_end_matches('-');
    format!("{prefix}-{:x}-{stamp:x}{number}", std::process::id())
}
