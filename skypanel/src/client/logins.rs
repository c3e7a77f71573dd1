//! The platforms somebody is logged in to: their addresses, host keys and tokens, in a file only they may read.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use skypanel_core::{Error, Result, private_file};

use super::address::{Address, SSH_PORT};

/// A login to one platform.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub(crate) struct Login {
    /// Where the platform is, as it was typed: `https://paas.example`.
    pub(crate) url: String,
    /// Who is logged in.
    pub(crate) email: String,
    /// What the token may be used for.
    pub(crate) scope: String,
    /// The API token.
    pub(crate) token: Token,
    pub(crate) ssh: SshServer,
}

/// A platform's SSH server, as the platform tells of it.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub(crate) struct SshServer {
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) user: String,
    /// As in `known_hosts` files, without the host.
    pub(crate) host_keys: Vec<String>,
}

/// An API token; it is never shown.
#[derive(Clone, Deserialize, PartialEq, Eq, Serialize)]
pub(crate) struct Token(pub(crate) String);

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token(…)")
    }
}

impl Login {
    /// The name under which `ssh` knows the server's keys, and which its question for a password has.
    pub(crate) fn alias(&self) -> String {
        format!("[{}]:{}", self.ssh.host, self.ssh.port)
    }

    /// What `ssh` asks when it wants the token, and nothing else.
    pub(crate) fn question(&self) -> String {
        format!("{}@{}'s password:", self.ssh.user, self.alias())
    }

    fn is_at(&self, host: &str, port: Option<u16>) -> bool {
        self.ssh.host.eq_ignore_ascii_case(host) && self.ssh.port == port.unwrap_or(SSH_PORT)
    }
}

/// All logins, the newest first.
#[derive(Debug, Default)]
pub(crate) struct Logins {
    /// None where nobody knows where that would be.
    directory: Option<PathBuf>,
    platforms: Vec<Login>,
}

/// As it is kept.
#[derive(Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Kept {
    #[serde(default)]
    platform: Vec<Login>,
}

impl Logins {
    /// Those of the user who runs this.
    pub(crate) fn load() -> Result<Self> {
        directory().map_or_else(|| Ok(Self::default()), Self::load_from)
    }

    fn load_from(directory: PathBuf) -> Result<Self> {
        let path = directory.join("logins.toml");
        let unreadable = |reason: &dyn std::fmt::Display| {
            Error::System(format!("Your logins in {} cannot be read: {reason}", path.display()))
        };
        let kept = match std::fs::read_to_string(&path) {
            Ok(text) => toml::from_str::<Kept>(&text).map_err(|error| unreadable(&error.message()))?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Kept::default(),
            Err(error) => return Err(unreadable(&error)),
        };
        Ok(Self { directory: Some(directory), platforms: kept.platform })
    }

    /// The one used where nothing says which.
    pub(crate) fn current(&self) -> Option<&Login> {
        self.platforms.first()
    }

    /// The login to the platform at `url`.
    pub(crate) fn at(&self, url: &str) -> Option<&Login> {
        self.platforms.iter().find(|login| login.url == url)
    }

    /// The login to the platform whose SSH server is there. Nobody else's server is ever given a token.
    pub(crate) fn of(&self, address: &Address) -> Option<&Login> {
        self.platforms.iter().find(|login| login.is_at(&address.host, address.port))
    }

    /// Keeps a login, in place of an earlier one to the same platform.
    pub(crate) fn add(&mut self, login: Login) -> Result<()> {
        self.platforms.retain(|other| other.url != login.url && other.alias() != login.alias());
        self.platforms.insert(0, login);
        self.save()
    }

    /// Forgets the login to the platform at `url`.
    pub(crate) fn remove(&mut self, url: &str) -> Result<()> {
        self.platforms.retain(|login| login.url != url);
        self.save()
    }

    /// The `known_hosts` file of the platforms.
    pub(crate) fn known_hosts(&self) -> PathBuf {
        self.directory.clone().unwrap_or_default().join("known_hosts")
    }

    fn save(&self) -> Result<()> {
        let Some(directory) = &self.directory else {
            return Err(Error::System("It is not known where to keep your logins: HOME is not set.".to_owned()));
        };
        let failed = |reason: &dyn std::fmt::Display| {
            Error::System(format!("Your logins cannot be kept in {}: {reason}.", directory.display()))
        };
        let kept = Kept { platform: self.platforms.clone() };
        let text = toml::to_string(&kept).map_err(|error| failed(&error))?;
        let keys = self.platforms.iter().flat_map(|login| login.ssh.host_keys.iter().map(|key| (login.alias(), key)));
        let lines: Vec<String> = keys.map(|(alias, key)| format!("{alias} {key}\n")).collect();
        private_file::replace(&self.known_hosts(), lines.concat().as_bytes())
            .and_then(|()| private_file::replace(&directory.join("logins.toml"), text.as_bytes()))
            .map_err(|error| failed(&error))
    }
}

/// `$XDG_CONFIG_HOME/skypanel`, or `~/.config/skypanel`.
fn directory() -> Option<PathBuf> {
    let set = std::env::var_os("XDG_CONFIG_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
    set.or_else(|| home().map(|home| home.join(".config"))).map(|config| config.join("skypanel"))
}

/// The home directory of whoever runs this.
pub(crate) fn home() -> Option<PathBuf> {
    std::env::var_os("HOME").map(PathBuf::from).filter(|home| home.is_absolute())
}

#[cfg(test)]
pub(super) mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    pub(crate) fn login(url: &str, host: &str, port: u16) -> Login {
        Login {
            url: url.to_owned(),
            email: "ada@example.com".to_owned(),
            scope: "manage".to_owned(),
            token: Token("skp_secret".to_owned()),
            ssh: SshServer {
                host: host.to_owned(),
                port,
                user: "git".to_owned(),
                host_keys: vec!["ssh-ed25519 AAAA".to_owned()],
            },
        }
    }

    #[test]
    fn logins_are_kept_in_private_and_found_by_their_server() {
        let directory = tempfile::tempdir().expect("makes a directory");
        let directory = directory.path().join("skypanel");
        let mut logins = Logins::load_from(directory.clone()).expect("there are none");
        assert_eq!(logins.current(), None);
        let (first, second) =
            (login("https://a.example", "a.example", 2222), login("https://b.example", "b.example", 22));
        logins.add(first.clone()).expect("keeps it");
        logins.add(second.clone()).expect("keeps it");
        for name in ["logins.toml", "known_hosts"] {
            let mode = std::fs::metadata(directory.join(name)).expect("is there").permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{name}");
        }
        let mut logins = Logins::load_from(directory.clone()).expect("reads");
        assert_eq!(logins.current(), Some(&second));
        let of = |address: &str| logins.of(&Address::parse(address).expect("is one"));
        assert_eq!(of("ssh://git@A.example:2222/shop.git"), Some(&first));
        assert_eq!(of("git@b.example:shop.git"), Some(&second));
        for other in ["ssh://git@a.example/shop.git", "ssh://git@a.example.evil:2222", "ssh://git@b.example:2222"] {
            assert_eq!(of(other), None, "{other} is none of them");
        }
        let known = std::fs::read_to_string(logins.known_hosts()).expect("reads");
        assert_eq!(known, "[b.example]:22 ssh-ed25519 AAAA\n[a.example]:2222 ssh-ed25519 AAAA\n");
        logins.remove("https://b.example").expect("forgets it");
        let again = Login { email: "bob@example.com".to_owned(), ..first.clone() };
        logins.add(again.clone()).expect("keeps it");
        let logins = Logins::load_from(directory).expect("reads");
        assert_eq!(logins.platforms, [again]);
        assert!(!format!("{logins:?}").contains("skp_secret"));
    }

    #[test]
    fn a_file_that_is_none_is_left_alone() {
        let directory = tempfile::tempdir().expect("makes a directory");
        let path = directory.path().join("logins.toml");
        std::fs::write(&path, "token = 'skp_secret'").expect("writes");
        let error = Logins::load_from(directory.path().to_owned()).expect_err("is refused").to_string();
        assert!(error.contains("logins.toml") && !error.contains("skp_secret"), "{error}");
    }
}
