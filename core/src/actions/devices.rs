//! `skypanel login`: the terminal shows a code, the person approves it where they are logged in already, and the terminal
//! gets an API token. The device authorisation grant of OAuth 2.0 (RFC 8628).

use std::net::IpAddr;

use chrono::TimeDelta;
use rand::seq::IndexedRandom as _;
use serde_json::{Value, json};

use super::{Actions, Actor, Scope, Via};
use crate::credentials::{self, Credential, TOKEN_PREFIX};
use crate::model::User;
use crate::store::auth_failures::Guard;
use crate::store::device_logins::{self, DeviceLogin};
use crate::store::{AuditEntry, TokenHolder, audit, tenancy, tokens};
use crate::{Error, Result};

/// How long a code can be approved.
pub const LIFETIME: TimeDelta = TimeDelta::minutes(10);
/// How long a device must wait between two questions.
pub const INTERVAL: TimeDelta = TimeDelta::seconds(2);
/// How long the token of a device is good.
const TOKEN_LIFETIME: TimeDelta = TimeDelta::days(90);
/// Consonants: no word comes of them, and none is mistaken for another (RFC 8628, 6.1).
const ALPHABET: &[u8] = b"BCDFGHJKLMNPQRSTVWXZ";
/// Longest name of a device, in characters.
const MAX_NAME: usize = 60;

/// How a device's login stands.
#[derive(Clone, Debug)]
pub enum DeviceState {
    /// Nobody has decided yet.
    Pending,
    /// The same, and the device asks too often.
    SlowDown,
    /// The person refused.
    Denied,
    /// The code is too old, unknown, or its token was handed out already.
    Expired,
    /// Approved: the token, once.
    Granted {
        /// The API token.
        token: Credential,
        /// What it may be used for.
        scope: Scope,
        /// Whose it is.
        user: User,
    },
}

impl Actions {
    /// Begins a login on a device. The credential stays on the device; the login's user code is shown to the person.
    pub async fn begin_device_login(
        &self,
        client_name: &str,
        scope: Scope,
        address: Option<IpAddr>,
    ) -> Result<(DeviceLogin, Credential)> {
        let now = self.clock.now();
        self.store.count_try(&Guard::address("device", address), now).await?;
        let client_name: String = client_name.chars().filter(|c| !c.is_control()).take(MAX_NAME).collect();
        if client_name.trim().is_empty() {
            return Err(Error::field("client_name", "Say which machine this is, such as \"ada's laptop\"."));
        }
        let login = DeviceLogin {
            id: uuid::Uuid::now_v7(),
            user_code: user_code(),
            client_name,
            scope,
            address: address.map(|address| address.to_string()),
            created_at: now,
            expires_at: now + LIFETIME,
            last_polled_at: None,
            user_id: None,
            approved: None,
            collected_at: None,
        };
        let credential = Credential::new("skd_");
        let mut transaction = self.store.pool().begin().await?;
        device_logins::insert(&mut transaction, &login, &credential.hash()).await?;
        transaction.commit().await?;
        Ok((login, credential))
    }

    /// What waits for the actor's decision under a code.
    pub async fn device_login(&self, actor: &Actor, typed: &str) -> Result<DeviceLogin> {
        let guard = by_person(actor)?;
        let now = self.clock.now();
        self.store.count_try(&guard, now).await?;
        let found = self.store.device_login(&as_shown(typed), now).await?.ok_or_else(no_login)?;
        self.store.uncount_try(&guard).await?;
        Ok(found)
    }

    /// Approves or refuses the login of a device. Only from a browser session or with an SSH key: a token must not make
    /// others.
    pub async fn decide_device_login(&self, actor: &Actor, typed: &str, approve: bool) -> Result<()> {
        let guard = by_person(actor)?;
        let user = actor.user()?;
        let now = self.clock.now();
        self.store.count_try(&guard, now).await?;
        let mut transaction = self.store.pool().begin().await?;
        let decided = device_logins::decide(&mut transaction, &as_shown(typed), user.id, approve, now).await?;
        let login = decided.ok_or_else(no_login)?;
        let entry = AuditEntry {
            action: if approve { "device.approve" } else { "device.deny" },
            organization: None,
            target_kind: "device",
            target: &login.client_name,
            before: Value::Null,
            after: json!({ "scope": login.scope, "address": login.address }),
        };
        audit::record(&mut transaction, actor, now, entry).await?;
        transaction.commit().await?;
        self.store.uncount_try(&guard).await?;
        Ok(())
    }

    /// How the login of a device stands; its token, once it is approved.
    pub async fn poll_device_login(
        &self,
        presented: &str,
        address: Option<IpAddr>,
        request_id: Option<String>,
    ) -> Result<DeviceState> {
        let now = self.clock.now();
        let mut transaction = self.store.pool().begin().await?;
        let Some(login) = device_logins::polled(&mut transaction, &credentials::hash(presented)).await? else {
            // Its connection is needed for that.
            drop(transaction);
            self.store.count_try(&Guard::address("token", address), now).await?;
            return Ok(DeviceState::Expired);
        };
        if login.collected_at.is_some() || login.expires_at <= now {
            return Ok(DeviceState::Expired);
        }
        let (Some(approved), Some(user)) = (login.approved, login.user_id) else {
            let hasty = login.last_polled_at.is_some_and(|at| now - at < INTERVAL);
            device_logins::note_poll(&mut transaction, &login, false, now).await?;
            transaction.commit().await?;
            return Ok(if hasty { DeviceState::SlowDown } else { DeviceState::Pending });
        };
        if !approved {
            return Ok(DeviceState::Denied);
        }
        let Some(identity) = tenancy::identity(&mut transaction, user).await? else {
            return Ok(DeviceState::Denied);
        };
        let user = identity.user.clone();
        let token = Credential::new(TOKEN_PREFIX);
        let expires_at = Some(now + TOKEN_LIFETIME);
        let new = tokens::NewToken { user: user.id, name: &login.client_name, scope: login.scope, expires_at };
        let made = tokens::insert(&mut transaction, &token, new, now).await?;
        device_logins::note_poll(&mut transaction, &login, true, now).await?;
        let actor = Actor::token(TokenHolder { identity, scope: login.scope, expires_at }, address, request_id);
        let entry = AuditEntry {
            action: "token.create",
            organization: None,
            target_kind: "token",
            target: &made.id.to_string(),
            before: Value::Null,
            after: json!({ "name": made.name, "prefix": made.prefix, "scope": made.scope, "expires_at": made.expires_at }),
        };
        audit::record(&mut transaction, &actor, now, entry).await?;
        transaction.commit().await?;
        Ok(DeviceState::Granted { token, scope: login.scope, user })
    }
}

fn by_person(actor: &Actor) -> Result<Guard> {
    if !matches!(actor.via, Via::Browser | Via::Ssh) {
        return Err(Error::Forbidden(
            "Approve devices in a browser where you are logged in, or over SSH with a key of yours.".to_owned(),
        ));
    }
    Ok(Guard::account("device", &actor.user()?.email))
}

fn no_login() -> Error {
    Error::NotFound("No device waits under that code. Codes are good for ten minutes; begin again.".to_owned())
}

/// `BCDF-GHJK`: 34 bits, guarded by the limit on tries.
fn user_code() -> String {
    let mut random = rand::rng();
    let mut half =
        || -> String { (0..4).filter_map(|_| ALPHABET.choose(&mut random)).map(|b| char::from(*b)).collect() };
    format!("{}-{}", half(), half())
}

/// A code as it was shown, however it was typed.
fn as_shown(typed: &str) -> String {
    let plain: String = typed.to_uppercase().chars().filter(char::is_ascii_uppercase).collect();
    match plain.split_at_checked(4) {
        Some((front, back)) => format!("{front}-{back}"),
        None => plain,
    }
}
