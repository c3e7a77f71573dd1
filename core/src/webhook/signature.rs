//! Proof that a call comes from somebody who knows the webhook's secret.

use chrono::{DateTime, TimeDelta, Utc};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use subtle::{Choice, ConstantTimeEq as _};

use super::Call;
use crate::model::{Sha256Digest, WebhookProvider};
use crate::{Error, Result};

/// Header of a generic call with the time it was made, in seconds since 1970.
pub(super) const TIMESTAMP: &str = "x-skypanel-timestamp";
/// How far that time may be from ours.
const TOLERANCE: TimeDelta = TimeDelta::minutes(5);

/// The value of `X-Skypanel-Signature` for a generic call: `sha256=` and the HMAC-SHA256, in hexadecimal digits, of the
/// timestamp, a dot and the body.
pub fn sign_generic(secret: &[u8], timestamp: i64, body: &[u8]) -> String {
    format!(
        "sha256={}",
        hex::encode(mac(secret, &[timestamp.to_string().as_bytes(), b".", body]).finalize().into_bytes())
    )
}

pub(super) fn verify(call: &Call<'_>, secrets: &[&[u8]], now: DateTime<Utc>) -> Result<()> {
    let given = |name: &str| {
        call.header(name).ok_or_else(|| {
            Error::Unauthenticated(format!(
                "The call has no {name} header. Set the webhook's secret at the Git host, too."
            ))
        })
    };
    let proved = match call.provider {
        WebhookProvider::Gitlab => same_token(given("x-gitlab-token")?, secrets),
        WebhookProvider::Github => {
            let signature = given("x-hub-signature-256")?;
            signed(signature.strip_prefix("sha256=").unwrap_or_default(), secrets, &[call.body])
        }
        WebhookProvider::Gitea => signed(given("x-gitea-signature")?, secrets, &[call.body]),
        WebhookProvider::Generic => {
            let (timestamp, signature) = (given(TIMESTAMP)?, given("x-skypanel-signature")?);
            let signature = signature.strip_prefix("sha256=").unwrap_or_default();
            // Time is told apart from a wrong signature only to those who know the secret.
            let proved = signed(signature, secrets, &[timestamp.as_bytes(), b".", call.body]);
            if bool::from(proved) {
                check_time(timestamp, now)?;
            }
            proved
        }
    };
    if bool::from(proved) {
        return Ok(());
    }
    Err(Error::Unauthenticated("The call's signature does not match the webhook's secret.".to_owned()))
}

fn check_time(timestamp: &str, now: DateTime<Utc>) -> Result<()> {
    let made = timestamp.parse().ok().and_then(|seconds| DateTime::from_timestamp(seconds, 0));
    match made {
        Some(made) if (now - made).abs() <= TOLERANCE => Ok(()),
        _ => Err(Error::Unauthenticated(format!(
            "The call's X-Skypanel-Timestamp is more than {} minutes away from now. Check the caller's clock.",
            TOLERANCE.num_minutes()
        ))),
    }
}

/// Whether the signature is that of one of the secrets; all are tried, so that time does not tell which.
fn signed(signature: &str, secrets: &[&[u8]], parts: &[&[u8]]) -> Choice {
    let mut given = [0; 32];
    let shaped = hex::decode_to_slice(signature, &mut given).is_ok();
    secrets.iter().fold(Choice::from(0), |found, secret| {
        found | mac(secret, parts).finalize().into_bytes().as_slice().ct_eq(&given)
    }) & Choice::from(u8::from(shaped))
}

/// Over digests, so that not even the length shows.
fn same_token(given: &str, secrets: &[&[u8]]) -> Choice {
    let given = Sha256Digest::of(given.as_bytes()).hex();
    secrets.iter().fold(Choice::from(0), |found, secret| {
        found | Sha256Digest::of(secret).hex().as_bytes().ct_eq(given.as_bytes())
    })
}

fn mac(secret: &[u8], parts: &[&[u8]]) -> Hmac<Sha256> {
    #[expect(clippy::expect_used, reason = "HMAC takes keys of any length (RFC 2104 §3)")]
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).expect("takes any key");
    for part in parts {
        mac.update(part);
    }
    mac
}
