//! A directory of its own for each errand to a repository, which only this user can enter: the bare repository, and for
//! as long as `git` needs them the credentials. It vanishes when dropped.

use std::fmt::Write as _;
use std::fs::{DirBuilder, OpenOptions, Permissions};
use std::io::Write as _;
use std::net::IpAddr;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use tempfile::TempDir;
use zeroize::Zeroizing;

use super::{HostKeys, Remote};
use crate::model::GitTransport;
use crate::{Error, Result};

/// How the names of the directories begin.
const PREFIX: &str = "skypanel-git-";
/// Older than this, a directory is no errand's any more: a fetch may take two hours at most.
const LONGEST: Duration = Duration::from_hours(3);

/// Removes the directories, and with them the credentials, that errands of processes that died have left.
pub fn remove_leftovers() -> std::io::Result<u32> {
    remove_older(&std::env::temp_dir(), LONGEST)
}

fn remove_older(directory: &Path, age: Duration) -> std::io::Result<u32> {
    let mut removed = 0;
    for entry in std::fs::read_dir(directory)? {
        let entry = entry?;
        let is_ours = entry.file_name().to_str().is_some_and(|name| name.starts_with(PREFIX));
        // One that vanishes meanwhile, or is another user's, is not ours to remove.
        let Ok(about) = entry.metadata() else { continue };
        let is_old = about.modified()?.elapsed().is_ok_and(|elapsed| elapsed > age);
        if is_ours && about.is_dir() && is_old && std::fs::remove_dir_all(entry.path()).is_ok() {
            removed += 1;
        }
    }
    Ok(removed)
}

/// The name the host goes by in the file of known hosts, whatever its address.
const ALIAS: &str = "repository";
/// `ssh` as `git` runs it, through a shell: constant, so nothing of a user's gets there.
const SSH: &str = "ssh -F \"$SKYPANEL_SSH_CONFIG\"";
/// Likewise for the program that hands `git` the token.
const CREDENTIAL_HELPER: &str = "credential.helper=store --file=\"$SKYPANEL_CREDENTIALS\"";

/// Everything `git` is given.
#[derive(Debug)]
pub(super) struct Workplace {
    directory: TempDir,
    settings: Vec<String>,
    environment: Vec<(&'static str, String)>,
    learns_host_keys: bool,
}

impl Workplace {
    /// Lays out the directory for one errand to `remote`, whose host was checked to be `address`.
    pub(super) fn prepare(remote: &Remote, address: IpAddr) -> Result<Self> {
        // The code may be private.
        let mode = Permissions::from_mode(0o700);
        let directory = tempfile::Builder::new().prefix(PREFIX).permissions(mode).tempdir();
        let directory = directory.map_err(|error| disk(&error))?;
        let mut workplace = Self { directory, settings: Vec::new(), environment: Vec::new(), learns_host_keys: false };
        DirBuilder::new().mode(0o700).create(workplace.secrets()).map_err(|error| disk(&error))?;
        match remote.url.transport() {
            GitTransport::Https | GitTransport::Http => workplace.prepare_http(remote, address)?,
            GitTransport::Ssh => workplace.prepare_ssh(remote, address)?,
        }
        Ok(workplace)
    }

    fn prepare_http(&mut self, remote: &Remote, address: IpAddr) -> Result<()> {
        let url = &remote.url;
        let scheme = if url.transport() == GitTransport::Https { "https" } else { "http" };
        self.environment.push(("GIT_ALLOW_PROTOCOL", scheme.to_owned()));
        self.setting("http.followRedirects=false");
        self.setting("http.proxy=");
        self.setting("http.lowSpeedLimit=1000");
        self.setting("http.lowSpeedTime=30");
        self.setting("credential.helper=");
        if url.host().parse::<IpAddr>().is_err() {
            let address = match address {
                IpAddr::V4(v4) => v4.to_string(),
                IpAddr::V6(v6) => format!("[{v6}]"),
            };
            self.setting(&format!("http.curloptResolve={}:{}:{address}", url.host(), url.port()));
        }
        if let Some((user, token)) = &remote.credentials.token {
            let host = if url.host().contains(':') { format!("[{}]", url.host()) } else { url.host().to_owned() };
            let port = if url.names_port() { format!(":{}", url.port()) } else { String::new() };
            let line = Zeroizing::new(format!(
                "{scheme}://{}:{}@{host}{port}\n",
                percent_encoded(user),
                Zeroizing::new(percent_encoded(token)).as_str()
            ));
            let file = self.write("credentials", line.as_bytes())?;
            self.environment.push(("SKYPANEL_CREDENTIALS", file));
            self.setting(CREDENTIAL_HELPER);
        }
        Ok(())
    }

    fn prepare_ssh(&mut self, remote: &Remote, address: IpAddr) -> Result<()> {
        self.environment.push(("GIT_ALLOW_PROTOCOL", "ssh".to_owned()));
        let known = remote.credentials.host_keys.as_ref().map(|keys| keys.known_hosts(ALIAS)).unwrap_or_default();
        self.learns_host_keys = known.is_empty();
        let known = self.write("known_hosts", known.as_bytes())?;
        let mut config = format!(
            "Host *\n HostName {address}\n HostKeyAlias {ALIAS}\n UserKnownHostsFile \"{known}\"\n \
             GlobalKnownHostsFile /dev/null\n HashKnownHosts no\n CheckHostIP no\n UpdateHostKeys no\n \
             StrictHostKeyChecking {}\n BatchMode yes\n PasswordAuthentication no\n KbdInteractiveAuthentication no\n \
             IdentitiesOnly yes\n IdentityAgent none\n ForwardAgent no\n ForwardX11 no\n ClearAllForwardings yes\n \
             PermitLocalCommand no\n ControlMaster no\n ControlPath none\n RequestTTY no\n ConnectTimeout 10\n \
             ServerAliveInterval 15\n ServerAliveCountMax 3\n LogLevel ERROR\n",
            if self.learns_host_keys { "accept-new" } else { "yes" }
        );
        if let Some(key) = &remote.credentials.key {
            let file = self.write("key", key.private_openssh().as_bytes())?;
            let _ = writeln!(config, " IdentityFile \"{file}\"");
        } else {
            config.push_str(" IdentityFile none\n");
        }
        let config = self.write("ssh_config", config.as_bytes())?;
        self.environment.push(("SKYPANEL_SSH_CONFIG", config));
        self.environment.push(("GIT_SSH_COMMAND", SSH.to_owned()));
        self.environment.push(("GIT_SSH_VARIANT", "ssh".to_owned()));
        Ok(())
    }

    fn setting(&mut self, setting: &str) {
        self.settings.push(setting.to_owned());
    }

    fn write(&self, name: &str, content: &[u8]) -> Result<String> {
        let path = self.secrets().join(name);
        OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path)
            .and_then(|mut file| file.write_all(content))
            .map_err(|error| disk(&error))?;
        let text = path.to_str().filter(|text| !text.contains(['"', '\n', '\\', '%', '$']));
        text.map(str::to_owned).ok_or_else(|| {
            Error::System("The directory for temporary files (TMPDIR) must have a plain name.".to_owned())
        })
    }

    fn secrets(&self) -> PathBuf {
        self.directory.path().join("access")
    }

    /// The directory itself.
    pub(super) fn path(&self) -> &Path {
        self.directory.path()
    }

    /// Where the bare repository lies, once it is made.
    pub(super) fn repository(&self) -> PathBuf {
        self.directory.path().join("repository")
    }

    /// Removes the repository.
    pub(super) async fn clear(&self) -> Result<()> {
        let repository = self.repository();
        tokio::task::spawn_blocking(move || std::fs::remove_dir_all(repository))
            .await
            .map_err(std::io::Error::other)
            .flatten()
            .map_err(|error| disk(&error))
    }

    /// Values for `git -c`.
    pub(super) fn settings(&self) -> &[String] {
        &self.settings
    }

    /// Variables for `git`'s environment.
    pub(super) fn environment(&self) -> &[(&'static str, String)] {
        &self.environment
    }

    /// The key the SSH host showed, where none was known before.
    pub(super) fn learned_host_keys(&self) -> Result<Option<HostKeys>> {
        if !self.learns_host_keys {
            return Ok(None);
        }
        let text = std::fs::read_to_string(self.secrets().join("known_hosts")).map_err(|error| disk(&error))?;
        if text.trim().is_empty() { Ok(None) } else { text.parse().map(Some) }
    }

    /// Removes keys and tokens once they are not needed any more.
    pub(super) fn forget_credentials(&self) {
        if let Err(error) = std::fs::remove_dir_all(self.secrets()) {
            tracing::warn!(%error, "credentials of a repository could not be removed from the disk yet");
        }
    }
}

/// As the file of `git credential-store` has it: all but letters, digits and a few marks as `%xx`.
fn percent_encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            let _ = write!(encoded, "%{byte:02x}");
        }
    }
    encoded
}

fn disk(error: &std::io::Error) -> Error {
    Error::System(format!("A place for fetching a repository could not be made: {error}."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_else_reads_what_is_fetched() {
        let remote = Remote {
            url: "https://git.example.test/acme/shop.git".parse().expect("is an address"),
            branch: "main".parse().expect("is a branch"),
            credentials: crate::repository::Credentials::default(),
        };
        let workplace = Workplace::prepare(&remote, IpAddr::from([192, 0, 2, 1])).expect("is laid out");
        let mode = std::fs::metadata(workplace.path()).expect("is there").permissions().mode();
        assert_eq!(mode & 0o777, 0o700);
    }

    #[test]
    fn what_a_dead_process_left_is_removed_and_what_is_in_use_stays() {
        let place = tempfile::tempdir().expect("makes a directory");
        let make = |name: &str, age: Duration| {
            let path = place.path().join(name);
            std::fs::create_dir_all(path.join("access")).expect("makes one");
            std::fs::write(path.join("access/credentials"), "secret").expect("writes");
            let then = std::time::SystemTime::now() - age;
            std::fs::File::open(&path).and_then(|directory| directory.set_modified(then)).expect("is made older");
            path
        };
        let old = make("skypanel-git-old", LONGEST + Duration::from_mins(1));
        let new = make("skypanel-git-new", Duration::ZERO);
        let other = make("other", LONGEST * 2);
        assert_eq!(remove_older(place.path(), LONGEST).expect("looks"), 1);
        assert_eq!((old.exists(), new.exists(), other.exists()), (false, true, true));
    }
}
