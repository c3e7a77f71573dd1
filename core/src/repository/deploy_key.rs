//! A key pair of an app's own, with which it reads its private repository: Ed25519, in OpenSSH's forms
//! (PROTOCOL.key of OpenSSH; RFC 8709 for the public half).

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use zeroize::Zeroizing;

use crate::{Error, Result};

const TYPE: &[u8] = b"ssh-ed25519";
/// Cipher block of an unencrypted key: what the private part is padded to.
const BLOCK: usize = 8;
/// Characters a line of the armour has.
const LINE: usize = 70;

/// A key pair; the private half is wiped from memory with it.
#[derive(Clone)]
pub struct DeployKey {
    seed: Zeroizing<[u8; 32]>,
    public: [u8; 32],
}

impl DeployKey {
    /// A new one.
    pub fn generate() -> Result<Self> {
        Self::from_seed(Zeroizing::new(rand::random()))
    }

    /// The one of this seed, as [`DeployKey::seed`] gave it.
    pub fn from_stored(seed: &[u8]) -> Result<Self> {
        Self::from_seed(Zeroizing::new(seed.try_into().map_err(|_| Error::Secret)?))
    }

    fn from_seed(seed: Zeroizing<[u8; 32]>) -> Result<Self> {
        let pair = Ed25519KeyPair::from_seed_unchecked(seed.as_slice()).map_err(|_| Error::Secret)?;
        let public = pair.public_key().as_ref().try_into().map_err(|_| Error::Secret)?;
        Ok(Self { seed, public })
    }

    /// The private half, to be sealed.
    pub fn seed(&self) -> &[u8; 32] {
        &self.seed
    }

    /// The public half as a line for the host, `ssh-ed25519 AAAA… comment`.
    pub fn public_openssh(&self, comment: &str) -> String {
        format!("ssh-ed25519 {} {comment}", BASE64_STANDARD.encode(self.public_blob()))
    }

    fn public_blob(&self) -> Vec<u8> {
        let mut blob = Vec::with_capacity(51);
        put(&mut blob, TYPE);
        put(&mut blob, &self.public);
        blob
    }

    /// The private half as `ssh` reads it.
    pub(super) fn private_openssh(&self) -> Zeroizing<String> {
        let mut private = Zeroizing::new(Vec::with_capacity(256));
        // Twice the same number tells a right passphrase from a wrong one; there is none.
        private.extend_from_slice(&[0; 8]);
        put(&mut private, TYPE);
        put(&mut private, &self.public);
        let mut pair = Zeroizing::new([0; 64]);
        pair[..32].copy_from_slice(self.seed.as_slice());
        pair[32..].copy_from_slice(&self.public);
        put(&mut private, pair.as_slice());
        put(&mut private, b"");
        let mut padding = 1;
        while private.len() % BLOCK != 0 {
            private.push(padding);
            padding += 1;
        }
        let mut key = Zeroizing::new(Vec::with_capacity(512));
        key.extend_from_slice(b"openssh-key-v1\0");
        put(&mut key, b"none");
        put(&mut key, b"none");
        put(&mut key, b"");
        key.extend_from_slice(&1_u32.to_be_bytes());
        put(&mut key, &self.public_blob());
        put(&mut key, &private);
        let encoded = Zeroizing::new(BASE64_STANDARD.encode(key.as_slice()));
        let mut text = Zeroizing::new(String::with_capacity(512));
        text.push_str("-----BEGIN OPENSSH PRIVATE KEY-----\n");
        let mut rest = encoded.as_str();
        while !rest.is_empty() {
            let (line, after) = rest.split_at(rest.len().min(LINE));
            text.push_str(line);
            text.push('\n');
            rest = after;
        }
        text.push_str("-----END OPENSSH PRIVATE KEY-----\n");
        text
    }
}

impl std::fmt::Debug for DeployKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("DeployKey")
    }
}

/// A string of SSH: its length in four bytes, then its bytes (RFC 4251 §5).
fn put(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend_from_slice(&u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_be_bytes());
    out.extend_from_slice(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn openssh_reads_the_private_half_and_finds_the_public_one() {
        use std::os::unix::fs::PermissionsExt as _;
        let directory = tempfile::tempdir().expect("makes a directory");
        for _ in 0..8 {
            let key = DeployKey::generate().expect("is made");
            let file = directory.path().join("key");
            std::fs::write(&file, key.private_openssh().as_bytes()).expect("writes");
            std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).expect("sets");
            let output =
                std::process::Command::new("ssh-keygen").arg("-y").arg("-f").arg(&file).output().expect("runs");
            let found = String::from_utf8(output.stdout).expect("is text");
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            assert_eq!(found.trim(), key.public_openssh("").trim());
            let again = DeployKey::from_stored(key.seed()).expect("is one");
            assert_eq!(again.public_openssh("x"), key.public_openssh("x"));
        }
        assert!(DeployKey::from_stored(&[0; 31]).is_err());
    }
}
