//! Encryption at rest: XChaCha20-Poly1305 under a key derived per organisation from the master key.
//!
//! A sealed value is `version (1) | key id (4) | nonce (24) | ciphertext and tag`. The associated data says
//! what the value belongs to, so a value moved to another row does not open. The key id lets several master
//! keys live side by side while values are sealed anew under the newest.

use std::fs::File;
use std::io::{ErrorKind, Read as _};
use std::path::Path;
use std::sync::Arc;

use chacha20poly1305::aead::{Aead as _, KeyInit as _, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use hkdf::Hkdf;
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::model::{OrganizationId, Sha256Digest};
use crate::{Error, Result, private_file};

const FORMAT: u8 = 1;
const NONCE_LEN: usize = 24;
const HEADER_LEN: usize = 1 + 4 + NONCE_LEN;

/// Seals and opens values. Cheap to clone.
#[derive(Clone)]
pub struct Secrets {
    // Newest first; sealing uses the first, opening the one the value names.
    keys: Arc<[MasterKey]>,
}

struct MasterKey {
    id: [u8; 4],
    bytes: Zeroizing<[u8; 32]>,
}

/// Whose key a value is sealed with.
#[derive(Clone, Copy, Debug)]
pub enum Owner {
    /// An organisation's.
    Organization(OrganizationId),
    /// The platform's own (settings).
    Platform,
}

impl Secrets {
    /// Reads the master keys of `path`: one a line, 64 hex digits, newest first. Where the file does not
    /// exist it is made, mode 0600, with one fresh key.
    pub fn open_or_create(path: &Path) -> Result<Self> {
        let failed = |what: &str, error: std::io::Error| {
            Error::System(format!("The master key file {} could not be {what}: {error}.", path.display()))
        };
        let mut text = Zeroizing::new(String::new());
        match File::open(path) {
            Ok(mut file) => {
                file.read_to_string(&mut text).map_err(|error| failed("read", error))?;
            }
            Err(error) if error.kind() == ErrorKind::NotFound => {
                *text = hex::encode(Zeroizing::new(rand::random::<[u8; 32]>()).as_slice());
                text.push('\n');
                private_file::create(path, text.as_bytes()).map_err(|error| failed("made", error))?;
            }
            Err(error) => return Err(failed("opened", error)),
        }
        Self::from_lines(&text).ok_or_else(|| {
            Error::System(format!(
                "The master key file {} must hold one key a line, each 64 hex digits. Restore it from your backup; \
                 without it no stored secret can be read.",
                path.display()
            ))
        })
    }

    fn from_lines(text: &str) -> Option<Self> {
        let keys = text
            .lines()
            .filter(|line| !line.trim().is_empty())
            .map(|line| {
                let mut bytes = Zeroizing::new([0; 32]);
                hex::decode_to_slice(line.trim(), bytes.as_mut_slice()).ok()?;
                let digest = Sha256Digest::of(bytes.as_slice()).hex();
                let mut id = [0; 4];
                hex::decode_to_slice(&digest[..8], &mut id).ok()?;
                Some(MasterKey { id, bytes })
            })
            .collect::<Option<Vec<_>>>()?;
        (!keys.is_empty()).then(|| Self { keys: keys.into() })
    }

    /// A key for another use than sealing, the same in every process with this master key.
    pub(crate) fn derive(&self, purpose: &str) -> Result<Zeroizing<[u8; 32]>> {
        let mut derived = Zeroizing::new([0; 32]);
        Hkdf::<Sha256>::new(None, self.keys[0].bytes.as_slice())
            .expand(format!("skypanel {purpose}").as_bytes(), derived.as_mut_slice())
            .map_err(|_| Error::Secret)?;
        Ok(derived)
    }

    /// Seals `value`; `belongs_to` must be given again to open it.
    pub fn seal(&self, owner: Owner, belongs_to: &str, value: &[u8]) -> Result<Vec<u8>> {
        let key = &self.keys[0];
        let nonce: [u8; NONCE_LEN] = rand::random();
        let sealed = cipher(key, owner)?
            .encrypt(&XNonce::from(nonce), Payload { msg: value, aad: belongs_to.as_bytes() })
            .map_err(|_| Error::Secret)?;
        let mut out = Vec::with_capacity(HEADER_LEN + sealed.len());
        out.push(FORMAT);
        out.extend_from_slice(&key.id);
        out.extend_from_slice(&nonce);
        out.extend_from_slice(&sealed);
        Ok(out)
    }

    /// Opens what [`Secrets::seal`] made for the same owner and the same thing.
    pub fn open(&self, owner: Owner, belongs_to: &str, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>> {
        let (header, body) = sealed.split_at_checked(HEADER_LEN).ok_or(Error::Secret)?;
        let (id, nonce) = header[1..].split_at(4);
        let key = self.keys.iter().find(|key| key.id == id).ok_or(Error::Secret)?;
        let nonce: [u8; NONCE_LEN] = nonce.try_into().map_err(|_| Error::Secret)?;
        if header[0] != FORMAT {
            return Err(Error::Secret);
        }
        cipher(key, owner)?
            .decrypt(&XNonce::from(nonce), Payload { msg: body, aad: belongs_to.as_bytes() })
            .map(Zeroizing::new)
            .map_err(|_| Error::Secret)
    }
}

impl std::fmt::Debug for Secrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secrets(…)")
    }
}

fn cipher(key: &MasterKey, owner: Owner) -> Result<XChaCha20Poly1305> {
    let info = match owner {
        Owner::Organization(id) => format!("skypanel organization {id}"),
        Owner::Platform => "skypanel platform".to_owned(),
    };
    let mut derived = Zeroizing::new([0; 32]);
    Hkdf::<Sha256>::new(None, key.bytes.as_slice())
        .expand(info.as_bytes(), derived.as_mut_slice())
        .map_err(|_| Error::Secret)?;
    XChaCha20Poly1305::new_from_slice(derived.as_slice()).map_err(|_| Error::Secret)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secrets(keys: &[u8]) -> Secrets {
        let lines: Vec<String> = keys.iter().map(|byte| hex::encode([*byte; 32])).collect();
        Secrets::from_lines(&lines.join("\n")).expect("well-formed keys")
    }

    #[test]
    fn opens_only_for_the_same_owner_thing_and_key() {
        let secrets_1 = secrets(&[1]);
        let org = Owner::Organization(OrganizationId::new());
        let sealed = secrets_1.seal(org, "app 1 KEY", b"value").expect("seals");
        assert_eq!(secrets_1.open(org, "app 1 KEY", &sealed).expect("opens").as_slice(), b"value");
        assert!(secrets_1.open(org, "app 2 KEY", &sealed).is_err());
        assert!(secrets_1.open(Owner::Platform, "app 1 KEY", &sealed).is_err());
        assert!(secrets_1.open(Owner::Organization(OrganizationId::new()), "app 1 KEY", &sealed).is_err());
        assert!(secrets(&[2]).open(org, "app 1 KEY", &sealed).is_err());
        for end in 0..sealed.len() {
            assert!(secrets_1.open(org, "app 1 KEY", &sealed[..end]).is_err());
        }
    }

    #[test]
    fn a_rotated_master_key_still_opens_old_values() {
        let sealed = secrets(&[1]).seal(Owner::Platform, "x", b"old").expect("seals");
        let rotated = secrets(&[2, 1]);
        assert_eq!(rotated.open(Owner::Platform, "x", &sealed).expect("opens").as_slice(), b"old");
        let new = rotated.seal(Owner::Platform, "x", b"new").expect("seals");
        assert!(secrets(&[1]).open(Owner::Platform, "x", &new).is_err());
    }

    #[test]
    fn makes_a_private_key_file_once() {
        use std::os::unix::fs::PermissionsExt as _;
        let dir = tempfile::tempdir().expect("temporary directory");
        let path = dir.path().join("master.key");
        let sealed = Secrets::open_or_create(&path).expect("creates").seal(Owner::Platform, "x", b"v").expect("seals");
        let mode = std::fs::metadata(&path).expect("exists").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert!(Secrets::open_or_create(&path).expect("reads").open(Owner::Platform, "x", &sealed).is_ok());
        std::fs::write(&path, "not a key\n").expect("writes");
        assert!(Secrets::open_or_create(&path).is_err());
    }
}
