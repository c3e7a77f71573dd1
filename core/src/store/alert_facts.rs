//! What the rules of [`crate::alerts`] look at, as far as the database knows it.

use chrono::{DateTime, Utc};

use super::Store;
use crate::Result;
use crate::model::{AppId, AppSlug, OrganizationId};

/// How often something happened to an app.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct AppCount {
    /// Which app.
    pub id: AppId,
    /// Its unique name.
    pub slug: AppSlug,
    /// Whose it is.
    pub organization_id: OrganizationId,
    /// How often.
    #[sqlx(try_from = "i64")]
    pub count: u64,
}

impl Store {
    /// Apps of which `least` deployments or more failed since the last one that went well, and the newest of those
    /// since `since`.
    pub async fn apps_that_fail(&self, since: DateTime<Utc>, least: u64) -> Result<Vec<AppCount>> {
        Ok(sqlx::query_as(
            "SELECT app.id, app.slug, app.organization_id, failed.count
             FROM (SELECT DISTINCT application_id FROM paas_deployments WHERE status = 'failed' AND finished_at > $1)
                 AS lately
             JOIN paas_applications AS app ON app.id = lately.application_id,
             LATERAL (SELECT count(*) FROM paas_deployments
                 WHERE application_id = app.id AND status = 'failed' AND finished_at > coalesce((
                     SELECT max(finished_at) FROM paas_deployments
                     WHERE application_id = app.id AND status = 'succeeded'), '-infinity')) AS failed
             WHERE failed.count >= $2 AND app.status <> 'deleting' ORDER BY app.slug",
        )
        .bind(since)
        .bind(rows(least))
        .fetch_all(&self.pool)
        .await?)
    }

    /// How many deployments of the platform went well since `since`, and how many failed.
    pub async fn deployments_ended(&self, since: DateTime<Utc>) -> Result<(u64, u64)> {
        let (succeeded, failed): (i64, i64) = sqlx::query_as(
            "SELECT count(*) FILTER (WHERE status = 'succeeded'), count(*) FILTER (WHERE status = 'failed')
             FROM paas_deployments WHERE finished_at > $1",
        )
        .bind(since)
        .fetch_one(&self.pool)
        .await?;
        Ok((u64::try_from(succeeded).unwrap_or(0), u64::try_from(failed).unwrap_or(0)))
    }
}

fn rows(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
