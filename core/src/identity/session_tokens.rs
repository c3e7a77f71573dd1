//! The tokens of browser sessions: signed (JWT, HS256), good for minutes, made anew with the session's refresh token.

use chrono::{DateTime, TimeDelta, Utc};
use hmac::{Hmac, KeyInit as _, Mac as _};
use jsonwebtoken::crypto::{CryptoProvider, JwtSigner, JwtVerifier, KeyUtils};
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, signature};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use subtle::ConstantTimeEq as _;

use crate::model::{SessionId, UserId};
use crate::secrets::Secrets;
use crate::{Error, Result};

/// How long a token is good. A session that is ended is refused at once all the same: it is looked up.
pub(crate) const LIFETIME: TimeDelta = TimeDelta::minutes(10);

/// Makes and reads the tokens of sessions. All processes with the same master key read each other's.
#[derive(Clone)]
pub struct SessionTokens {
    encoding: EncodingKey,
    decoding: DecodingKey,
    csrf: Vec<u8>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Claims {
    sub: UserId,
    sid: SessionId,
    iat: i64,
    exp: i64,
}

impl SessionTokens {
    /// With keys of their own, derived from the master key.
    pub fn new(secrets: &Secrets) -> Result<Self> {
        // The first to come sets it for the process; all set the same.
        let _ = PROVIDER.install_default();
        let key = secrets.derive("session tokens")?;
        Ok(Self {
            encoding: EncodingKey::from_secret(key.as_slice()),
            decoding: DecodingKey::from_secret(key.as_slice()),
            csrf: secrets.derive("request forgery")?.to_vec(),
        })
    }

    /// A token for a session.
    pub fn issue(&self, user: UserId, session: SessionId, now: DateTime<Utc>) -> Result<String> {
        let claims = Claims { sub: user, sid: session, iat: now.timestamp(), exp: (now + LIFETIME).timestamp() };
        jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &self.encoding)
            .map_err(|error| Error::System(format!("A session could not be signed: {error}.")))
    }

    /// Whose session a token is for; none if it is not ours or has ended.
    pub fn read(&self, token: &str, now: DateTime<Utc>) -> Option<(UserId, SessionId)> {
        let mut rules = Validation::new(Algorithm::HS256);
        // By our own clock, below.
        rules.validate_exp = false;
        rules.set_required_spec_claims(&["exp", "sub"]);
        let claims = jsonwebtoken::decode::<Claims>(token, &self.decoding, &rules).ok()?.claims;
        (now.timestamp() < claims.exp).then_some((claims.sub, claims.sid))
    }

    /// What a browser must send with the writes of a session, to show that they come from our own pages.
    pub fn csrf_token(&self, session: SessionId) -> String {
        hex::encode(mac(&self.csrf, session.0.as_bytes()))
    }

    /// Whether `presented` is the token of that session.
    pub fn is_csrf_token(&self, session: SessionId, presented: &str) -> bool {
        self.csrf_token(session).as_bytes().ct_eq(presented.as_bytes()).into()
    }
}

impl std::fmt::Debug for SessionTokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SessionTokens(…)")
    }
}

fn mac(key: &[u8], message: &[u8]) -> Vec<u8> {
    // HMAC takes keys of every length.
    Hmac::<Sha256>::new_from_slice(key).map_or_else(
        |_| Vec::new(),
        |mut mac| {
            mac.update(message);
            mac.finalize().into_bytes().to_vec()
        },
    )
}

/// The one algorithm we use, with the HMAC that is in the tree already: the crate's own sets of algorithms bring RSA
/// and elliptic curves, which nothing here needs.
static PROVIDER: CryptoProvider = CryptoProvider {
    signer_factory: |algorithm, key| match algorithm {
        Algorithm::HS256 => Ok(Box::new(Hs256(key.as_bytes().to_vec()))),
        _ => Err(ErrorKind::InvalidAlgorithm.into()),
    },
    verifier_factory: |algorithm, key| match algorithm {
        Algorithm::HS256 => Ok(Box::new(Hs256(key.try_get_as_bytes()?.to_vec()))),
        _ => Err(ErrorKind::InvalidAlgorithm.into()),
    },
    key_utils: KeyUtils::new_unimplemented(),
};

struct Hs256(Vec<u8>);

impl signature::Signer<Vec<u8>> for Hs256 {
    fn try_sign(&self, message: &[u8]) -> Result<Vec<u8>, signature::Error> {
        Ok(mac(&self.0, message))
    }
}

impl signature::Verifier<Vec<u8>> for Hs256 {
    fn verify(&self, message: &[u8], given: &Vec<u8>) -> Result<(), signature::Error> {
        let right: bool = mac(&self.0, message).as_slice().ct_eq(given.as_slice()).into();
        right.then_some(()).ok_or_else(signature::Error::new)
    }
}

impl JwtSigner for Hs256 {
    fn algorithm(&self) -> Algorithm {
        Algorithm::HS256
    }
}

impl JwtVerifier for Hs256 {
    fn algorithm(&self) -> Algorithm {
        Algorithm::HS256
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;

    use super::*;

    fn tokens(directory: &tempfile::TempDir) -> SessionTokens {
        let secrets = Secrets::open_or_create(&directory.path().join("key")).expect("makes a key");
        SessionTokens::new(&secrets).expect("derives")
    }

    #[test]
    fn a_token_is_good_for_its_time_and_under_its_key_only() {
        let (ours, other) = (tempfile::tempdir().expect("is made"), tempfile::tempdir().expect("is made"));
        let (user, session, now) = (UserId::new(), SessionId::new(), Utc::now());
        let token = tokens(&ours).issue(user, session, now).expect("signs");
        assert_eq!(tokens(&ours).read(&token, now), Some((user, session)));
        assert_eq!(tokens(&ours).read(&token, now + LIFETIME), None, "has ended");
        assert_eq!(tokens(&other).read(&token, now), None, "another key");
        let parts: Vec<&str> = token.split('.').collect();
        let unsigned = URL_SAFE_NO_PAD.encode(r#"{"alg":"none","typ":"JWT"}"#);
        for forged in [
            format!("{unsigned}.{}.", parts[1]),
            format!("{unsigned}.{}.{}", parts[1], parts[2]),
            format!("{}.{}.", parts[0], parts[1]),
            format!("{}.{}.{}", parts[0], URL_SAFE_NO_PAD.encode("{}"), parts[2]),
            String::new(),
            "a.b.c".to_owned(),
        ] {
            assert_eq!(tokens(&ours).read(&forged, now), None, "{forged}");
        }
    }

    #[test]
    fn a_forgery_token_belongs_to_one_session() {
        let directory = tempfile::tempdir().expect("is made");
        let (tokens, session) = (tokens(&directory), SessionId::new());
        let csrf = tokens.csrf_token(session);
        assert!(tokens.is_csrf_token(session, &csrf));
        assert!(!tokens.is_csrf_token(SessionId::new(), &csrf));
        assert!(!tokens.is_csrf_token(session, ""));
    }
}
