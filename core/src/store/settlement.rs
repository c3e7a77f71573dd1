//! The settlement: hours that are over become usage and charges, once each; empty wallets suspend, full ones resume.
//!
//! One transaction settles a few hours of one organisation. It holds the organisation's row and the rows of its apps
//! (in this order, apps by id), so that the history cannot change under it; each row of the history remembers up to
//! where it is settled. A crash leaves a transaction undone, and whoever comes next does it.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::PgConnection;

use super::ledger::Charge;
use super::metering::METERED_COLUMNS;
use super::{Store, ledger, suspension, thresholds};
use crate::model::{AppId, Hour, HourOfApp, Metered, Money, OrganizationId, SuspensionReason, UsageLine, cost_of_hour};
use crate::settings::Settings;
use crate::{Error, Result};

/// Most hours times apps that one transaction settles.
const BATCH: usize = 4_096;

/// What a settlement did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settled {
    /// Hours of apps in which something ran.
    pub app_hours: usize,
    /// What of them was charged.
    pub charged: Money,
    /// Apps that were suspended, because the wallet is empty.
    pub suspended: Vec<AppId>,
    /// Apps that go on, because it is not any more or billing is off.
    pub resumed: Vec<AppId>,
}

impl Settled {
    fn add(&mut self, other: Self) {
        self.app_hours += other.app_hours;
        self.charged += other.charged;
        self.suspended.extend(other.suspended);
        self.resumed.extend(other.resumed);
    }
}

/// A time in which billing was on.
#[derive(Clone, Copy, sqlx::FromRow)]
struct BillingPeriod {
    started_at: DateTime<Utc>,
    ended_at: Option<DateTime<Utc>>,
}

impl BillingPeriod {
    fn covers(self, hour: Hour) -> bool {
        self.started_at <= hour.begin() && self.ended_at.is_none_or(|ended| ended >= hour.end())
    }
}

impl Store {
    /// Settles all hours that are over, of all organisations, and brings suspensions in step with wallets. Any number
    /// of processes may do this at once, at any time. The trouble of one organisation does not keep the others from
    /// being settled; it is answered at the end.
    pub async fn settle_usage(&self) -> Result<Settled> {
        let settings = self.settings().await?;
        let until = Hour::of(self.time_agreed_on().await?);
        let due: Vec<(OrganizationId,)> = sqlx::query_as(
            "SELECT DISTINCT organization_id FROM paas_metering
             WHERE (ended_at IS NULL OR settled_until < ended_at) AND settled_until < $1
             UNION
             SELECT o.id FROM organizations AS o, LATERAL (
                 SELECT wallet_balance <= 0 AND EXISTS (SELECT 1 FROM paas_billing_periods WHERE ended_at IS NULL) AS is_empty
             ) AS wallet, LATERAL (
                 (SELECT 1 FROM paas_applications WHERE organization_id = o.id AND is_empty
                  AND status IN ('building', 'deploying', 'running', 'failed') LIMIT 1)
                 UNION ALL
                 (SELECT 1 FROM paas_applications WHERE organization_id = o.id AND NOT is_empty
                  AND suspended_reason = 'wallet' LIMIT 1)
             ) AS app",
        )
        .bind(until.begin())
        .fetch_all(&self.pool)
        .await?;
        let mut all = Settled::default();
        let mut trouble = None;
        for (organization,) in due {
            match self.settle_organization(organization, until, &settings).await {
                Ok(settled) => all.add(settled),
                Err(error) => {
                    tracing::error!(%organization, ?error, "the usage of an organisation could not be settled");
                    trouble = Some(error);
                }
            }
        }
        trouble.map_or(Ok(all), Err)
    }

    /// The earlier of this process's time and the database's: a clock that is ahead must not end an hour that the
    /// others still write into. A clock in a test's hands is the only one.
    async fn time_agreed_on(&self) -> Result<DateTime<Utc>> {
        let ours = self.clock.now();
        if !self.clock.is_system() {
            return Ok(ours);
        }
        let (theirs,): (DateTime<Utc>,) = sqlx::query_as("SELECT now()").fetch_one(&self.pool).await?;
        Ok(ours.min(theirs))
    }

    /// Settles the hours of one organisation that were over when `until` began.
    async fn settle_organization(
        &self,
        organization: OrganizationId,
        until: Hour,
        settings: &Settings,
    ) -> Result<Settled> {
        let mut all = Settled::default();
        loop {
            let mut transaction = self.pool.begin().await?;
            let balance = ledger::lock_wallet(&mut transaction, organization).await?;
            let (settled, left, more) =
                settle_batch(&mut transaction, organization, balance, Due::Over(until), self.clock.now()).await?;
            all.add(settled);
            if let (Some(left), false) = (left, more) {
                let after = self.follow_balance(&mut transaction, organization, left, settings).await?;
                all.add(after);
            }
            transaction.commit().await?;
            if !more {
                return Ok(all);
            }
        }
    }

    /// Suspends or resumes apps as the balance, with which the transaction leaves the wallet, demands; warns.
    async fn follow_balance(
        &self,
        connection: &mut PgConnection,
        organization: OrganizationId,
        balance: Money,
        settings: &Settings,
    ) -> Result<Settled> {
        let now = self.clock.now();
        let mut settled = Settled::default();
        let on = suspension::billing_is_on(connection).await?;
        if on && balance <= Money::ZERO {
            settled.suspended = suspension::hold(connection, organization, SuspensionReason::Wallet, now).await?;
        } else {
            settled.resumed = suspension::release(connection, organization, SuspensionReason::Wallet, now).await?;
        }
        if on {
            warn_of_low_balance(connection, organization, balance, settings, now).await?;
        }
        Ok(settled)
    }
}

/// Settles all that an organisation that is being deleted still owes, the hour that is not over included. The caller
/// holds its row and those of its apps, and has ended or moved all that ran.
pub(crate) async fn settle_rest(
    connection: &mut PgConnection,
    organization: OrganizationId,
    now: DateTime<Utc>,
) -> Result<Settled> {
    let mut all = Settled::default();
    loop {
        let balance = ledger::lock_wallet(connection, organization).await?;
        let due = Due::Ended(Hour::of(now).next());
        let (settled, _, more) = settle_batch(connection, organization, balance, due, now).await?;
        all.add(settled);
        if !more {
            return Ok(all);
        }
    }
}

/// What is to be settled.
#[derive(Clone, Copy, Debug)]
enum Due {
    /// The hours before this one, which are over. Nothing is added to them any more, whatever a clock says later.
    Over(Hour),
    /// All that has ended before this hour begins, although what comes after goes on in it: another organisation's.
    Ended(Hour),
}

/// Settles the earliest hours of an organisation that are due. Answers what it did, what is left in the wallet, and
/// whether there are more.
async fn settle_batch(
    connection: &mut PgConnection,
    organization: OrganizationId,
    balance: Option<Money>,
    due: Due,
    now: DateTime<Utc>,
) -> Result<(Settled, Option<Money>, bool)> {
    let (until, is_over) = match due {
        Due::Over(until) => (until, true),
        Due::Ended(until) => (until, false),
    };
    // An app that moved to another organisation is held as well: its history here must not change either.
    let held: Vec<(AppId,)> = sqlx::query_as(
        "SELECT id FROM paas_applications WHERE id = ANY (ARRAY (
             SELECT id FROM paas_applications WHERE organization_id = $1
             UNION SELECT application_id FROM paas_metering
             WHERE organization_id = $1 AND (ended_at IS NULL OR settled_until < ended_at)))
         ORDER BY id FOR NO KEY UPDATE",
    )
    .bind(organization)
    .fetch_all(&mut *connection)
    .await?;
    let held: Vec<AppId> = held.into_iter().map(|(app,)| app).collect();
    // Apps that are there but not held came after the lock, and are settled next time.
    let sql = format!(
        "SELECT {METERED_COLUMNS} FROM paas_metering AS metering
         WHERE organization_id = $1 AND (ended_at IS NULL OR settled_until < ended_at) AND settled_until < $2
         AND (application_id = ANY ($3) OR NOT EXISTS (
             SELECT 1 FROM paas_applications WHERE id = metering.application_id))
         ORDER BY application_id, id"
    );
    let due: Vec<Metered> = sqlx::query_as(sqlx::AssertSqlSafe(sql))
        .bind(organization)
        .bind(until.begin())
        .bind(&held)
        .fetch_all(&mut *connection)
        .await?;
    let Some(first) = due.iter().map(|metered| Hour::of(metered.settled_until)).min() else {
        return Ok((Settled::default(), balance, false));
    };
    let mut apps: BTreeMap<AppId, Vec<&Metered>> = BTreeMap::new();
    for metered in &due {
        apps.entry(metered.application_id).or_default().push(metered);
    }
    let hours = i64::try_from((BATCH / apps.len()).max(1)).unwrap_or(1);
    let end = Hour::of(first.begin() + TimeDelta::hours(hours)).min(until);

    let mut settled: Vec<HourOfApp> = Vec::new();
    for history in apps.values() {
        let mut hour = history.iter().map(|metered| Hour::of(metered.settled_until)).min().unwrap_or(end);
        while hour < end {
            settled.extend(cost_of_hour(history, hour, end.begin()));
            hour = hour.next();
        }
    }
    settled.sort_by_key(|settled| settled.hour);
    let periods: Vec<BillingPeriod> =
        sqlx::query_as("SELECT started_at, ended_at FROM paas_billing_periods").fetch_all(&mut *connection).await?;
    let is_charged = |hour: Hour| balance.is_some() && periods.iter().any(|period| period.covers(hour));
    write_usage(connection, organization, &settled, is_charged).await?;
    let charges: Vec<Charge<'_>> = settled
        .iter()
        .filter(|settled| settled.cost > Money::ZERO && is_charged(settled.hour))
        .filter_map(|settled| {
            let line = settled.lines.first()?;
            Some(Charge {
                app: line.key.application_id,
                slug: &line.app_slug,
                hour: settled.hour,
                amount: settled.cost,
            })
        })
        .collect();
    let left = match balance {
        Some(balance) if !charges.is_empty() => {
            Some(ledger::charge(connection, organization, balance, &charges, now).await?)
        }
        balance => balance,
    };
    let done: Vec<i64> =
        due.iter().filter(|metered| metered.settled_until < end.begin()).map(|metered| metered.id).collect();
    sqlx::query(
        "UPDATE paas_metering SET settled_until = CASE WHEN $3 THEN $2 ELSE least($2, ended_at) END WHERE id = ANY ($1)",
    )
    .bind(done)
    .bind(end.begin())
    .bind(is_over)
    .execute(connection)
    .await?;
    let charged = charges.iter().map(|charge| charge.amount).sum();
    Ok((Settled { app_hours: settled.len(), charged, ..Settled::default() }, left, end < until))
}

async fn write_usage(
    connection: &mut PgConnection,
    organization: OrganizationId,
    settled: &[HourOfApp],
    is_charged: impl Fn(Hour) -> bool,
) -> Result<()> {
    let lines: Vec<(Hour, &UsageLine)> =
        settled.iter().flat_map(|settled| settled.lines.iter().map(|line| (settled.hour, line))).collect();
    let mut used = Vec::with_capacity(lines.len());
    for (_, line) in &lines {
        let fits = i64::try_from(line.replica_microseconds);
        used.push(fits.map_err(|_| Error::System("An hour's use is too large to be written down.".to_owned()))?);
    }
    sqlx::query(
        "INSERT INTO paas_resource_usage (organization_id, application_id, app_slug, hour, process_type, plan_id,
             plan_name, price_per_hour, replica_microseconds, cost, charged)
         SELECT $1, * FROM unnest($2::uuid[], $3::text[], $4::timestamptz[], $5::text[], $6::uuid[], $7::text[],
             $8::numeric[], $9::bigint[], $10::numeric[], $11::boolean[])",
    )
    .bind(organization)
    .bind(lines.iter().map(|(_, line)| line.key.application_id.0).collect::<Vec<_>>())
    .bind(lines.iter().map(|(_, line)| line.app_slug.as_str()).collect::<Vec<_>>())
    .bind(lines.iter().map(|(hour, _)| hour.begin()).collect::<Vec<_>>())
    .bind(lines.iter().map(|(_, line)| line.key.process_type.as_str()).collect::<Vec<_>>())
    .bind(lines.iter().map(|(_, line)| line.key.plan_id.0).collect::<Vec<_>>())
    .bind(lines.iter().map(|(_, line)| line.plan_name.as_str()).collect::<Vec<_>>())
    .bind(lines.iter().map(|(_, line)| line.key.price_per_hour.0).collect::<Vec<_>>())
    .bind(used)
    .bind(lines.iter().map(|(_, line)| line.cost.0).collect::<Vec<_>>())
    .bind(lines.iter().map(|(hour, _)| is_charged(*hour)).collect::<Vec<_>>())
    .execute(connection)
    .await?;
    Ok(())
}

/// Makes the next settlement tell of a low balance again: money came in since it was told of.
pub(crate) async fn forget_low_balance(connection: &mut PgConnection, organization: OrganizationId) -> Result<()> {
    sqlx::query("UPDATE organizations SET low_balance_told_hours = NULL WHERE id = $1")
        .bind(organization)
        .execute(connection)
        .await?;
    Ok(())
}

/// Tells once when the wallet gets so low that it lasts for less than a threshold, and once more at the next one.
async fn warn_of_low_balance(
    connection: &mut PgConnection,
    organization: OrganizationId,
    balance: Money,
    settings: &Settings,
    now: DateTime<Utc>,
) -> Result<()> {
    let burn = super::usage::burn(connection, organization, None).await?;
    let (told,): (Option<i32>,) = sqlx::query_as("SELECT low_balance_told_hours FROM organizations WHERE id = $1")
        .bind(organization)
        .fetch_one(&mut *connection)
        .await?;
    let own = thresholds::of(connection, organization).await?.low_balance_hours;
    let thresholds = settings.low_balance_hours(own);
    // The lowest one that the balance does not last for.
    let reached = thresholds
        .iter()
        .filter_map(|hours| u32::try_from(*hours).ok())
        .filter(|hours| balance > Money::ZERO && balance < burn.times(*hours))
        .min()
        .and_then(|hours| i32::try_from(hours).ok());
    if reached == told || (balance <= Money::ZERO && burn == Money::ZERO) {
        return Ok(());
    }
    if let Some(hours) = reached
        && told.is_none_or(|told| hours < told)
    {
        sqlx::query(
            "INSERT INTO paas_events (organization_id, kind, message, created_at) VALUES ($1, 'low_balance', $2, $3)",
        )
        .bind(organization)
        .bind(format!(
            "The wallet holds {balance} and the apps use {burn} an hour: it lasts for less than {hours} hours. \
             At zero the apps are suspended."
        ))
        .bind(now)
        .execute(&mut *connection)
        .await?;
    }
    sqlx::query("UPDATE organizations SET low_balance_told_hours = $2 WHERE id = $1")
        .bind(organization)
        .bind(reached)
        .execute(connection)
        .await?;
    Ok(())
}
