//! API tokens: made, listed and revoked by their user.

use std::net::IpAddr;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use sqlx::PgConnection;

use super::{Actions, Actor, Scope};
use crate::credentials::{Credential, TOKEN_PREFIX};
use crate::model::{ApiToken, TokenId};
use crate::store::{AuditEntry, audit, tokens};
use crate::{Error, Result};

/// Most tokens a user may have at a time.
const MAX_TOKENS: usize = 100;
/// Longest name, in characters.
const MAX_NAME: usize = 100;

impl Actions {
    /// Makes a token for the actor. A token can only make tokens that may do no more than itself and end when it does, at
    /// the latest: whoever finds it in a script has it no longer than it was made for.
    ///
    /// `lifetime` counts from now; none for a token that does not end by itself.
    pub async fn create_token(
        &self,
        actor: &Actor,
        name: &str,
        scope: Scope,
        lifetime: Option<TimeDelta>,
    ) -> Result<(ApiToken, Credential)> {
        let user = actor.user()?;
        actor.needs(Scope::Manage)?;
        let name = name.trim();
        if name.is_empty() || name.chars().count() > MAX_NAME || name.chars().any(char::is_control) {
            return Err(Error::field("name", format!("Use 1 to {MAX_NAME} characters.")));
        }
        let now = self.clock.now();
        if self.store.api_tokens(user.id, now).await?.len() >= MAX_TOKENS {
            return Err(Error::Conflict(format!(
                "You have {MAX_TOKENS} tokens, which is the most there can be. Revoke one that you do not need."
            )));
        }
        let wanted: Option<DateTime<Utc>> = match lifetime {
            Some(lifetime) if lifetime <= TimeDelta::zero() => {
                return Err(Error::field("expires_in_days", "Choose a time to come."));
            }
            Some(lifetime) => Some(now + lifetime),
            None => None,
        };
        let expires_at = [wanted, actor.ends_at].into_iter().flatten().min();
        let credential = Credential::new(TOKEN_PREFIX);
        let mut transaction = self.store.pool().begin().await?;
        let new = tokens::NewToken { user: user.id, name, scope, expires_at };
        let token = tokens::insert(&mut transaction, &credential, new, now).await?;
        let entry = AuditEntry {
            action: "token.create",
            organization: None,
            target_kind: "token",
            target: &token.id.to_string(),
            before: Value::Null,
            after: shown(&token),
        };
        audit::record(&mut transaction, actor, now, entry).await?;
        transaction.commit().await?;
        Ok((token, credential))
    }

    /// The actor's tokens.
    pub async fn tokens(&self, actor: &Actor) -> Result<Vec<ApiToken>> {
        self.store.api_tokens(actor.user()?.id, self.clock.now()).await
    }

    /// Who comes with the API token `presented`, over HTTP or SSH. One that is none counts as a try of its address, so
    /// that guessing is slowed down.
    pub async fn by_token(
        &self,
        presented: &str,
        address: Option<IpAddr>,
        request_id: Option<String>,
    ) -> Result<Actor> {
        let now = self.clock.now();
        if let Some(holder) = self.store.identify_token(presented, address, now).await? {
            return Ok(Actor::token(holder, address, request_id));
        }
        self.note_bad_token(address).await?;
        Err(Error::Unauthenticated(
            "That API token is unknown, revoked or expired. Make a new one in the dashboard or with `skypanel login`."
                .to_owned(),
        ))
    }

    /// Ends the very token the actor came with. Any token may do that, whatever its scope.
    pub async fn revoke_own_token(&self, actor: &Actor, presented: &str) -> Result<()> {
        let now = self.clock.now();
        let mut transaction = self.store.pool().begin().await?;
        let Some(revoked) = tokens::revoke_presented(&mut transaction, presented, now).await? else { return Ok(()) };
        self.note_revoked(&mut transaction, actor, &revoked).await?;
        transaction.commit().await?;
        Ok(())
    }

    /// Ends one of the actor's tokens at once.
    pub async fn revoke_token(&self, actor: &Actor, token: TokenId) -> Result<()> {
        let user = actor.user()?;
        actor.needs(Scope::Manage)?;
        let now = self.clock.now();
        let mut transaction = self.store.pool().begin().await?;
        let revoked = tokens::revoke(&mut transaction, user.id, token, now).await?;
        self.note_revoked(&mut transaction, actor, &revoked).await?;
        transaction.commit().await?;
        Ok(())
    }

    async fn note_revoked(&self, connection: &mut PgConnection, actor: &Actor, revoked: &ApiToken) -> Result<()> {
        let entry = AuditEntry {
            action: "token.revoke",
            organization: None,
            target_kind: "token",
            target: &revoked.id.to_string(),
            before: shown(revoked),
            after: Value::Null,
        };
        audit::record(connection, actor, self.clock.now(), entry).await
    }
}

fn shown(token: &ApiToken) -> Value {
    json!({ "name": token.name, "prefix": token.prefix, "scope": token.scope, "expires_at": token.expires_at })
}
