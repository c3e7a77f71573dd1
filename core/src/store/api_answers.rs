//! How requests to the API were answered: written by each of its processes, read by the rules of [`crate::alerts`].

use chrono::{DateTime, DurationRound as _, TimeDelta, Utc};

use super::Store;
use crate::Result;

/// How requests were answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, sqlx::FromRow)]
pub struct ApiAnswers {
    /// How many there were.
    #[sqlx(try_from = "i64")]
    pub requests: u64,
    /// How many were answered with 500 or more.
    #[sqlx(try_from = "i64")]
    pub errors: u64,
    /// How many answers began later than `alerts.api_slow_ms` says.
    #[sqlx(try_from = "i64")]
    pub slow: u64,
}

impl Store {
    /// Adds answers to those of this minute.
    pub async fn add_api_answers(&self, answers: &ApiAnswers, now: DateTime<Utc>) -> Result<()> {
        let count = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        sqlx::query(
            "INSERT INTO paas_api_minutes AS known (minute, requests, errors, slow) VALUES ($1, $2, $3, $4)
             ON CONFLICT (minute) DO UPDATE SET requests = known.requests + excluded.requests,
                 errors = known.errors + excluded.errors, slow = known.slow + excluded.slow",
        )
        .bind(now.duration_trunc(TimeDelta::minutes(1)).unwrap_or(now))
        .bind(count(answers.requests))
        .bind(count(answers.errors))
        .bind(count(answers.slow))
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// How requests were answered in the minutes that began since `since`.
    pub async fn api_answers(&self, since: DateTime<Utc>) -> Result<ApiAnswers> {
        Ok(sqlx::query_as(
            "SELECT coalesce(sum(requests), 0)::bigint AS requests, coalesce(sum(errors), 0)::bigint AS errors,
                 coalesce(sum(slow), 0)::bigint AS slow
             FROM paas_api_minutes WHERE minute >= $1",
        )
        .bind(since)
        .fetch_one(&self.pool)
        .await?)
    }

    /// Forgets the minutes before `before`.
    pub async fn drop_old_api_answers(&self, before: DateTime<Utc>) -> Result<()> {
        sqlx::query("DELETE FROM paas_api_minutes WHERE minute < $1").bind(before).execute(&self.pool).await?;
        Ok(())
    }
}
