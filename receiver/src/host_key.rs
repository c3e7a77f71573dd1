//! The server's own Ed25519 key: made on the first start, in OpenSSH's format, readable by us alone.

use std::io::ErrorKind;
use std::path::Path;

use russh::keys::ssh_key::LineEnding;
use russh::keys::{Algorithm, PrivateKey};
use skypanel_core::{Error, Result, private_file};

/// Reads the key, or makes it where there is none.
pub(crate) fn open_or_create(path: &Path) -> Result<PrivateKey> {
    let failed = |what: &str, reason: &dyn std::fmt::Display| {
        Error::System(format!("The SSH host key {} could not be {what}: {reason}.", path.display()))
    };
    match std::fs::read_to_string(path) {
        Ok(text) => PrivateKey::from_openssh(&text).map_err(|error| failed("read", &error)).and_then(|key| {
            match key.algorithm() {
                Algorithm::Ed25519 => Ok(key),
                other => Err(failed("used", &format_args!("it is a key of type {other}, not ssh-ed25519"))),
            }
        }),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let mut key =
                PrivateKey::random(&mut rand::rng(), Algorithm::Ed25519).map_err(|error| failed("made", &error))?;
            key.set_comment("skypanel");
            let text = key.to_openssh(LineEnding::LF).map_err(|error| failed("made", &error))?;
            private_file::create(path, text.as_bytes()).map_err(|error| failed("written", &error))?;
            Ok(key)
        }
        Err(error) => Err(failed("read", &error)),
    }
}

/// The public half as a `known_hosts` file has it, without the host: `ssh-ed25519 AAAA…`.
pub(crate) fn public_line(key: &PrivateKey) -> String {
    let mut public = key.public_key().clone();
    public.set_comment("");
    public.to_openssh().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn is_made_once_private_and_read_again() {
        let dir = tempfile::tempdir().expect("temporary directory");
        let path = dir.path().join("deep/ssh_host_ed25519_key");
        let first = open_or_create(&path).expect("made");
        assert_eq!(std::fs::metadata(&path).expect("exists").permissions().mode() & 0o777, 0o600);
        let second = open_or_create(&path).expect("read");
        assert_eq!(first.public_key().key_data(), second.public_key().key_data());
    }

    #[test]
    fn a_damaged_key_is_an_error_and_stays_as_it_is() {
        let dir = tempfile::tempdir().expect("temporary directory");
        let path = dir.path().join("key");
        std::fs::write(&path, "no key").expect("writes");
        let error = open_or_create(&path).expect_err("is refused").to_string();
        assert!(error.contains("could not be read"), "{error}");
        assert_eq!(std::fs::read_to_string(&path).expect("still there"), "no key");
    }
}
