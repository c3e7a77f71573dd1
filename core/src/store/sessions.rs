//! Browser sessions and the refresh tokens that carry them on.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::{Identity, Store};
use crate::Result;
use crate::credentials::Credential;
use crate::model::{Session, SessionId, UserId};

const COLUMNS: &str = "id, user_id, created_at, last_used_at, expires_at, address, user_agent";

const ACCOUNT: &str = "id, password_hash, disabled_at, totp_secret, totp_confirmed_at";

/// What is known of a login by its password.
#[derive(PartialEq, Eq, sqlx::FromRow)]
pub(crate) struct Account {
    pub(crate) id: UserId,
    pub(crate) password_hash: String,
    pub(crate) disabled_at: Option<DateTime<Utc>>,
    pub(crate) totp_secret: Option<Vec<u8>>,
    pub(crate) totp_confirmed_at: Option<DateTime<Utc>>,
}

impl std::fmt::Debug for Account {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Account").field("id", &self.id).finish_non_exhaustive()
    }
}

/// A refresh token as it was found.
#[derive(Debug, sqlx::FromRow)]
pub(crate) struct Presented {
    pub(crate) used_at: Option<DateTime<Utc>>,
    #[sqlx(flatten)]
    pub(crate) session: Session,
    pub(crate) revoked_at: Option<DateTime<Utc>>,
}

impl Store {
    /// The account of an e-mail address.
    pub(crate) async fn account(&self, email: &str) -> Result<Option<Account>> {
        let sql = format!("SELECT {ACCOUNT} FROM users WHERE lower(email) = lower($1)");
        Ok(sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(email).fetch_optional(&self.pool).await?)
    }

    /// The account of a user.
    pub(crate) async fn account_of(&self, user: UserId) -> Result<Account> {
        let sql = format!("SELECT {ACCOUNT} FROM users WHERE id = $1");
        Ok(sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(user).fetch_one(&self.pool).await?)
    }

    /// Whose session that is; none if it has ended.
    pub async fn identify_session(
        &self,
        user: UserId,
        session: SessionId,
        now: DateTime<Utc>,
    ) -> Result<Option<Identity>> {
        let (good,): (bool,) = sqlx::query_as(
            "SELECT EXISTS (SELECT 1 FROM user_sessions
             WHERE id = $1 AND user_id = $2 AND revoked_at IS NULL AND expires_at > $3)",
        )
        .bind(session)
        .bind(user)
        .bind(now)
        .fetch_one(&self.pool)
        .await?;
        if good { self.identity(user).await } else { Ok(None) }
    }

    /// A user's sessions that have not ended, the last used first.
    pub(crate) async fn sessions(&self, user: UserId, now: DateTime<Utc>) -> Result<Vec<Session>> {
        let sql = format!(
            "SELECT {COLUMNS} FROM user_sessions WHERE user_id = $1 AND revoked_at IS NULL AND expires_at > $2
             ORDER BY last_used_at DESC, id"
        );
        Ok(sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(user).bind(now).fetch_all(&self.pool).await?)
    }
}

/// The account as it is now, held until the transaction ends: passwords take a while to check, and what was seen before
/// may have changed meanwhile.
pub(crate) async fn hold_account(connection: &mut PgConnection, user: UserId) -> Result<Option<Account>> {
    let sql = format!("SELECT {ACCOUNT} FROM users WHERE id = $1 FOR NO KEY UPDATE");
    Ok(sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(user).fetch_optional(connection).await?)
}

/// Keeps a new session.
pub(crate) async fn insert(connection: &mut PgConnection, session: &Session) -> Result<()> {
    sqlx::query(
        "INSERT INTO user_sessions (id, user_id, created_at, last_used_at, expires_at, address, user_agent)
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(session.id)
    .bind(session.user_id)
    .bind(session.created_at)
    .bind(session.last_used_at)
    .bind(session.expires_at)
    .bind(&session.address)
    .bind(&session.user_agent)
    .execute(&mut *connection)
    .await?;
    sqlx::query("UPDATE users SET last_login_at = $2 WHERE id = $1")
        .bind(session.user_id)
        .bind(session.created_at)
        .execute(connection)
        .await?;
    Ok(())
}

/// Keeps the next refresh token of a session.
pub(crate) async fn add_refresh(
    connection: &mut PgConnection,
    session: SessionId,
    token: &Credential,
    now: DateTime<Utc>,
) -> Result<()> {
    sqlx::query("INSERT INTO user_refresh_tokens (hash, session_id, created_at) VALUES ($1, $2, $3)")
        .bind(token.hash())
        .bind(session)
        .bind(now)
        .execute(connection)
        .await?;
    Ok(())
}

/// Finds a refresh token and holds it until the transaction ends.
pub(crate) async fn presented(connection: &mut PgConnection, hash: &[u8]) -> Result<Option<Presented>> {
    let sql = format!(
        "SELECT {COLUMNS_OF_SESSION}, t.used_at, s.revoked_at FROM user_refresh_tokens t
         JOIN user_sessions s ON s.id = t.session_id WHERE t.hash = $1 FOR UPDATE"
    );
    Ok(sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(hash).fetch_optional(connection).await?)
}

const COLUMNS_OF_SESSION: &str = "s.id, s.user_id, s.created_at, s.last_used_at, s.expires_at, s.address, s.user_agent";

/// Notes that a refresh token was exchanged, and with it that its session is in use.
pub(crate) async fn use_up(
    connection: &mut PgConnection,
    hash: &[u8],
    session: SessionId,
    expires_at: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<()> {
    sqlx::query("UPDATE user_refresh_tokens SET used_at = $2 WHERE hash = $1")
        .bind(hash)
        .bind(now)
        .execute(&mut *connection)
        .await?;
    sqlx::query("UPDATE user_sessions SET last_used_at = $2, expires_at = $3 WHERE id = $1")
        .bind(session)
        .bind(now)
        .bind(expires_at)
        .execute(connection)
        .await?;
    Ok(())
}

/// Ends sessions of a user: one, or all but one.
pub(crate) async fn revoke(
    connection: &mut PgConnection,
    user: UserId,
    which: Which,
    now: DateTime<Utc>,
) -> Result<u64> {
    let (only, but) = match which {
        Which::Only(session) => (Some(session), None),
        Which::AllBut(session) => (None, session),
    };
    let done = sqlx::query(
        "UPDATE user_sessions SET revoked_at = $4 WHERE user_id = $1 AND revoked_at IS NULL
         AND ($2::uuid IS NULL OR id = $2) AND ($3::uuid IS NULL OR id <> $3)",
    )
    .bind(user)
    .bind(only)
    .bind(but)
    .bind(now)
    .execute(connection)
    .await?;
    Ok(done.rows_affected())
}

/// Keeps the hash of a user's new password.
pub(crate) async fn set_password(connection: &mut PgConnection, user: UserId, hash: &str) -> Result<()> {
    sqlx::query("UPDATE users SET password_hash = $2 WHERE id = $1").bind(user).bind(hash).execute(connection).await?;
    Ok(())
}

/// Which sessions to end.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Which {
    /// That one.
    Only(SessionId),
    /// All, but for the one that asks.
    AllBut(Option<SessionId>),
}
