//! The second factor: time-based codes (RFC 6238: SHA-1, six digits, 30 s, as every authenticator app has it) and
//! recovery codes for when the device is lost.

use chrono::{DateTime, Utc};
use rand::seq::IndexedRandom as _;
use totp_rs::{Algorithm, Builder, Totp};
use zeroize::Zeroizing;

use crate::{Error, Result};

/// Bytes of a secret, as RFC 4226 recommends.
const SECRET_BYTES: usize = 20;
/// Seconds of a time step.
const STEP: u64 = 30;
/// Steps before and after the present one that are accepted: clocks of telephones are not exact.
const SKEW: u16 = 1;
/// Recovery codes of a set.
pub(crate) const RECOVERY_CODES: usize = 10;
/// Letters and digits that are not mistaken for one another.
const ALPHABET: &[u8] = b"abcdefghjkmnpqrstuvwxyz23456789";

/// A fresh secret.
pub(crate) fn secret() -> Zeroizing<Vec<u8>> {
    Zeroizing::new(rand::random::<[u8; SECRET_BYTES]>().to_vec())
}

/// The secret as a person types it, and the address that an authenticator app scans.
pub(crate) fn presented(secret: &[u8], email: &str) -> Result<(String, String)> {
    let totp = totp(secret, email)?;
    let url = totp.to_url().map_err(|error| Error::System(format!("The second factor has no address: {error}.")))?;
    Ok((totp_rs::Secret::from(secret).to_base32(), url))
}

/// The time step that `code` belongs to, if it is right. A step counts once: the caller remembers it.
pub(crate) fn step_of(secret: &[u8], code: &str, now: DateTime<Utc>) -> Result<Option<i64>> {
    let code: String = code.chars().filter(|character| !character.is_whitespace()).collect();
    let now = u64::try_from(now.timestamp()).unwrap_or_default();
    Ok(totp(secret, "user")?.check(&code, now).and_then(|step| i64::try_from(step).ok()))
}

fn totp(secret: &[u8], email: &str) -> Result<Totp> {
    // A colon would end the account's name in the address.
    Builder::new()
        .with_algorithm(Algorithm::SHA1)
        .with_digits(6)
        .with_skew(SKEW)
        .with_step_duration(STEP)
        .with_secret(secret)
        .with_account_name(email.replace(':', "_"))
        .with_issuer(Some("Skypanel"))
        .build()
        .map_err(|error| Error::System(format!("The second factor could not be set up: {error}.")))
}

/// A fresh set of recovery codes, `xxxxx-xxxxx`: 49 bits each.
pub(crate) fn recovery_codes() -> Vec<String> {
    let mut random = rand::rng();
    let mut half =
        || -> String { (0..5).filter_map(|_| ALPHABET.choose(&mut random)).map(|b| char::from(*b)).collect() };
    (0..RECOVERY_CODES).map(|_| format!("{}-{}", half(), half())).collect()
}

/// A recovery code as it was given out, however it was typed.
pub(crate) fn as_given_out(typed: &str) -> String {
    let plain: String = typed.to_lowercase().chars().filter(char::is_ascii_alphanumeric).collect();
    match plain.split_at_checked(5) {
        Some((front, back)) => format!("{front}-{back}"),
        None => plain,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The test vectors of RFC 6238, appendix B (SHA-1), cut to six digits.
    #[test]
    fn codes_are_those_of_the_specification() {
        let secret = b"12345678901234567890";
        for (seconds, code) in [(59, "287082"), (1_111_111_109, "081804"), (1_234_567_890, "005924")] {
            let now = DateTime::from_timestamp(seconds, 0).expect("is a time");
            assert_eq!(step_of(secret, code, now).expect("checks"), Some(seconds / 30), "{seconds}");
            assert_eq!(step_of(secret, "000000", now).expect("checks"), None);
            let late = now + chrono::TimeDelta::seconds(61);
            assert_eq!(step_of(secret, code, late).expect("checks"), None, "a code ends");
        }
    }

    #[test]
    fn recovery_codes_are_read_as_people_type_them() {
        let codes = recovery_codes();
        assert_eq!(codes.len(), RECOVERY_CODES);
        for code in codes {
            assert_eq!(as_given_out(&format!(" {} ", code.to_uppercase().replace('-', " "))), code);
        }
        assert_eq!(as_given_out("äöü"), "");
    }
}
