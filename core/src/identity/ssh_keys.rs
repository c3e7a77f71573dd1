//! Users' public keys: read from OpenSSH's one-line form, refused when they are weak.

use ssh_key::{Algorithm, HashAlg, PublicKey};

use crate::model::SshKey;
use crate::{Error, Result};

/// Shortest RSA key, in bits.
const MIN_RSA_BITS: usize = 2_048;
/// Longest name of a key, in characters.
const MAX_NAME: usize = 100;

/// Reads a public key as it stands in a `.pub` or `authorized_keys` file: `ssh-ed25519 AAAA… comment`. The
/// comment becomes its name. Empty lines and lines that begin with `#` are passed over.
pub fn parse_public_key(text: &str) -> Result<SshKey> {
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    let line = lines.next().ok_or_else(|| Error::Invalid(format!("There is no key. {}", looks_like())))?;
    if line.starts_with("-----BEGIN") {
        return Err(Error::Invalid(
            "That is a private key. Never give it away: pass the file that ends in .pub.".to_owned(),
        ));
    }
    if lines.next().is_some() {
        return Err(Error::Invalid("That is more than one key. Add them one after the other.".to_owned()));
    }
    let key = PublicKey::from_openssh(line)
        .map_err(|_| Error::Invalid(format!("That is not a public key. {}", looks_like())))?;
    match key.algorithm() {
        Algorithm::Ed25519 | Algorithm::SkEd25519 | Algorithm::Ecdsa { .. } | Algorithm::SkEcdsaSha2NistP256 => {}
        Algorithm::Rsa { .. } => {
            let bits = key.key_data().rsa().map_or(0, |rsa| rsa.key_size() as usize);
            if bits < MIN_RSA_BITS {
                return Err(Error::Invalid(format!(
                    "That RSA key has {bits} bits; {MIN_RSA_BITS} are the least. Make a better one with: \
                     ssh-keygen -t ed25519"
                )));
            }
        }
        other => {
            return Err(Error::Invalid(format!(
                "Keys of type {other} are not safe any more. Make a better one with: ssh-keygen -t ed25519"
            )));
        }
    }
    let mut fields = line.split_ascii_whitespace();
    let (kind, data) = (fields.next().unwrap_or_default(), fields.next().unwrap_or_default());
    let comment = fields.collect::<Vec<_>>().join(" ");
    let name: String = comment.chars().filter(|character| !character.is_control()).take(MAX_NAME).collect();
    Ok(SshKey {
        fingerprint: fingerprint(&key),
        public_key: format!("{kind} {data}"),
        name: if name.is_empty() { kind.to_owned() } else { name },
        last_used_at: None,
    })
}

/// `SHA256:<base64>`, as OpenSSH shows keys and as the store keeps them.
fn fingerprint(key: &PublicKey) -> String {
    key.fingerprint(HashAlg::Sha256).to_string()
}

fn looks_like() -> &'static str {
    "It is one line that begins with ssh-ed25519, ecdsa-sha2- or ssh-rsa, as in ~/.ssh/id_ed25519.pub."
}

#[cfg(test)]
mod tests {
    use super::*;

    // Made with ssh-keygen, their private halves thrown away.
    const ED25519: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJySykK18nyfYWW/A+yKBMRbHjc36mgcMmxaKn4S4bFo";

    #[test]
    fn reads_the_usual_line() {
        let key = parse_public_key(&format!("# mine\n\n{ED25519}  ada at home \n")).expect("a key");
        assert_eq!(key.public_key, ED25519);
        assert_eq!(key.name, "ada at home");
        assert!(key.fingerprint.starts_with("SHA256:"));
        assert_eq!(parse_public_key(ED25519).expect("a key").name, "ssh-ed25519");
    }

    #[test]
    fn says_what_is_wrong_with_anything_else() {
        for (text, says) in [
            ("", "no key"),
            ("-----BEGIN OPENSSH PRIVATE KEY-----\nabc", "private key"),
            ("ssh-ed25519 AAAA", "not a public key"),
            ("hello", "not a public key"),
            (&format!("{ED25519}\n{ED25519}"), "more than one"),
        ] {
            let error = parse_public_key(text).expect_err(text).to_string();
            assert!(error.contains(says), "{text:?}: {error}");
        }
    }
}
