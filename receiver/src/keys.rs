//! Users' public keys, as they come over the wire.

use russh::keys::{HashAlg, PublicKey};
pub use skypanel_core::identity::parse_public_key;

/// `SHA256:<base64>`, as OpenSSH shows keys and as the store keeps them.
pub(crate) fn fingerprint(key: &PublicKey) -> String {
    key.fingerprint(HashAlg::Sha256).to_string()
}
