//! Holding an organisation's apps, by an empty wallet or an admin, and letting them go on as they were.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::deployments::Cancelled;
use super::{Store, deployments, metering};
use crate::jobs;
use crate::model::{AppId, Money, OrganizationId, SuspensionReason};
use crate::{Error, Result};

impl Store {
    /// Refuses what would make something run while billing is on and the organisation's wallet is empty.
    pub async fn ensure_funds(&self, organization: OrganizationId) -> Result<()> {
        ensure_funds(&mut *self.pool.acquire().await?, organization).await
    }

    /// The same while an admin has suspended the organisation, or it is being deleted.
    pub async fn ensure_may_run(&self, organization: OrganizationId) -> Result<()> {
        ensure_may_run(&mut *self.pool.acquire().await?, organization).await
    }

    /// The balance of an organisation less what is used and will be charged, but is not settled yet; none while nothing
    /// is charged.
    pub async fn funds(&self, organization: OrganizationId, now: DateTime<Utc>) -> Result<Option<Money>> {
        let funds = funds(&mut *self.pool.acquire().await?, organization, now).await?;
        Ok(funds.map(|funds| funds.amount))
    }

    /// Whether hours are charged now.
    pub async fn billing_is_on(&self) -> Result<bool> {
        billing_is_on(&mut *self.pool.acquire().await?).await
    }

    /// How many apps of an organisation are suspended for a reason.
    pub async fn apps_held(&self, organization: OrganizationId, reason: SuspensionReason) -> Result<u64> {
        let (count,): (i64,) = sqlx::query_as(
            "SELECT count(*) FROM paas_applications WHERE organization_id = $1 AND suspended_reason = $2",
        )
        .bind(organization)
        .bind(reason)
        .fetch_one(&self.pool)
        .await?;
        Ok(u64::try_from(count).unwrap_or(0))
    }
}

/// Whether hours are charged now.
pub(crate) async fn billing_is_on(connection: &mut PgConnection) -> Result<bool> {
    let (on,) = sqlx::query_as("SELECT EXISTS (SELECT 1 FROM paas_billing_periods WHERE ended_at IS NULL)")
        .fetch_one(connection)
        .await?;
    Ok(on)
}

/// See [`Store::ensure_funds`].
pub(crate) async fn ensure_funds(connection: &mut PgConnection, organization: OrganizationId) -> Result<()> {
    let empty: Option<(String,)> = sqlx::query_as(
        "SELECT name FROM organizations WHERE id = $1 AND wallet_balance <= 0
         AND EXISTS (SELECT 1 FROM paas_billing_periods WHERE ended_at IS NULL)",
    )
    .bind(organization)
    .fetch_optional(connection)
    .await?;
    empty.map_or(Ok(()), |(name,)| Err(Error::InsufficientFunds(name)))
}

/// Refuses what would make something of an organisation run while an admin has suspended it, it is being deleted, or
/// billing is on and its wallet is empty. None of that comes to pass until the transaction ends.
///
/// Who holds apps as well asks this first, or holds the organisation's row already: whoever suspends takes it first.
pub(crate) async fn ensure_may_run(connection: &mut PgConnection, organization: OrganizationId) -> Result<()> {
    ensure_not_suspended(connection, organization).await?;
    ensure_funds(connection, organization).await
}

/// The same but for the wallet.
pub(crate) async fn ensure_not_suspended(connection: &mut PgConnection, organization: OrganizationId) -> Result<()> {
    let found: Option<(String, bool, bool)> = sqlx::query_as(
        "SELECT name, suspended_at IS NOT NULL, deleting_at IS NOT NULL FROM organizations WHERE id = $1 FOR SHARE",
    )
    .bind(organization)
    .fetch_optional(connection)
    .await?;
    match found {
        Some((name, _, true)) => Err(Error::Conflict(format!("The organisation \"{name}\" is being deleted."))),
        Some((name, true, _)) => {
            Err(Error::Forbidden(format!("An admin of the platform suspended the organisation \"{name}\".")))
        }
        Some(_) => Ok(()),
        None => Err(Error::NotFound("That organisation does not exist any more.".to_owned())),
    }
}

/// Refuses what makes an organisation cost `cost_per_hour`, where billing is on and its wallet, less what is not
/// settled yet, lasts for less than an hour of that. So a wallet falls below zero by an hour's cost at most.
pub(crate) async fn ensure_an_hour(
    connection: &mut PgConnection,
    organization: OrganizationId,
    cost_per_hour: Money,
    now: DateTime<Utc>,
) -> Result<()> {
    let left = funds(connection, organization, now).await?;
    match left.filter(|left| left.amount < cost_per_hour) {
        Some(short) => Err(Error::InsufficientFunds(short.organization)),
        None => Ok(()),
    }
}

/// What an organisation still has.
#[derive(Debug, sqlx::FromRow)]
pub(crate) struct Funds {
    organization: String,
    /// Its balance less what is used and will be charged, but is not settled yet.
    pub(crate) amount: Money,
}

/// What an organisation still has at `now`; none while nothing is charged.
pub(crate) async fn funds(
    connection: &mut PgConnection,
    organization: OrganizationId,
    now: DateTime<Utc>,
) -> Result<Option<Funds>> {
    Ok(sqlx::query_as(
        "SELECT o.name AS organization, round(o.wallet_balance - coalesce(
             sum(m.price_per_hour * m.replicas * greatest(0, extract(epoch FROM
                 least(coalesce(m.ended_at, $2), $2) - greatest(m.settled_until, billing.charged_from)))) / 3600,
             0), 6) AS amount
         FROM organizations AS o
         JOIN (SELECT date_trunc('hour', started_at + interval '1 hour' - interval '1 microsecond', 'UTC') AS charged_from
               FROM paas_billing_periods WHERE ended_at IS NULL) AS billing ON true
         LEFT JOIN paas_metering AS m
             ON m.organization_id = o.id AND (m.ended_at IS NULL OR m.settled_until < m.ended_at)
         WHERE o.id = $1
         GROUP BY o.id",
    )
    .bind(organization)
    .bind(now)
    .fetch_optional(connection)
    .await?)
}

/// Asks the same for the organisation of an app.
pub(crate) async fn ensure_app_may_run(connection: &mut PgConnection, app: AppId) -> Result<()> {
    let organization: Option<(OrganizationId,)> =
        sqlx::query_as("SELECT organization_id FROM paas_applications WHERE id = $1")
            .bind(app)
            .fetch_optional(&mut *connection)
            .await?;
    match organization {
        Some((organization,)) => ensure_may_run(connection, organization).await,
        None => Ok(()),
    }
}

/// Suspends all apps of an organisation that run or are about to, be it by their first deployment, remembers what each
/// was, and enqueues the jobs that stop them. What is being deployed is cancelled, of those that stand still as well:
/// nothing may go live meanwhile, and who stops waits behind who builds. Answers which. The caller holds the
/// organisation's row.
pub(crate) async fn hold(
    connection: &mut PgConnection,
    organization: OrganizationId,
    reason: SuspensionReason,
    now: DateTime<Utc>,
) -> Result<Vec<AppId>> {
    // In order, like all who take several.
    let concerned: Vec<(AppId, bool)> = sqlx::query_as(
        "SELECT id, is_deploying FROM paas_applications, LATERAL (
             SELECT id = ANY (ARRAY (SELECT application_id FROM paas_deployments
                 WHERE status NOT IN ('succeeded', 'failed', 'cancelled'))) AS is_deploying
         ) AS deployments
         WHERE organization_id = $1 AND (status IN ('building', 'deploying', 'running', 'failed') OR is_deploying)
         ORDER BY id FOR NO KEY UPDATE OF paas_applications",
    )
    .bind(organization)
    .fetch_all(&mut *connection)
    .await?;
    let (why, cancelled) = match reason {
        SuspensionReason::Wallet => (
            "Suspended: the organisation's wallet is empty. A top-up starts it again.",
            "Cancelled: the organisation's wallet is empty. Deploy again after a top-up.",
        ),
        SuspensionReason::Admin => (
            "Suspended by an admin of the platform.",
            "Cancelled: an admin of the platform suspended the organisation.",
        ),
    };
    for (app, _) in concerned.iter().filter(|(_, is_deploying)| *is_deploying) {
        deployments::cancel(connection, *app, Cancelled::All, ("CANCELLED", cancelled), now).await?;
    }
    let rows: Vec<(AppId,)> = sqlx::query_as(
        "UPDATE paas_applications SET suspended_reason = $2, suspended_from = status, status = 'suspended'
         WHERE id = ANY ($1) AND status NOT IN ('stopped', 'suspended', 'deleting')
         RETURNING id",
    )
    .bind(concerned.into_iter().map(|(app, _)| app.0).collect::<Vec<_>>())
    .bind(reason)
    .fetch_all(&mut *connection)
    .await?;
    let apps: Vec<AppId> = rows.into_iter().map(|(app,)| app).collect();
    if !apps.is_empty() {
        metering::stop(connection, &apps, now).await?;
        tell(connection, &apps, "suspend", why, now).await?;
        jobs::apply_within(connection, &apps).await?;
    }
    Ok(apps)
}

/// Lets the apps of an organisation go on that were suspended for `reason`, as they were, and enqueues the jobs that
/// start them. Where the other reason holds them as well they stay suspended, for that one. Answers which go on. The
/// caller holds the organisation's row.
pub(crate) async fn release(
    connection: &mut PgConnection,
    organization: OrganizationId,
    reason: SuspensionReason,
    now: DateTime<Utc>,
) -> Result<Vec<AppId>> {
    let (suspended, balance): (bool, Money) =
        sqlx::query_as("SELECT suspended_at IS NOT NULL, wallet_balance FROM organizations WHERE id = $1")
            .bind(organization)
            .fetch_one(&mut *connection)
            .await?;
    let wallet_is_empty = balance <= Money::ZERO && billing_is_on(connection).await?;
    let other = match reason {
        SuspensionReason::Wallet if suspended => Some(SuspensionReason::Admin),
        SuspensionReason::Admin if wallet_is_empty => Some(SuspensionReason::Wallet),
        _ => None,
    };
    if let Some(other) = other {
        sqlx::query(
            "UPDATE paas_applications SET suspended_reason = $3 WHERE organization_id = $1 AND suspended_reason = $2",
        )
        .bind(organization)
        .bind(reason)
        .bind(other)
        .execute(connection)
        .await?;
        return Ok(Vec::new());
    }
    let rows: Vec<(AppId,)> = sqlx::query_as(
        "UPDATE paas_applications SET status = CASE
             WHEN suspended_from = 'failed' THEN 'failed'
             WHEN current_deployment_id IS NULL THEN 'inactive'
             ELSE 'running' END
         WHERE id = ANY (ARRAY (
             SELECT id FROM paas_applications WHERE organization_id = $1 AND status = 'suspended'
             AND suspended_reason = $2 ORDER BY id FOR NO KEY UPDATE))
         RETURNING id",
    )
    .bind(organization)
    .bind(reason)
    .fetch_all(&mut *connection)
    .await?;
    let apps: Vec<AppId> = rows.into_iter().map(|(app,)| app).collect();
    if !apps.is_empty() {
        for app in &apps {
            metering::record(connection, *app, now).await?;
        }
        let why = match reason {
            SuspensionReason::Wallet => "Started again: the wallet was topped up.",
            SuspensionReason::Admin => "Started again: an admin of the platform lifted the suspension.",
        };
        tell(connection, &apps, "resume", why, now).await?;
        jobs::apply_within(connection, &apps).await?;
    }
    Ok(apps)
}

async fn tell(
    connection: &mut PgConnection,
    apps: &[AppId],
    kind: &str,
    message: &str,
    now: DateTime<Utc>,
) -> Result<()> {
    sqlx::query(
        "INSERT INTO paas_events (organization_id, application_id, kind, message, created_at)
         SELECT organization_id, id, $2, $3, $4 FROM paas_applications WHERE id = ANY ($1)",
    )
    .bind(apps)
    .bind(kind)
    .bind(message)
    .bind(now)
    .execute(connection)
    .await?;
    Ok(())
}
