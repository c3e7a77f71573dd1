//! Where an app's repository lies: an address that Git understands, checked so far that it can be given to `git`
//! as it is. Whether the host may be reached is for [`crate::network`] to say.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use crate::Error;

/// Longest address in bytes.
const MAX_LENGTH: usize = 1_024;

/// How a repository is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum GitTransport {
    /// Smart HTTP over TLS.
    Https,
    /// The same without TLS, where an admin allows it.
    Http,
    /// `git-upload-pack` over SSH.
    Ssh,
}

/// The address of a repository: `https://host/path`, `ssh://user@host/path` or `user@host:path`. It holds no
/// password, no query and nothing that `git` could take for an option.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct GitUrl {
    text: String,
    transport: GitTransport,
    user: Option<String>,
    host: String,
    port: Option<u16>,
    path: String,
}

impl GitUrl {
    /// The address as it was given.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// How it is reached.
    pub fn transport(&self) -> GitTransport {
        self.transport
    }

    /// The user to log in as, for SSH.
    pub fn user(&self) -> Option<&str> {
        self.user.as_deref()
    }

    /// The host: a lower-case name or an address; an IPv6 address without its brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Whether both lead to the same server, by the same way: what proves who we are there is for no other.
    pub fn has_server_of(&self, other: &Self) -> bool {
        (self.host(), self.port(), self.transport()) == (other.host(), other.port(), other.transport())
    }

    /// The port, its transport's own where none is given.
    pub fn port(&self) -> u16 {
        self.port.unwrap_or(match self.transport {
            GitTransport::Https => 443,
            GitTransport::Http => 80,
            GitTransport::Ssh => 22,
        })
    }

    /// Whether the port is named in the address.
    pub fn names_port(&self) -> bool {
        self.port.is_some()
    }

    /// The repository as hosts name it: the path without its first slash and without `.git`, such as `acme/shop`.
    pub fn repository(&self) -> &str {
        let path = self.path.trim_matches('/');
        path.strip_suffix(".git").unwrap_or(path)
    }
}

impl FromStr for GitUrl {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let text = text.trim();
        if text.is_empty() || text.len() > MAX_LENGTH {
            return Err(wrong(&format!("It must have 1 to {MAX_LENGTH} characters.")));
        }
        if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(wrong("It may hold no spaces, control characters or letters outside ASCII."));
        }
        if let Some(rest) = strip_scheme(text, "https://") {
            return from_http(text, rest, GitTransport::Https);
        }
        if let Some(rest) = strip_scheme(text, "http://") {
            return from_http(text, rest, GitTransport::Http);
        }
        if let Some(rest) = strip_scheme(text, "ssh://") {
            let (authority, path) = rest.split_once('/').ok_or_else(|| wrong("It names no repository."))?;
            let (user, host) = user_and_host(authority)?;
            let (host, port) = host_and_port(host)?;
            return checked(text, GitTransport::Ssh, user, host, port, &format!("/{path}"));
        }
        if text.contains("://") {
            return Err(wrong("Only https:// and ssh:// addresses can be fetched."));
        }
        // As `scp` writes it: a colon before the first slash, brackets around an IPv6 address.
        let colon = match text.find(']') {
            Some(bracket) => text[bracket..].find(':').map(|colon| bracket + colon),
            None => text.find(':'),
        };
        match colon {
            Some(colon) if !text[..colon].contains('/') => {
                let (user, host) = user_and_host(&text[..colon])?;
                let (host, port) = host_and_port(host)?;
                if port.is_some() || user.is_none() {
                    return Err(form());
                }
                checked(text, GitTransport::Ssh, user, host, None, &text[colon + 1..])
            }
            _ => Err(form()),
        }
    }
}

fn from_http(text: &str, rest: &str, transport: GitTransport) -> Result<GitUrl, Error> {
    let (authority, path) = rest.split_once('/').ok_or_else(|| wrong("It names no repository."))?;
    if authority.contains('@') {
        return Err(wrong("It holds a user name or a token. Give the token in its own field, where it is encrypted."));
    }
    let (host, port) = host_and_port(authority)?;
    checked(text, transport, None, host, port, &format!("/{path}"))
}

fn checked(
    text: &str,
    transport: GitTransport,
    user: Option<String>,
    host: String,
    port: Option<u16>,
    path: &str,
) -> Result<GitUrl, Error> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"/._-~+%@:,=".contains(&byte);
    if !path.bytes().all(allowed) {
        return Err(wrong("The path may hold letters, digits and / . _ - ~ + % @ : , = only, and no query."));
    }
    let mut segments = path.split('/').filter(|segment| !segment.is_empty()).peekable();
    if segments.peek().is_none() {
        return Err(wrong("It names no repository."));
    }
    if segments.any(|segment| segment == "." || segment == ".." || segment.starts_with('-')) {
        return Err(wrong("No part of its path may be \".\" or \"..\" or begin with a dash."));
    }
    Ok(GitUrl { text: text.to_owned(), transport, user, host, port, path: path.to_owned() })
}

fn strip_scheme<'a>(text: &'a str, scheme: &str) -> Option<&'a str> {
    text.get(..scheme.len()).filter(|start| start.eq_ignore_ascii_case(scheme)).map(|_| &text[scheme.len()..])
}

fn user_and_host(authority: &str) -> Result<(Option<String>, &str), Error> {
    let Some((user, host)) = authority.rsplit_once('@') else { return Ok((None, authority)) };
    let shape = (1..=64).contains(&user.len())
        && !user.starts_with('-')
        && user.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-+".contains(&byte));
    if shape { Ok((Some(user.to_owned()), host)) } else { Err(wrong("The user name before the @ has no right form.")) }
}

fn host_and_port(authority: &str) -> Result<(String, Option<u16>), Error> {
    let (host, port) = match authority.strip_prefix('[') {
        Some(rest) => {
            let (inside, after) = rest.split_once(']').ok_or_else(form)?;
            let address: Ipv6Addr = inside.parse().map_err(|_| wrong("The address in brackets is no IPv6 address."))?;
            let port = match after.strip_prefix(':') {
                Some(port) => Some(port),
                None if after.is_empty() => None,
                None => return Err(form()),
            };
            (address.to_string(), port)
        }
        None => match authority.split_once(':') {
            Some((host, port)) => (host.to_ascii_lowercase(), Some(port)),
            None => (authority.to_ascii_lowercase(), None),
        },
    };
    if host.parse::<IpAddr>().is_err() {
        check_host_name(&host)?;
    }
    let port = match port {
        None => None,
        Some(text) => {
            let number = text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse::<u16>().ok()).flatten();
            Some(number.filter(|port| *port > 0).ok_or_else(|| wrong("The port must be a number from 1 to 65535."))?)
        }
    };
    Ok((host, port))
}

/// A DNS name whose last label is no number: `127.1` and `0x7f000001` are names to us and addresses to others.
fn check_host_name(host: &str) -> Result<(), Error> {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
    };
    let last = host.rsplit('.').next().unwrap_or_default();
    let numeric = last.bytes().all(|byte| byte.is_ascii_digit())
        || last.strip_prefix("0x").is_some_and(|rest| rest.bytes().all(|byte| byte.is_ascii_hexdigit()));
    if host.len() > 253 || numeric || host.parse::<Ipv4Addr>().is_ok() || !host.split('.').all(label) {
        return Err(wrong("The host must be a name such as git.example.com; write one outside ASCII as xn--…."));
    }
    Ok(())
}

fn form() -> Error {
    wrong("Write it as https://host/owner/repository.git or git@host:owner/repository.git.")
}

fn wrong(why: &str) -> Error {
    Error::repository("git_url", format!("This is no address of a Git repository. {why}"))
}

impl fmt::Display for GitUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text)
    }
}

impl fmt::Debug for GitUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.text, f)
    }
}

text_value!(GitUrl);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_forms_people_copy_from_their_hosts_are_understood() {
        for (text, transport, user, host, port, repository) in [
            ("https://github.com/acme/shop.git", GitTransport::Https, None, "github.com", 443, "acme/shop"),
            ("HTTPS://GitHub.com/acme/shop", GitTransport::Https, None, "github.com", 443, "acme/shop"),
            ("https://git.example.com:8443/a/b/c.git/", GitTransport::Https, None, "git.example.com", 8443, "a/b/c"),
            ("https://[2001:db8::1]:8443/x.git", GitTransport::Https, None, "2001:db8::1", 8443, "x"),
            ("http://127.0.0.1:3000/x.git", GitTransport::Http, None, "127.0.0.1", 3000, "x"),
            ("git@github.com:acme/shop.git", GitTransport::Ssh, Some("git"), "github.com", 22, "acme/shop"),
            (
                "ssh://git@gitlab.com/group/sub/shop.git",
                GitTransport::Ssh,
                Some("git"),
                "gitlab.com",
                22,
                "group/sub/shop",
            ),
            (
                "ssh://git@git.example.com:2222/~me/x.git",
                GitTransport::Ssh,
                Some("git"),
                "git.example.com",
                2222,
                "~me/x",
            ),
            ("me@[2001:db8::1]:x.git", GitTransport::Ssh, Some("me"), "2001:db8::1", 22, "x"),
        ] {
            let url: GitUrl = text.parse().unwrap_or_else(|error| panic!("{text}: {error}"));
            assert_eq!(
                (url.transport(), url.user(), url.host(), url.port(), url.repository()),
                (transport, user, host, port, repository),
                "{text}"
            );
            assert_eq!(url.as_str(), text);
        }
    }

    #[test]
    fn what_git_or_others_would_read_otherwise_is_refused() {
        for text in [
            "",
            "shop",
            "/srv/git/shop.git",
            "../shop",
            "file:///etc/passwd",
            "git://github.com/a/b",
            "ext::sh -c id",
            "--upload-pack=id",
            "-oProxyCommand=id@host:x",
            "ssh://-oProxyCommand=id/x",
            "ssh://git@-host/x",
            "git@host:-x",
            "https://user:token@github.com/a/b",
            "https://token@github.com/a/b",
            "https://github.com",
            "https://github.com/",
            "https://git hub.com/a",
            "https://github.com/a?b",
            "https://github.com/a#b",
            "https://github.com/../a",
            "https://2130706433/x",
            "https://0x7f000001/x",
            "https://127.1/x",
            "https://localhost./x",
            "https://a..b/x",
            "https://github.com:0/x",
            "https://github.com:+443/x",
            "https://github.com:99999/x",
            "https://münchen.de/x",
            "https://[::1/x",
            "https://[fe80::1%25eth0]/x",
            "ftp://github.com/a",
            "ssh://git@host",
            "host:x.git",
            "git@host:",
            "git@ho st:x",
            "git@host:a\nb",
            "git@host:$(id)",
            "git@host:`id`",
            "git@host:a'b",
        ] {
            let error = text.parse::<GitUrl>().expect_err(text);
            assert_eq!(error.code(), "INVALID_GIT_URL", "{text}");
        }
        assert!(format!("https://h/{}", "a".repeat(MAX_LENGTH)).parse::<GitUrl>().is_err());
    }
}
