//! Logins of machines without a browser (RFC 8628), from the code on the terminal to the token.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::Store;
use crate::Result;
use crate::actions::Scope;
use crate::model::UserId;

const COLUMNS: &str = "id, user_code, client_name, scope, address, created_at, expires_at, last_polled_at, user_id, \
     approved, collected_at";

/// A login that was begun on a device.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct DeviceLogin {
    pub(crate) id: uuid::Uuid,
    /// What the person compares on both screens.
    pub user_code: String,
    /// What the device calls itself.
    pub client_name: String,
    /// What its token may be used for.
    pub scope: Scope,
    /// Where the device is.
    pub address: Option<String>,
    /// When it was begun.
    pub created_at: DateTime<Utc>,
    /// When it ends by itself.
    pub expires_at: DateTime<Utc>,
    pub(crate) last_polled_at: Option<DateTime<Utc>>,
    pub(crate) user_id: Option<UserId>,
    pub(crate) approved: Option<bool>,
    pub(crate) collected_at: Option<DateTime<Utc>>,
}

impl Store {
    /// The login of that user code that waits for a decision.
    pub(crate) async fn device_login(&self, user_code: &str, now: DateTime<Utc>) -> Result<Option<DeviceLogin>> {
        let sql = format!(
            "SELECT {COLUMNS} FROM device_logins WHERE user_code = $1 AND decided_at IS NULL AND expires_at > $2"
        );
        Ok(sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(user_code).bind(now).fetch_optional(&self.pool).await?)
    }
}

/// Keeps a login that begins; those that ended a day ago are dropped.
pub(crate) async fn insert(connection: &mut PgConnection, login: &DeviceLogin, device_hash: &[u8]) -> Result<()> {
    sqlx::query("DELETE FROM device_logins WHERE expires_at < $1 - interval '1 day'")
        .bind(login.created_at)
        .execute(&mut *connection)
        .await?;
    sqlx::query(
        "INSERT INTO device_logins (id, device_hash, user_code, client_name, scope, address, created_at, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
    )
    .bind(login.id)
    .bind(device_hash)
    .bind(&login.user_code)
    .bind(&login.client_name)
    .bind(login.scope)
    .bind(&login.address)
    .bind(login.created_at)
    .bind(login.expires_at)
    .execute(connection)
    .await?;
    Ok(())
}

/// Writes a decision down; none if there was one already, or the login has ended.
pub(crate) async fn decide(
    connection: &mut PgConnection,
    user_code: &str,
    user: UserId,
    approved: bool,
    now: DateTime<Utc>,
) -> Result<Option<DeviceLogin>> {
    let sql = format!(
        "UPDATE device_logins SET user_id = $2, approved = $3, decided_at = $4
         WHERE user_code = $1 AND decided_at IS NULL AND expires_at > $4 RETURNING {COLUMNS}"
    );
    Ok(sqlx::query_as(sqlx::AssertSqlSafe(sql))
        .bind(user_code)
        .bind(user)
        .bind(approved)
        .bind(now)
        .fetch_optional(connection)
        .await?)
}

/// The login of a device that asks how it stands, held until the transaction ends.
pub(crate) async fn polled(connection: &mut PgConnection, device_hash: &[u8]) -> Result<Option<DeviceLogin>> {
    let sql = format!("SELECT {COLUMNS} FROM device_logins WHERE device_hash = $1 FOR UPDATE");
    Ok(sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(device_hash).fetch_optional(connection).await?)
}

/// Refuses what a user approved and no device has collected yet; how many there were.
pub(crate) async fn take_back(connection: &mut PgConnection, user: UserId) -> Result<u64> {
    let done = sqlx::query(
        "UPDATE device_logins SET approved = false WHERE user_id = $1 AND approved AND collected_at IS NULL",
    )
    .bind(user)
    .execute(connection)
    .await?;
    Ok(done.rows_affected())
}

/// Notes that the device asked, and whether it got its token.
pub(crate) async fn note_poll(
    connection: &mut PgConnection,
    login: &DeviceLogin,
    collected: bool,
    now: DateTime<Utc>,
) -> Result<()> {
    sqlx::query(
        "UPDATE device_logins SET last_polled_at = $2, collected_at = CASE WHEN $3 THEN $2 ELSE collected_at END
         WHERE id = $1",
    )
    .bind(login.id)
    .bind(now)
    .bind(collected)
    .execute(connection)
    .await?;
    Ok(())
}
