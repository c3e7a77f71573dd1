//! Public host keys of the SSH servers: said by the receivers, told to clients by the API.

use chrono::{DateTime, TimeDelta, Utc};

use super::Store;
use crate::Result;

/// How long the key of a server that is not heard of any more is still told.
const KEPT: TimeDelta = TimeDelta::days(30);

impl Store {
    /// Notes that a server with this key runs. `public_key` is as in a `.pub` file, without a comment.
    pub async fn note_host_key(&self, public_key: &str, now: DateTime<Utc>) -> Result<()> {
        sqlx::query(
            "WITH forgotten AS (DELETE FROM ssh_host_keys WHERE last_seen_at < $3 AND public_key <> $1)
             INSERT INTO ssh_host_keys (public_key, last_seen_at) VALUES ($1, $2)
             ON CONFLICT (public_key) DO UPDATE SET last_seen_at = greatest(ssh_host_keys.last_seen_at, $2)",
        )
        .bind(public_key)
        .bind(now)
        .bind(now - KEPT)
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// The keys of all servers, the one heard of last first.
    pub async fn host_keys(&self) -> Result<Vec<String>> {
        let sql = "SELECT public_key FROM ssh_host_keys ORDER BY last_seen_at DESC, public_key";
        Ok(sqlx::query_scalar(sql).fetch_all(&self.pool).await?)
    }
}
