//! What an organisation may have at a time: apps, deployments an hour, builds at once.

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::PgConnection;

use super::Store;
use crate::model::{AppId, OrganizationId};
use crate::settings::Settings;
use crate::{Error, Result};

/// Limits of an organisation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quotas {
    /// Most apps.
    pub apps: u64,
    /// Most deployments within an hour.
    pub deployments_per_hour: u64,
    /// Most builds at the same time.
    pub concurrent_builds: u64,
}

impl Store {
    /// The limits of an organisation: its own where it has some, else the platform's.
    pub async fn quotas(&self, organization: OrganizationId) -> Result<Quotas> {
        let settings = self.settings().await?;
        quotas(&mut *self.pool.acquire().await?, organization, &settings).await
    }
}

pub(super) async fn quotas(
    connection: &mut PgConnection,
    organization: OrganizationId,
    settings: &Settings,
) -> Result<Quotas> {
    let own: Option<(Option<i32>, Option<i32>, Option<i32>)> = sqlx::query_as(
        "SELECT max_apps, max_deployments_per_hour, max_concurrent_builds FROM organizations WHERE id = $1",
    )
    .bind(organization)
    .fetch_optional(connection)
    .await?;
    let (apps, deployments, builds) = own.unwrap_or_default();
    let or = |own: Option<i32>, general: u64| own.and_then(|own| u64::try_from(own).ok()).unwrap_or(general);
    Ok(Quotas {
        apps: or(apps, settings.limits_apps),
        deployments_per_hour: or(deployments, settings.limits_deployments_per_hour),
        concurrent_builds: or(builds, settings.limits_concurrent_builds),
    })
}

/// Lets those who count what an organisation has do so one after the other, until the transaction ends.
pub(super) async fn lock(connection: &mut PgConnection, organization: OrganizationId) -> Result<()> {
    sqlx::query("SELECT pg_advisory_xact_lock(hashtextextended('skypanel quotas ' || $1::text, 0))")
        .bind(organization)
        .execute(connection)
        .await?;
    Ok(())
}

/// Refuses an app above the organisation's number of apps.
pub(crate) async fn check_apps(
    connection: &mut PgConnection,
    organization: OrganizationId,
    settings: &Settings,
) -> Result<()> {
    lock(connection, organization).await?;
    let most = quotas(connection, organization, settings).await?.apps;
    let (apps,): (i64,) = sqlx::query_as("SELECT count(*) FROM paas_applications WHERE organization_id = $1")
        .bind(organization)
        .fetch_one(connection)
        .await?;
    if u64::try_from(apps).unwrap_or(0) < most {
        return Ok(());
    }
    Err(Error::PlanLimitReached(format!(
        "The organisation has {apps} app(s), and {most} is the most it may have. Destroy one that is not needed, or \
         ask the operator for more."
    )))
}

/// Refuses so many more apps where the organisation has too little room for them.
pub(crate) async fn check_room(
    connection: &mut PgConnection,
    organization: OrganizationId,
    settings: &Settings,
    more: usize,
) -> Result<()> {
    lock(connection, organization).await?;
    let most = quotas(connection, organization, settings).await?.apps;
    let (apps,): (i64,) = sqlx::query_as("SELECT count(*) FROM paas_applications WHERE organization_id = $1")
        .bind(organization)
        .fetch_one(connection)
        .await?;
    if u64::try_from(apps).unwrap_or(0).saturating_add(more as u64) <= most {
        return Ok(());
    }
    Err(Error::PlanLimitReached(format!(
        "The organisation has {apps} app(s), {more} would come to it, and {most} is the most it may have. Raise its \
         limit (max_apps) first."
    )))
}

/// Refuses a deployment above the organisation's number of deployments an hour.
pub(crate) async fn check_deployments(
    connection: &mut PgConnection,
    organization: OrganizationId,
    settings: &Settings,
    now: DateTime<Utc>,
) -> Result<()> {
    lock(connection, organization).await?;
    let most = quotas(connection, organization, settings).await?.deployments_per_hour;
    let hour = TimeDelta::hours(1);
    let (count, first): (i64, Option<DateTime<Utc>>) = sqlx::query_as(
        "SELECT count(*), min(begun_at) FROM paas_begun_deployments WHERE organization_id = $1 AND begun_at > $2",
    )
    .bind(organization)
    .bind(now - hour)
    .fetch_one(connection)
    .await?;
    if u64::try_from(count).unwrap_or(0) < most {
        return Ok(());
    }
    let wait = first.map_or(hour, |first| first + hour - now);
    Err(Error::TooMany {
        message: format!(
            "The organisation had {count} deployment(s) within the last hour, and {most} is the most it may have. \
             Try again later, or ask the operator for more."
        ),
        retry_after: wait.to_std().unwrap_or_default(),
    })
}

/// Counts a deployment of an app towards that number, whatever becomes of both.
pub(super) async fn count_deployment(connection: &mut PgConnection, app: AppId, now: DateTime<Utc>) -> Result<()> {
    let (organization,): (OrganizationId,) = sqlx::query_as(
        "INSERT INTO paas_begun_deployments (organization_id, begun_at)
         SELECT organization_id, $2 FROM paas_applications WHERE id = $1 RETURNING organization_id",
    )
    .bind(app)
    .bind(now)
    .fetch_one(&mut *connection)
    .await?;
    sqlx::query("DELETE FROM paas_begun_deployments WHERE organization_id = $1 AND begun_at <= $2")
        .bind(organization)
        .bind(now - TimeDelta::hours(1))
        .execute(connection)
        .await?;
    Ok(())
}
