//! The second factor: set up, confirmed with a first code, taken away again.

use serde_json::{Value, json};
use sqlx::PgConnection;

use super::sessions::unchanged;
use super::{Actions, Actor, Scope};
use crate::identity::one_time;
use crate::model::UserId;
use crate::secrets::Owner;
use crate::store::auth_failures::Guard;
use crate::store::sessions::{self, Account};
use crate::store::{AuditEntry, audit, second_factor};
use crate::{Error, Result};

/// A second factor that waits for its first code.
#[derive(Clone)]
pub struct Enrolment {
    /// The secret, as a person types it.
    pub secret: String,
    /// The same as an address, to be shown as a QR code.
    pub url: String,
}

impl std::fmt::Debug for Enrolment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Enrolment")
    }
}

/// State of an actor's second factor.
#[derive(Clone, Copy, Debug)]
pub struct SecondFactor {
    /// Whether logins need it.
    pub enabled: bool,
    /// Recovery codes that were not used yet.
    pub recovery_codes_left: i64,
}

impl Actions {
    /// State of the actor's second factor.
    pub async fn second_factor(&self, actor: &Actor) -> Result<SecondFactor> {
        let user = actor.user()?;
        let account = self.store.account_of(user.id).await?;
        let mut connection = self.store.pool().acquire().await?;
        let recovery_codes_left = second_factor::recovery_codes_left(&mut connection, user.id).await?;
        Ok(SecondFactor { enabled: account.totp_confirmed_at.is_some(), recovery_codes_left })
    }

    /// Makes a secret for the actor. It is in force once a code of it was given.
    pub async fn begin_second_factor(&self, actor: &Actor, password: &str) -> Result<Enrolment> {
        actor.needs(Scope::Manage)?;
        let (user, account) = self.with_password(actor, password, "password").await?;
        let there_is_one = || Error::Conflict("You have a second factor already. Remove it first.".to_owned());
        if account.totp_confirmed_at.is_some() {
            return Err(there_is_one());
        }
        let secret = one_time::secret();
        let sealed = self.store.secrets().seal(Owner::Platform, &belongs_to(user.id), &secret)?;
        let mut transaction = self.store.pool().begin().await?;
        if !second_factor::begin(&mut transaction, user.id, &sealed).await? {
            return Err(there_is_one());
        }
        self.note_factor(&mut transaction, actor, "second_factor.begin").await?;
        transaction.commit().await?;
        let (secret, url) = one_time::presented(&secret, &user.email)?;
        Ok(Enrolment { secret, url })
    }

    /// Puts the second factor in force with its first code. Answers the recovery codes, which are shown this once.
    pub async fn confirm_second_factor(&self, actor: &Actor, code: &str) -> Result<Vec<String>> {
        let user = actor.user()?;
        actor.needs(Scope::Manage)?;
        let guard = codes_of(user.id);
        self.store.count_try(&guard, self.clock.now()).await?;
        let none_waits = || Error::Conflict("There is no second factor that waits for its first code.".to_owned());
        let mut transaction = self.store.pool().begin().await?;
        let account = sessions::hold_account(&mut transaction, user.id).await?.ok_or_else(none_waits)?;
        let Some(sealed) = account.totp_secret.as_deref().filter(|_| account.totp_confirmed_at.is_none()) else {
            return Err(none_waits());
        };
        if !self.takes_time_code(&mut transaction, &account, code).await? {
            return Err(Error::field("code", "That code is wrong. See that the clock of your device is right."));
        }
        let codes = one_time::recovery_codes();
        if !second_factor::confirm(&mut transaction, user.id, sealed, &codes, self.clock.now()).await? {
            return Err(none_waits());
        }
        self.note_factor(&mut transaction, actor, "second_factor.enable").await?;
        transaction.commit().await?;
        self.store.forget_tries(&guard).await?;
        Ok(codes)
    }

    /// Takes the actor's second factor away, with the password and a code.
    pub async fn remove_second_factor(&self, actor: &Actor, password: &str, code: &str) -> Result<()> {
        actor.needs(Scope::Manage)?;
        let (user, account) = self.with_password(actor, password, "password").await?;
        let guard = codes_of(user.id);
        self.store.count_try(&guard, self.clock.now()).await?;
        if account.totp_confirmed_at.is_none() {
            return Err(Error::Conflict("You have no second factor.".to_owned()));
        }
        let mut transaction = self.store.pool().begin().await?;
        unchanged(&mut transaction, &account).await?;
        if !self.takes_code(&mut transaction, &account, code).await? {
            return Err(Error::field("code", "That code is wrong, or was used already."));
        }
        second_factor::remove(&mut transaction, user.id).await?;
        self.note_factor(&mut transaction, actor, "second_factor.disable").await?;
        transaction.commit().await?;
        self.store.forget_tries(&guard).await?;
        Ok(())
    }

    /// Whether `code` is a one-time or recovery code of the account; uses it up.
    pub(crate) async fn takes_code(
        &self,
        connection: &mut PgConnection,
        account: &Account,
        code: &str,
    ) -> Result<bool> {
        if code.chars().filter(char::is_ascii_alphanumeric).count() <= 6 {
            return self.takes_time_code(connection, account, code).await;
        }
        let code = one_time::as_given_out(code);
        second_factor::use_recovery(connection, account.id, &code, self.clock.now()).await
    }

    async fn takes_time_code(&self, connection: &mut PgConnection, account: &Account, code: &str) -> Result<bool> {
        let Some(sealed) = &account.totp_secret else { return Ok(false) };
        let secret = self.store.secrets().open(Owner::Platform, &belongs_to(account.id), sealed)?;
        match one_time::step_of(&secret, code, self.clock.now())? {
            Some(step) => second_factor::use_step(connection, account.id, step).await,
            None => Ok(false),
        }
    }

    async fn note_factor(&self, connection: &mut PgConnection, actor: &Actor, action: &'static str) -> Result<()> {
        let entry = AuditEntry {
            action,
            organization: None,
            target_kind: "user",
            target: &actor.user()?.id.to_string(),
            before: Value::Null,
            after: json!({}),
        };
        audit::record(connection, actor, self.clock.now(), entry).await
    }
}

/// Tries of codes of a user, at logins and elsewhere.
pub(super) fn codes_of(user: UserId) -> Guard {
    Guard::account("code", &user.to_string())
}

fn belongs_to(user: UserId) -> String {
    format!("user {user} second factor")
}
