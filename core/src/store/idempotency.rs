//! Answers to creating calls, kept for a day under the key that their client gave them. They may hold what is shown
//! once only (a new token), so that they are sealed.

use chrono::TimeDelta;

use super::Store;
use crate::model::UserId;
use crate::secrets::Owner;
use crate::{Error, Result, request};

/// How long a key is remembered.
const LIFETIME: TimeDelta = TimeDelta::days(1);
/// How long a call is waited for; the API gives each of them up before. One that has no answer after that was cut off
/// with its process, and can be made again unless the audit log, which is written with what a call changes, has it.
const LEASE: TimeDelta = TimeDelta::minutes(2);

/// What is known of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Known {
    /// Nothing: the call is to be made now.
    New,
    /// The same call is being made at this moment, or was cut off with its process within the last two minutes.
    Begun,
    /// The same call was made, and its answer was lost with its process.
    Lost,
    /// It was for something else.
    Other,
    /// What was answered.
    Answered {
        /// HTTP status.
        status: u16,
        /// Type of the body, if there was one.
        content_type: Option<String>,
        /// The body.
        body: Vec<u8>,
    },
}

/// A call as it is kept.
#[derive(sqlx::FromRow)]
struct Kept {
    request_hash: Vec<u8>,
    status: Option<i16>,
    content_type: Option<String>,
    body: Option<Vec<u8>>,
    is_made: bool,
}

impl Store {
    /// Begins a call under a key for the request that this task answers, or says what became of it.
    pub async fn begin_call(&self, user: UserId, key: &str, request_hash: &[u8]) -> Result<Known> {
        let now = self.clock.now();
        sqlx::query("DELETE FROM idempotency_keys WHERE created_at < $1")
            .bind(now - LIFETIME)
            .execute(&self.pool)
            .await?;
        let begun = sqlx::query(
            "INSERT INTO idempotency_keys (user_id, key, request_hash, created_at, request_id)
             VALUES ($1, $2, $3, $4, $6)
             ON CONFLICT (user_id, key) DO UPDATE
             SET created_at = excluded.created_at, request_id = excluded.request_id
             WHERE idempotency_keys.status IS NULL AND idempotency_keys.request_hash = excluded.request_hash
             AND idempotency_keys.created_at <= $5
             AND NOT EXISTS (SELECT FROM paas_audit_log made WHERE made.request_id = idempotency_keys.request_id)",
        )
        .bind(user)
        .bind(key)
        .bind(request_hash)
        .bind(now)
        .bind(now - LEASE)
        .bind(request::current())
        .execute(&self.pool)
        .await?;
        if begun.rows_affected() == 1 {
            return Ok(Known::New);
        }
        let found: Option<Kept> = sqlx::query_as(
            "SELECT request_hash, status, content_type, body, created_at <= $3 AND EXISTS
                 (SELECT FROM paas_audit_log made WHERE made.request_id = idempotency_keys.request_id) AS is_made
             FROM idempotency_keys WHERE user_id = $1 AND key = $2",
        )
        .bind(user)
        .bind(key)
        .bind(now - LEASE)
        .fetch_optional(&self.pool)
        .await?;
        let Some(kept) = found else { return Ok(Known::Begun) };
        if kept.request_hash != request_hash {
            return Ok(Known::Other);
        }
        let (Some(status), Some(body)) = (kept.status, kept.body) else {
            return Ok(if kept.is_made { Known::Lost } else { Known::Begun });
        };
        let body = self.secrets.open(Owner::Platform, &belongs_to(user, key), &body)?.to_vec();
        let status = u16::try_from(status).map_err(|_| Error::System("A stored answer has no status.".to_owned()))?;
        Ok(Known::Answered { status, content_type: kept.content_type, body })
    }

    /// Keeps the answer of a call that was begun.
    pub async fn finish_call(
        &self,
        user: UserId,
        key: &str,
        status: u16,
        content_type: Option<&str>,
        body: &[u8],
    ) -> Result<()> {
        let sealed = self.secrets.seal(Owner::Platform, &belongs_to(user, key), body)?;
        sqlx::query(
            "UPDATE idempotency_keys SET status = $3, content_type = $4, body = $5 WHERE user_id = $1 AND key = $2",
        )
        .bind(user)
        .bind(key)
        .bind(i16::try_from(status).unwrap_or(500))
        .bind(content_type)
        .bind(sealed)
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// Forgets a call that changed nothing, so that it can be made again.
    pub async fn forget_call(&self, user: UserId, key: &str) -> Result<()> {
        sqlx::query("DELETE FROM idempotency_keys WHERE user_id = $1 AND key = $2 AND status IS NULL")
            .bind(user)
            .bind(key)
            .execute(&self.pool)
            .await?;
        Ok(())
    }
}

fn belongs_to(user: UserId, key: &str) -> String {
    format!("answer {user} {key}")
}
