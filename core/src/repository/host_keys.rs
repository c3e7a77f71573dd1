//! The keys an SSH host may show, pinned per app.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

use crate::{Error, Result};

/// Key types OpenSSH takes from a host.
const TYPES: [&str; 6] = [
    "ssh-ed25519",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "ssh-rsa",
    "sk-ssh-ed25519@openssh.com",
];
/// Most keys of one host.
const MAX_KEYS: usize = 16;

/// One or more public keys, `ssh-ed25519 AAAA…` a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostKeys(Vec<String>);

impl HostKeys {
    /// As a known_hosts file has them.
    pub(super) fn known_hosts(&self, host: &str) -> String {
        self.0.iter().flat_map(|key| [host, " ", key, "\n"]).collect()
    }
}

impl FromStr for HostKeys {
    type Err = Error;

    /// Takes lines of a known_hosts file or of `ssh-keyscan`, with or without the host before the key.
    fn from_str(text: &str) -> Result<Self> {
        let wrong = |why: &str| {
            Error::repository(
                "host_keys",
                format!("{why} Give the host's public keys as `ssh-keyscan HOST` prints them, a line each."),
            )
        };
        let mut keys = Vec::new();
        for line in text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
            let words: Vec<&str> = line.split_ascii_whitespace().collect();
            if words.first().is_some_and(|word| word.starts_with('@')) {
                return Err(wrong("Marked host keys (@cert-authority, @revoked) are not supported."));
            }
            let at = words.iter().take(2).position(|word| TYPES.contains(word));
            let (kind, key) = at
                .and_then(|at| Some((*words.get(at)?, *words.get(at + 1)?)))
                .ok_or_else(|| wrong("This is no SSH host key."))?;
            let bytes = BASE64_STANDARD.decode(key).map_err(|_| wrong("A host key is damaged."))?;
            // The key says its own type once more (RFC 4253 §6.6).
            let named = bytes.get(4..4 + kind.len()) == Some(kind.as_bytes());
            if !named || key.len() > 4_096 {
                return Err(wrong("A host key is damaged."));
            }
            let key = format!("{kind} {key}");
            if !keys.contains(&key) {
                keys.push(key);
            }
        }
        if keys.is_empty() || keys.len() > MAX_KEYS {
            return Err(wrong("There must be one host key at least, and 16 at most."));
        }
        Ok(Self(keys))
    }
}

impl fmt::Display for HostKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("\n"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl";

    #[test]
    fn lines_of_keyscan_and_bare_keys_are_the_same() {
        let bare: HostKeys = KEY.parse().expect("is a key");
        let scanned: HostKeys =
            format!("# github.com:22 SSH-2.0\ngithub.com {KEY} a comment\n\n{KEY}\n").parse().expect("is a key");
        assert_eq!(bare, scanned);
        assert_eq!(bare.known_hosts("repository"), format!("repository {KEY}\n"));
        assert_eq!(bare.to_string().parse::<HostKeys>().expect("comes back"), bare);
    }

    #[test]
    fn what_is_no_host_key_is_refused() {
        for text in [
            "",
            "github.com",
            "ssh-ed25519",
            "ssh-ed25519 !!!",
            "ssh-ed25519 AAAA",
            "@revoked * ssh-ed25519 AAAA",
            "ssh-rsa AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl",
            "a b ssh-ed25519 AAAA",
        ] {
            assert!(text.parse::<HostKeys>().is_err(), "{text}");
        }
    }
}
