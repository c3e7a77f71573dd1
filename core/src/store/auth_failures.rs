//! Failures of logins, tokens and codes, counted for all processes together, so that guessing stays slow.

use std::net::IpAddr;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use super::Store;
use crate::{Error, Result};

/// What is counted, and how much of it is too much.
#[derive(Clone, Debug)]
pub(crate) struct Guard {
    key: String,
    most: i32,
}

/// When a count begins anew.
const WINDOW: TimeDelta = TimeDelta::minutes(15);

impl Guard {
    /// Tries of one account.
    pub(crate) fn account(what: &str, account: &str) -> Self {
        // However long the input, the key is short.
        let account: String = account.to_lowercase().chars().take(254).collect();
        Self { key: format!("{what}:account:{account}"), most: 10 }
    }

    /// Tries of one account from one address.
    pub(crate) fn account_from(what: &str, account: &str, address: Option<IpAddr>) -> Self {
        // What a visitor typed comes last, so that nothing they type makes another count's key.
        Self::account(&format!("{what}:from:{}", network_of(address)), account)
    }

    /// Tries of one account by anybody, so many that only a crowd gets there.
    pub(crate) fn account_from_anywhere(what: &str, account: &str) -> Self {
        Self { most: 100, ..Self::account(what, account) }
    }

    /// Tries from one address.
    pub(crate) fn address(what: &str, address: Option<IpAddr>) -> Self {
        Self { key: format!("{what}:address:{}", network_of(address)), most: 50 }
    }
}

/// What one client can be told by: a subscriber has a /64 of IPv6 at least.
fn network_of(address: Option<IpAddr>) -> String {
    match address {
        Some(IpAddr::V6(v6)) => format!("{:x?}", &v6.segments()[..4]),
        Some(v4) => v4.to_string(),
        None => "unknown".to_owned(),
    }
}

impl Store {
    /// Counts a try before it is made, so that many at once are counted too; refuses it if there were too many.
    pub(crate) async fn count_try(&self, guard: &Guard, now: DateTime<Utc>) -> Result<()> {
        let (tries, forgotten_at): (i32, DateTime<Utc>) = sqlx::query_as(
            "INSERT INTO auth_failures AS f (key, failures, forgotten_at) VALUES ($1, 1, $3)
             ON CONFLICT (key) DO UPDATE SET
                 failures = CASE WHEN f.forgotten_at <= $2 THEN 1 ELSE LEAST(f.failures + 1, 1000000) END,
                 forgotten_at = CASE WHEN f.forgotten_at <= $2 THEN $3 ELSE f.forgotten_at END
             RETURNING failures, forgotten_at",
        )
        .bind(&guard.key)
        .bind(now)
        .bind(now + WINDOW)
        .fetch_one(&self.pool)
        .await?;
        if tries <= guard.most {
            return Ok(());
        }
        let retry_after = (forgotten_at - now).to_std().unwrap_or(Duration::from_secs(1));
        Err(Error::TooMany {
            message: format!(
                "There were too many failed tries. Try again in {} minutes.",
                retry_after.as_secs() / 60 + 1
            ),
            retry_after,
        })
    }

    /// Forgets the failures of what has succeeded.
    pub(crate) async fn forget_tries(&self, guard: &Guard) -> Result<()> {
        sqlx::query("DELETE FROM auth_failures WHERE key = $1").bind(&guard.key).execute(&self.pool).await?;
        Ok(())
    }

    /// Takes back one try that was none.
    pub(crate) async fn uncount_try(&self, guard: &Guard) -> Result<()> {
        sqlx::query("UPDATE auth_failures SET failures = GREATEST(failures - 1, 0) WHERE key = $1")
            .bind(&guard.key)
            .execute(&self.pool)
            .await?;
        Ok(())
    }
}
