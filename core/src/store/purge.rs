//! What is forgotten once nobody can ask for it any more: sessions and what carried them on, counts of failures.

use chrono::TimeDelta;

use super::Store;
use crate::Result;

/// How long a session that has ended is kept.
const ENDED_SESSIONS: TimeDelta = TimeDelta::days(7);

impl Store {
    /// Drops sessions that are over, and counts of failures that count no more.
    pub async fn drop_old_sessions(&self) -> Result<()> {
        let now = self.clock.now();
        let mut transaction = self.pool.begin().await?;
        // Their refresh tokens go with them, and not before: when one that was exchanged comes back, somebody else has
        // it, and its session ends, however long ago that was.
        sqlx::query("DELETE FROM user_sessions WHERE expires_at < $1 OR revoked_at < $1")
            .bind(now - ENDED_SESSIONS)
            .execute(&mut *transaction)
            .await?;
        sqlx::query("DELETE FROM auth_failures WHERE forgotten_at <= $1").bind(now).execute(&mut *transaction).await?;
        transaction.commit().await?;
        Ok(())
    }
}
