//! Logging in with a browser, staying logged in, and logging out.

use std::net::IpAddr;

use chrono::TimeDelta;
use serde_json::{Value, json};

use super::second_factor::codes_of;
use super::{Actions, Actor};
use crate::credentials::{self, Credential};
use crate::identity::passwords;
use crate::model::{Session, SessionId, User};
use crate::store::auth_failures::Guard;
use crate::store::sessions::{self, Account, Which};
use crate::store::{AuditEntry, Identity, audit, device_logins, tenancy, tokens};
use crate::{Error, Result};

/// How long a session lives without being used.
pub const IDLE: TimeDelta = TimeDelta::days(14);
/// How long it lives at most.
const LONGEST: TimeDelta = TimeDelta::days(90);
/// Two tabs that renew a session at the same moment are no theft: the second is told to use what the first got.
const SAME_MOMENT: TimeDelta = TimeDelta::seconds(10);
/// Most characters of a browser's name that are kept.
const MAX_USER_AGENT: usize = 200;

/// A login, as it comes in.
#[derive(Clone)]
pub struct Login<'a> {
    /// Whose account.
    pub email: &'a str,
    /// In clear.
    pub password: &'a str,
    /// A one-time code or a recovery code, if there is a second factor.
    pub code: Option<&'a str>,
    /// The browser, in its own words.
    pub user_agent: Option<&'a str>,
    /// Where from.
    pub address: Option<IpAddr>,
    /// The request this is part of.
    pub request_id: Option<String>,
}

impl std::fmt::Debug for Login<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Login").field("email", &self.email).field("address", &self.address).finish_non_exhaustive()
    }
}

/// A session that was opened or carried on, with what its browser must keep.
#[derive(Clone)]
pub struct OpenSession {
    /// The session.
    pub session: Session,
    /// Whose it is.
    pub user: User,
    /// Proves the session for some minutes.
    pub token: String,
    /// Shows that writes come from our own pages.
    pub csrf_token: String,
    /// Carries the session on, once.
    pub refresh: Credential,
}

impl std::fmt::Debug for OpenSession {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OpenSession").field("session", &self.session).field("user", &self.user).finish_non_exhaustive()
    }
}

impl Actions {
    /// Opens a session. Tries are counted per address, per account from each address, and per account from anywhere,
    /// far more generously, and those that are refused count no further: a few addresses lock nobody else out. A wrong
    /// password and an unknown account take as long and are told in the same words. Codes of a second factor are
    /// counted per account, wherever they come from: who gets to guess them has the password.
    pub async fn log_in(&self, login: Login<'_>) -> Result<OpenSession> {
        let now = self.clock.now();
        let wrong = || Error::Unauthenticated("The e-mail address or the password is wrong.".to_owned());
        let address = Guard::address("login", login.address);
        let here = Guard::account_from("login", login.email, login.address);
        let anywhere = Guard::account_from_anywhere("login", login.email);
        for guard in [&address, &here, &anywhere] {
            self.store.count_try(guard, now).await?;
        }
        let account = self.store.account(login.email).await?;
        let hash = account.as_ref().map(|account| account.password_hash.clone());
        let right = passwords::matches(login.password, hash).await?;
        let Some(account) = account.filter(|account| right && account.disabled_at.is_none()) else {
            return Err(wrong());
        };
        if account.totp_confirmed_at.is_some() && login.code.is_none() {
            // The password was right: that is no failure, and tells nothing that a guesser could use again.
            for guard in [&address, &here, &anywhere] {
                self.store.uncount_try(guard).await?;
            }
            return Err(Error::SecondFactorRequired);
        }
        let codes = codes_of(account.id);
        if account.totp_confirmed_at.is_some() {
            self.store.count_try(&codes, now).await?;
        }
        let mut transaction = self.store.pool().begin().await?;
        // Meanwhile the password may have been changed, or the user locked out.
        if sessions::hold_account(&mut transaction, account.id).await?.as_ref() != Some(&account) {
            return Err(Error::Unauthenticated("Your account was changed at this moment. Log in again.".to_owned()));
        }
        if account.totp_confirmed_at.is_some()
            && !self.takes_code(&mut transaction, &account, login.code.unwrap_or_default()).await?
        {
            return Err(Error::Unauthenticated(
                "That code is wrong, or was used already. Wait for the next one.".to_owned(),
            ));
        }
        let identity = tenancy::identity(&mut transaction, account.id).await?.ok_or_else(wrong)?;
        let session = Session {
            id: SessionId::new(),
            user_id: account.id,
            created_at: now,
            last_used_at: now,
            expires_at: now + IDLE,
            address: login.address.map(|address| address.to_string()),
            user_agent: login.user_agent.map(|text| text.chars().take(MAX_USER_AGENT).collect()),
        };
        let refresh = Credential::new("");
        sessions::insert(&mut transaction, &session).await?;
        sessions::add_refresh(&mut transaction, session.id, &refresh, now).await?;
        let actor = Actor::browser(identity, login.address, login.request_id);
        let after = json!({ "user_agent": session.user_agent });
        self.note_session(&mut transaction, &actor, "session.create", &session.id.to_string(), after).await?;
        transaction.commit().await?;
        self.store.forget_tries(&here).await?;
        for guard in [&address, &anywhere] {
            self.store.uncount_try(guard).await?;
        }
        if account.totp_confirmed_at.is_some() {
            self.store.forget_tries(&codes).await?;
        }
        self.opened(session, actor.user()?.clone(), refresh)
    }

    /// Carries a session on with its refresh token, which is used up by that. A token that comes a second time was
    /// stolen, from its owner or by them: the whole session ends.
    pub async fn refresh_session(
        &self,
        presented: &str,
        address: Option<IpAddr>,
        request_id: Option<String>,
    ) -> Result<OpenSession> {
        let ended = || Error::Unauthenticated("Your session has ended. Log in again.".to_owned());
        let now = self.clock.now();
        let hash = credentials::hash(presented);
        let mut transaction = self.store.pool().begin().await?;
        let Some(found) = sessions::presented(&mut transaction, &hash).await? else { return Err(ended()) };
        let session = found.session;
        if found.revoked_at.is_some() || session.expires_at <= now {
            return Err(ended());
        }
        let identity = tenancy::identity(&mut transaction, session.user_id).await?.ok_or_else(ended)?;
        let actor = Actor::browser(identity, address, request_id);
        if let Some(used_at) = found.used_at {
            if now - used_at < SAME_MOMENT {
                return Err(Error::Conflict(
                    "Your session was renewed a moment ago. Try again with the cookies you have now.".to_owned(),
                ));
            }
            sessions::revoke(&mut transaction, session.user_id, Which::Only(session.id), now).await?;
            let after = json!({ "reason": "a refresh token was used twice" });
            self.note_session(&mut transaction, &actor, "session.revoke", &session.id.to_string(), after).await?;
            transaction.commit().await?;
            tracing::warn!(session = %session.id, user = %session.user_id, "a refresh token was used twice; its session ended");
            return Err(ended());
        }
        let expires_at = (now + IDLE).min(session.created_at + LONGEST);
        sessions::use_up(&mut transaction, &hash, session.id, expires_at, now).await?;
        let refresh = Credential::new("");
        sessions::add_refresh(&mut transaction, session.id, &refresh, now).await?;
        transaction.commit().await?;
        self.opened(Session { last_used_at: now, expires_at, ..session }, actor.user()?.clone(), refresh)
    }

    /// Ends the session that a refresh token belongs to. One that has ended already is fine.
    pub async fn log_out(&self, presented: &str, address: Option<IpAddr>, request_id: Option<String>) -> Result<()> {
        let now = self.clock.now();
        let mut transaction = self.store.pool().begin().await?;
        let hash = credentials::hash(presented);
        let Some(found) = sessions::presented(&mut transaction, &hash).await? else { return Ok(()) };
        let Some(identity) = tenancy::identity(&mut transaction, found.session.user_id).await? else { return Ok(()) };
        let actor = Actor::browser(identity, address, request_id);
        let session = found.session.id;
        if sessions::revoke(&mut transaction, found.session.user_id, Which::Only(session), now).await? > 0 {
            self.note_session(&mut transaction, &actor, "session.end", &session.to_string(), Value::Null).await?;
        }
        transaction.commit().await?;
        Ok(())
    }

    /// Ends all of the actor's sessions, this one too. API tokens and SSH keys stay. Returns how many ended.
    pub async fn log_out_everywhere(&self, actor: &Actor) -> Result<u64> {
        let user = actor.user()?;
        actor.needs(super::Scope::Manage)?;
        let now = self.clock.now();
        let mut transaction = self.store.pool().begin().await?;
        let ended = sessions::revoke(&mut transaction, user.id, Which::AllBut(None), now).await?;
        self.note_session(&mut transaction, actor, "session.end_all", "all", json!({ "ended": ended })).await?;
        transaction.commit().await?;
        Ok(ended)
    }

    /// The actor's sessions, the last used first.
    pub async fn sessions(&self, actor: &Actor) -> Result<Vec<Session>> {
        actor.needs(super::Scope::Manage)?;
        self.store.sessions(actor.user()?.id, self.clock.now()).await
    }

    /// Ends one of the actor's sessions.
    pub async fn end_session(&self, actor: &Actor, session: SessionId) -> Result<()> {
        let user = actor.user()?;
        actor.needs(super::Scope::Manage)?;
        let mut transaction = self.store.pool().begin().await?;
        if sessions::revoke(&mut transaction, user.id, Which::Only(session), self.clock.now()).await? == 0 {
            return Err(Error::NotFound("You have no such session. It may have ended already.".to_owned()));
        }
        self.note_session(&mut transaction, actor, "session.end", &session.to_string(), Value::Null).await?;
        transaction.commit().await?;
        Ok(())
    }

    /// Changes the actor's password. Ends all their sessions but `keep`, what devices they let in have not collected yet,
    /// and with `revoke_tokens` all their API tokens, that of the actor too.
    pub async fn change_password(
        &self,
        actor: &Actor,
        current: &str,
        new: &str,
        keep: Option<SessionId>,
        revoke_tokens: bool,
    ) -> Result<()> {
        actor.needs(super::Scope::Manage)?;
        passwords::check(new).map_err(|error| match error {
            Error::InvalidFields(fields) => {
                Error::field("new_password", fields.into_iter().map(|field| field.problem).collect::<String>())
            }
            other => other,
        })?;
        let (user, account) = self.with_password(actor, current, "current_password").await?;
        let hash = passwords::hash(new).await?;
        let now = self.clock.now();
        let mut transaction = self.store.pool().begin().await?;
        unchanged(&mut transaction, &account).await?;
        sessions::set_password(&mut transaction, user.id, &hash).await?;
        let sessions_ended = sessions::revoke(&mut transaction, user.id, Which::AllBut(keep), now).await?;
        // Before the tokens: a device that collects one at this moment is waited for.
        let device_logins_ended = device_logins::take_back(&mut transaction, user.id).await?;
        let tokens_revoked = if revoke_tokens { tokens::revoke_all(&mut transaction, user.id, now).await? } else { 0 };
        let entry = AuditEntry {
            action: "password.change",
            organization: None,
            target_kind: "user",
            target: &user.id.to_string(),
            before: Value::Null,
            after: json!({
                "sessions_ended": sessions_ended, "device_logins_ended": device_logins_ended,
                "tokens_revoked": tokens_revoked,
            }),
        };
        audit::record(&mut transaction, actor, now, entry).await?;
        transaction.commit().await?;
        Ok(())
    }

    /// The actor and their account, if `password` is theirs: for changes that a passer-by at an open browser must not
    /// make.
    pub(crate) async fn with_password<'a>(
        &self,
        actor: &'a Actor,
        password: &str,
        field: &str,
    ) -> Result<(&'a User, Account)> {
        let user = actor.user()?;
        let guard = Guard::account("password", &user.email);
        self.store.count_try(&guard, self.clock.now()).await?;
        let account = self.store.account_of(user.id).await?;
        if !passwords::matches(password, Some(account.password_hash.clone())).await? {
            return Err(Error::field(field, "That is not your password."));
        }
        self.store.forget_tries(&guard).await?;
        Ok((user, account))
    }

    /// Whose session a browser's token is for.
    pub async fn identify_session(&self, token: &str) -> Result<Option<(Identity, SessionId)>> {
        let now = self.clock.now();
        let Some((user, session)) = self.store.session_tokens()?.read(token, now) else { return Ok(None) };
        let identity = self.store.identify_session(user, session, now).await?;
        Ok(identity.map(|identity| (identity, session)))
    }

    /// Counts a credential that is none, so that guessing from one address is slowed down.
    pub async fn note_bad_token(&self, address: Option<IpAddr>) -> Result<()> {
        self.store.count_try(&Guard::address("token", address), self.clock.now()).await
    }

    fn opened(&self, session: Session, user: User, refresh: Credential) -> Result<OpenSession> {
        let tokens = self.store.session_tokens()?;
        let token = tokens.issue(user.id, session.id, self.clock.now())?;
        Ok(OpenSession { csrf_token: tokens.csrf_token(session.id), session, user, token, refresh })
    }

    async fn note_session(
        &self,
        connection: &mut sqlx::PgConnection,
        actor: &Actor,
        action: &'static str,
        target: &str,
        after: Value,
    ) -> Result<()> {
        let entry =
            AuditEntry { action, organization: None, target_kind: "session", target, before: Value::Null, after };
        audit::record(connection, actor, self.clock.now(), entry).await
    }
}

/// Holds the account, if it is still the one whose password was checked: that took a while.
pub(super) async fn unchanged(connection: &mut sqlx::PgConnection, account: &Account) -> Result<()> {
    if sessions::hold_account(connection, account.id).await?.as_ref() == Some(account) {
        return Ok(());
    }
    Err(Error::Conflict("Your account was changed at this moment. Look at it again before you repeat this.".to_owned()))
}
