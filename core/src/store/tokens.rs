//! API tokens.

use std::net::IpAddr;

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::{Identity, Store};
use crate::actions::Scope;
use crate::credentials::{self, Credential};
use crate::model::{ApiToken, TokenId, UserId};
use crate::{Error, Result};

const COLUMNS: &str = "id, user_id, name, prefix, scope, created_at, expires_at, last_used_at, last_used_address";

/// Who an API token belongs to, and what it is good for.
#[derive(Clone, Debug)]
pub struct TokenHolder {
    /// The person.
    pub identity: Identity,
    /// What the token may be used for.
    pub scope: Scope,
    /// When it ends by itself; none for never.
    pub expires_at: Option<DateTime<Utc>>,
}

impl Store {
    /// Who holds the API token `presented`; none if it is unknown, revoked, expired or its user is disabled. Notes its
    /// use, once a minute at most.
    pub async fn identify_token(
        &self,
        presented: &str,
        address: Option<IpAddr>,
        now: DateTime<Utc>,
    ) -> Result<Option<TokenHolder>> {
        let sql = format!(
            "SELECT {COLUMNS} FROM api_tokens
             WHERE hash = $1 AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > $2)"
        );
        let found: Option<ApiToken> = sqlx::query_as(sqlx::AssertSqlSafe(sql))
            .bind(credentials::hash(presented))
            .bind(now)
            .fetch_optional(&self.pool)
            .await?;
        let Some(token) = found else { return Ok(None) };
        if token.last_used_at.is_none_or(|at| (now - at).num_seconds() >= 60) {
            sqlx::query("UPDATE api_tokens SET last_used_at = $2, last_used_address = $3 WHERE id = $1")
                .bind(token.id)
                .bind(now)
                .bind(address.map(|address| address.to_string()))
                .execute(&self.pool)
                .await?;
        }
        let ApiToken { user_id, scope, expires_at, .. } = token;
        Ok(self.identity(user_id).await?.map(|identity| TokenHolder { identity, scope, expires_at }))
    }

    /// A user's tokens that are still good, oldest first.
    pub async fn api_tokens(&self, user: UserId, now: DateTime<Utc>) -> Result<Vec<ApiToken>> {
        let sql = format!(
            "SELECT {COLUMNS} FROM api_tokens WHERE user_id = $1 AND revoked_at IS NULL
                 AND (expires_at IS NULL OR expires_at > $2) ORDER BY created_at, id"
        );
        Ok(sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(user).bind(now).fetch_all(&self.pool).await?)
    }
}

/// A token to make.
#[derive(Clone, Debug)]
pub(crate) struct NewToken<'a> {
    pub(crate) user: UserId,
    pub(crate) name: &'a str,
    pub(crate) scope: Scope,
    pub(crate) expires_at: Option<DateTime<Utc>>,
}

/// Keeps a new token.
pub(crate) async fn insert(
    connection: &mut PgConnection,
    credential: &Credential,
    new: NewToken<'_>,
    now: DateTime<Utc>,
) -> Result<ApiToken> {
    let sql = format!(
        "INSERT INTO api_tokens (id, user_id, name, hash, prefix, scope, created_at, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8) RETURNING {COLUMNS}"
    );
    Ok(sqlx::query_as(sqlx::AssertSqlSafe(sql))
        .bind(TokenId::new())
        .bind(new.user)
        .bind(new.name)
        .bind(credential.hash())
        .bind(credential.beginning())
        .bind(new.scope)
        .bind(now)
        .bind(new.expires_at)
        .fetch_one(connection)
        .await?)
}

/// Ends a user's token.
pub(crate) async fn revoke(
    connection: &mut PgConnection,
    user: UserId,
    token: TokenId,
    now: DateTime<Utc>,
) -> Result<ApiToken> {
    let sql = format!(
        "UPDATE api_tokens SET revoked_at = $3 WHERE id = $1 AND user_id = $2 AND revoked_at IS NULL RETURNING {COLUMNS}"
    );
    sqlx::query_as(sqlx::AssertSqlSafe(sql))
        .bind(token)
        .bind(user)
        .bind(now)
        .fetch_optional(connection)
        .await?
        .ok_or_else(|| Error::NotFound("You have no such token. It may have been revoked already.".to_owned()))
}

/// Ends all of a user's tokens; how many were still good.
pub(crate) async fn revoke_all(connection: &mut PgConnection, user: UserId, now: DateTime<Utc>) -> Result<u64> {
    let done = sqlx::query(
        "UPDATE api_tokens SET revoked_at = $2 WHERE user_id = $1 AND revoked_at IS NULL
         AND (expires_at IS NULL OR expires_at > $2)",
    )
    .bind(user)
    .bind(now)
    .execute(connection)
    .await?;
    Ok(done.rows_affected())
}

/// Ends the token `presented`, whatever it may be used for; none if it has ended already.
pub(crate) async fn revoke_presented(
    connection: &mut PgConnection,
    presented: &str,
    now: DateTime<Utc>,
) -> Result<Option<ApiToken>> {
    let sql =
        format!("UPDATE api_tokens SET revoked_at = $2 WHERE hash = $1 AND revoked_at IS NULL RETURNING {COLUMNS}");
    Ok(sqlx::query_as(sqlx::AssertSqlSafe(sql))
        .bind(credentials::hash(presented))
        .bind(now)
        .fetch_optional(connection)
        .await?)
}
