//! Passwords: Argon2id (RFC 9106) with the crate's recommended parameters, off the threads that answer requests.

use std::sync::LazyLock;

use argon2::Argon2;
use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _};
use tokio::sync::Semaphore;
use zeroize::Zeroizing;

use crate::{Error, Result};

/// Fewest characters of a new password.
const MIN_CHARACTERS: usize = 12;
/// Most bytes of a password: hashing takes longer for longer ones.
const MAX_BYTES: usize = 1_024;
/// Most hashes at once, each of which takes 19 MiB: a crowd that logs in must not use up the memory.
static AT_ONCE: Semaphore = Semaphore::const_new(4);
/// Stands in for the hash of a user that does not exist, so that the answer takes as long.
static NOBODY: LazyLock<String> =
    LazyLock::new(|| hash_now(&hex::encode(rand::random::<[u8; 16]>())).unwrap_or_default());

/// Checks the rules for new passwords.
pub(crate) fn check(password: &str) -> Result<()> {
    if password.chars().count() < MIN_CHARACTERS {
        return Err(Error::field("password", format!("A password needs {MIN_CHARACTERS} characters or more.")));
    }
    if password.len() > MAX_BYTES {
        return Err(Error::field("password", format!("A password has {MAX_BYTES} bytes at most.")));
    }
    Ok(())
}

/// The hash of a new password.
pub(crate) async fn hash(password: &str) -> Result<String> {
    check(password)?;
    let password = Zeroizing::new(password.to_owned());
    apart(move || hash_now(&password)).await?
}

/// Whether `password` is the one that was hashed. Takes as long without a hash, and is then false.
pub(crate) async fn matches(password: &str, hash: Option<String>) -> Result<bool> {
    let password = Zeroizing::new(password.chars().take(MAX_BYTES).collect::<String>());
    apart(move || {
        let known = hash.is_some();
        let hash = hash.as_deref().unwrap_or(&NOBODY);
        Argon2::default().verify_password(password.as_bytes(), hash).is_ok() && known
    })
    .await
}

async fn apart<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
    let failed = |error: &dyn std::fmt::Display| Error::System(format!("A password could not be checked: {error}."));
    let _place = AT_ONCE.acquire().await.map_err(|error| failed(&error))?;
    tokio::task::spawn_blocking(work).await.map_err(|error| failed(&error))
}

fn hash_now(password: &str) -> Result<String> {
    Argon2::default()
        .hash_password(password.as_bytes())
        .map(|hash| hash.to_string())
        .map_err(|error| Error::System(format!("The password could not be hashed: {error}.")))
}
