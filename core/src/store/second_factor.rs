//! Second factors and their recovery codes.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use crate::Result;
use crate::credentials;
use crate::model::UserId;

/// Keeps a sealed secret that is not in force yet; false if one is in force.
pub(crate) async fn begin(connection: &mut PgConnection, user: UserId, sealed: &[u8]) -> Result<bool> {
    let done = sqlx::query(
        "UPDATE users SET totp_secret = $2, totp_last_step = NULL WHERE id = $1 AND totp_confirmed_at IS NULL",
    )
    .bind(user)
    .bind(sealed)
    .execute(connection)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Puts the secret `sealed` in force, with a fresh set of recovery codes; false if another one took its place.
pub(crate) async fn confirm(
    connection: &mut PgConnection,
    user: UserId,
    sealed: &[u8],
    recovery_codes: &[String],
    now: DateTime<Utc>,
) -> Result<bool> {
    let done = sqlx::query(
        "UPDATE users SET totp_confirmed_at = $2 WHERE id = $1 AND totp_secret = $3 AND totp_confirmed_at IS NULL",
    )
    .bind(user)
    .bind(now)
    .bind(sealed)
    .execute(&mut *connection)
    .await?;
    if done.rows_affected() != 1 {
        return Ok(false);
    }
    sqlx::query("DELETE FROM user_recovery_codes WHERE user_id = $1").bind(user).execute(&mut *connection).await?;
    for code in recovery_codes {
        sqlx::query("INSERT INTO user_recovery_codes (user_id, hash) VALUES ($1, $2)")
            .bind(user)
            .bind(credentials::hash(code))
            .execute(&mut *connection)
            .await?;
    }
    Ok(true)
}

/// Takes the second factor away.
pub(crate) async fn remove(connection: &mut PgConnection, user: UserId) -> Result<()> {
    sqlx::query("UPDATE users SET totp_secret = NULL, totp_confirmed_at = NULL, totp_last_step = NULL WHERE id = $1")
        .bind(user)
        .execute(&mut *connection)
        .await?;
    sqlx::query("DELETE FROM user_recovery_codes WHERE user_id = $1").bind(user).execute(connection).await?;
    Ok(())
}

/// Uses up a time step; false if it, or a later one, was used already.
pub(crate) async fn use_step(connection: &mut PgConnection, user: UserId, step: i64) -> Result<bool> {
    let done = sqlx::query(
        "UPDATE users SET totp_last_step = $2 WHERE id = $1 AND (totp_last_step IS NULL OR totp_last_step < $2)",
    )
    .bind(user)
    .bind(step)
    .execute(connection)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Uses up a recovery code; false if there is no such code left.
pub(crate) async fn use_recovery(
    connection: &mut PgConnection,
    user: UserId,
    code: &str,
    now: DateTime<Utc>,
) -> Result<bool> {
    let done =
        sqlx::query("UPDATE user_recovery_codes SET used_at = $3 WHERE user_id = $1 AND hash = $2 AND used_at IS NULL")
            .bind(user)
            .bind(credentials::hash(code))
            .bind(now)
            .execute(connection)
            .await?;
    Ok(done.rows_affected() == 1)
}

/// Recovery codes that are left.
pub(crate) async fn recovery_codes_left(connection: &mut PgConnection, user: UserId) -> Result<i64> {
    let (left,) = sqlx::query_as("SELECT count(*) FROM user_recovery_codes WHERE user_id = $1 AND used_at IS NULL")
        .bind(user)
        .fetch_one(connection)
        .await?;
    Ok(left)
}
