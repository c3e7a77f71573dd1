//! Where commands go: an address over SSH, as Git writes it, and which place says it.

use std::process::{Command, Stdio};

use skypanel_core::{Error, Result};

use super::logins::{Login, Logins};

/// The port of SSH where an address has none.
pub(crate) const SSH_PORT: u16 = 22;

/// An address over SSH.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Address {
    pub(crate) user: Option<String>,
    pub(crate) host: String,
    /// None where the address has none: SSH's own configuration says which, as it does for Git.
    pub(crate) port: Option<u16>,
    pub(crate) app: Option<String>,
}

impl Address {
    /// Reads the two forms in which Git writes addresses over SSH, `ssh://[user@]host[:port][/app[.git]]` and
    /// `[user@]host:app[.git]`.
    pub(crate) fn parse(remote: &str) -> Option<Self> {
        let (authority, path, may_have_port) = match remote.strip_prefix("ssh://") {
            Some(rest) => rest.split_once('/').map_or((rest, "", true), |(authority, path)| (authority, path, true)),
            None if remote.contains("://") => return None,
            None => remote.rsplit_once(':').map(|(authority, path)| (authority, path, false))?,
        };
        let (user, address) = match authority.rsplit_once('@') {
            Some((user, address)) => (Some(user), address),
            None => (None, authority),
        };
        let (host, port) = match address.rsplit_once(':').map(|(host, port)| (host, port.parse())) {
            Some((host, Ok(port))) if may_have_port => (host, Some(port)),
            _ => (address, None),
        };
        let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        // A name that starts with a dash would be an option to ssh.
        let readable = |name: &str| !name.is_empty() && !name.starts_with('-') && !name.contains(['/', ' ']);
        if !readable(host) || !user.is_none_or(readable) {
            return None;
        }
        let app = path.trim_matches('/').trim_end_matches(".git");
        Some(Self {
            user: user.map(str::to_owned),
            host: host.to_owned(),
            port,
            app: (!app.is_empty()).then(|| app.to_owned()),
        })
    }

    /// The SSH server of a platform one is logged in to.
    pub(crate) fn of(login: &Login) -> Self {
        let ssh = &login.ssh;
        Self { user: Some(ssh.user.clone()), host: ssh.host.clone(), port: Some(ssh.port), app: None }
    }

    /// What `ssh` calls it.
    pub(crate) fn destination(&self) -> String {
        self.user.as_ref().map_or_else(|| self.host.clone(), |user| format!("{user}@{}", self.host))
    }

    /// The address of an app's repository, or of the server alone.
    pub(crate) fn url(&self, app: Option<&str>) -> String {
        let user = self.user.as_ref().map_or_else(String::new, |user| format!("{user}@"));
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        let port = self.port.map_or_else(String::new, |port| format!(":{port}"));
        let path = app.map_or_else(String::new, |app| format!("/{app}.git"));
        format!("ssh://{user}{host}{port}{path}")
    }
}

/// Where commands go: what `SKYPANEL_REMOTE` says, else the Git remote `skypanel`, else the platform logged in to last.
pub(crate) fn find(logins: &Logins) -> Result<Option<Address>> {
    let (from, address) = match (from_environment(), git_remote("skypanel")) {
        (Some(address), _) => ("SKYPANEL_REMOTE", address),
        (None, Some(address)) => ("The Git remote \"skypanel\"", address),
        (None, None) => return Ok(logins.current().map(Address::of)),
    };
    read(from, &address).map(Some)
}

/// What the environment says.
pub(crate) fn given() -> Result<Option<Address>> {
    from_environment().map(|address| read("SKYPANEL_REMOTE", &address)).transpose()
}

fn from_environment() -> Option<String> {
    std::env::var("SKYPANEL_REMOTE").ok().filter(|address| !address.is_empty())
}

fn read(from: &str, address: &str) -> Result<Address> {
    Address::parse(address).ok_or_else(|| {
        Error::Invalid(format!(
            "{from} is {address:?}, which is no address of a platform over SSH. It looks like\n\
             ssh://git@HOST:2222 or, with an app, ssh://git@HOST:2222/APP.git."
        ))
    })
}

/// The address of a Git remote, if the directory one is in has it.
pub(crate) fn git_remote(name: &str) -> Option<String> {
    let answer = Command::new("git")
        .args(["remote", "get-url", "--", name])
        .stderr(Stdio::null())
        .output()
        .ok()
        .filter(|output| output.status.success())?;
    Some(String::from_utf8_lossy(&answer.stdout).trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// User, host, port and app of an address, with a dash for each it does not have.
    fn parts(remote: &str) -> String {
        let Some(address) = Address::parse(remote) else { return "unreadable".to_owned() };
        let shown = |part: Option<String>| part.unwrap_or_else(|| "-".to_owned());
        let port = address.port.map(|port| port.to_string());
        [shown(address.user), address.host, shown(port), shown(address.app)].join(" ")
    }

    #[test]
    fn remotes() {
        for (remote, expected) in [
            ("ssh://git@panel.example:2222/hello.git", "git panel.example 2222 hello"),
            ("ssh://git@[::1]:2222", "git ::1 2222 -"),
            ("ssh://panel/hello", "- panel - hello"),
            ("git@panel.example:hello.git", "git panel.example - hello"),
        ] {
            assert_eq!(parts(remote), expected);
        }
        for bad in [
            "",
            "foo",
            "https://x/y",
            "ssh://-oProxyCommand=x/y",
            "ssh://git@-x/y",
            "ssh:///y",
            "ssh://@x/y",
            "-oProxyCommand=x:y",
            "/srv/git:x",
        ] {
            assert!(Address::parse(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn addresses_are_written_as_they_are_read() {
        for written in ["ssh://git@panel.example:2222", "ssh://git@[::1]:2222", "ssh://panel"] {
            let address = Address::parse(written).expect("is one");
            assert_eq!(address.url(None), written);
            assert_eq!(address.url(Some("shop")), format!("{written}/shop.git"));
        }
    }
}
