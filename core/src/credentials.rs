//! Random credentials: API tokens, refresh tokens, invitations, device codes. Their holder sees one once; the store
//! keeps its hash only.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

/// Random bytes of a credential: nobody guesses 256 bits, so that a plain hash keeps it safe.
const RANDOM_BYTES: usize = 32;
/// Characters of an API token that its owner recognises it by.
const SHOWN: usize = 8;

/// How API tokens begin.
pub const TOKEN_PREFIX: &str = "skp_";

/// A credential in clear, on its way to its holder.
#[derive(Clone)]
pub struct Credential(Zeroizing<String>);

impl Credential {
    /// A new one, beginning with `prefix`.
    pub fn new(prefix: &str) -> Self {
        let bytes = Zeroizing::new(rand::random::<[u8; RANDOM_BYTES]>());
        Self(Zeroizing::new(format!("{prefix}{}", URL_SAFE_NO_PAD.encode(bytes.as_slice()))))
    }

    /// Its text, for its holder.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What the store keeps.
    pub fn hash(&self) -> Vec<u8> {
        hash(&self.0)
    }

    /// How it begins, for lists.
    pub fn beginning(&self) -> String {
        self.0.chars().take(SHOWN).collect()
    }
}

impl std::fmt::Debug for Credential {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Credential(…)")
    }
}

/// What the store keeps of a credential that somebody presents.
pub fn hash(presented: &str) -> Vec<u8> {
    Sha256::digest(presented.as_bytes()).to_vec()
}
