//! The ledger of wallets: append-only, its sum is the balance. The database moves the balance and refuses all else.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::{Store, is_taken};
use crate::actions::Actor;
use crate::model::{AppId, AppSlug, Hour, LedgerEntry, Money, Month, NewLedgerEntry, OrganizationId};
use crate::{Error, Result};

const ENTRY_COLUMNS: &str = "id, organization_id, kind, amount, balance_after, application_id, app_slug, hour, actor_id, \
     actor, reference, note, occurred_at";

/// An organisation's money at a glance, for admins.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct WalletOverview {
    /// Whose.
    pub organization_id: OrganizationId,
    /// Its name.
    pub name: String,
    /// What is in its wallet.
    pub balance: Money,
    /// What it used in the month.
    pub month_cost: Money,
    /// What of that was charged.
    pub month_charged: Money,
    /// What all that runs now costs an hour.
    pub cost_per_hour: Money,
    /// Apps that an empty wallet holds.
    pub suspended_apps: i64,
}

/// The platform's money at a glance.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct BillingTotals {
    /// Since when billing is on; none while it is off.
    pub enabled_since: Option<DateTime<Utc>>,
    /// All wallets together.
    pub balance: Money,
    /// What was used in the month, as far as it is settled.
    pub month_cost: Money,
    /// What of that was charged.
    pub month_charged: Money,
    /// What all that runs now costs an hour.
    pub cost_per_hour: Money,
    /// Up to when everything is settled; none where nothing runs.
    pub settled_until: Option<DateTime<Utc>>,
}

/// What an hour of an app is charged.
pub(super) struct Charge<'a> {
    /// Which app.
    pub(super) app: AppId,
    /// Its name.
    pub(super) slug: &'a AppSlug,
    /// Which hour.
    pub(super) hour: Hour,
    /// How much; above zero.
    pub(super) amount: Money,
}

impl Store {
    /// The balance of an organisation's wallet.
    pub async fn balance(&self, organization: OrganizationId) -> Result<Money> {
        let (balance,) = sqlx::query_as("SELECT wallet_balance FROM organizations WHERE id = $1")
            .bind(organization)
            .fetch_one(&self.pool)
            .await?;
        Ok(balance)
    }

    /// The newest entries of a ledger, from before the entry `before` on.
    pub async fn ledger(
        &self,
        organization: OrganizationId,
        before: Option<i64>,
        limit: i64,
    ) -> Result<Vec<LedgerEntry>> {
        let sql = format!(
            "SELECT {ENTRY_COLUMNS} FROM wallet_ledger WHERE organization_id = $1 AND id < $2 ORDER BY id DESC LIMIT $3"
        );
        Ok(sqlx::query_as(sqlx::AssertSqlSafe(sql))
            .bind(organization)
            .bind(before.unwrap_or(i64::MAX))
            .bind(limit)
            .fetch_all(&self.pool)
            .await?)
    }

    /// The wallets of all organisations by name, from after `after` on, with what they used in `month`.
    pub async fn wallets(&self, month: Month, after: Option<&str>, limit: i64) -> Result<Vec<WalletOverview>> {
        Ok(sqlx::query_as(
            "SELECT o.id AS organization_id, o.name, o.wallet_balance AS balance,
                 coalesce(used.cost, 0) AS month_cost, coalesce(used.charged, 0) AS month_charged,
                 (SELECT coalesce(sum(price_per_hour * replicas), 0) FROM paas_metering
                  WHERE organization_id = o.id AND ended_at IS NULL) AS cost_per_hour,
                 (SELECT count(*) FROM paas_applications
                  WHERE organization_id = o.id AND status = 'suspended' AND suspended_reason = 'wallet') AS suspended_apps
             FROM organizations AS o
             LEFT JOIN LATERAL (SELECT sum(cost) AS cost, sum(charged) AS charged FROM paas_usage_months
                 WHERE organization_id = o.id AND month = $1) AS used ON true
             WHERE o.name > $2 ORDER BY o.name LIMIT $3",
        )
        .bind(month.first_day())
        .bind(after.unwrap_or_default())
        .bind(limit)
        .fetch_all(&self.pool)
        .await?)
    }

    /// The platform's money, with what was used in `month`.
    pub async fn billing_totals(&self, month: Month) -> Result<BillingTotals> {
        Ok(sqlx::query_as(
            "SELECT (SELECT started_at FROM paas_billing_periods WHERE ended_at IS NULL) AS enabled_since,
                 (SELECT coalesce(sum(wallet_balance), 0) FROM organizations) AS balance,
                 (SELECT coalesce(sum(cost), 0) FROM paas_usage_months WHERE month = $1) AS month_cost,
                 (SELECT coalesce(sum(charged), 0) FROM paas_usage_months WHERE month = $1) AS month_charged,
                 (SELECT coalesce(sum(price_per_hour * replicas), 0) FROM paas_metering WHERE ended_at IS NULL)
                     AS cost_per_hour,
                 (SELECT min(settled_until) FROM paas_metering WHERE ended_at IS NULL OR settled_until < ended_at)
                     AS settled_until",
        )
        .bind(month.first_day())
        .fetch_one(&self.pool)
        .await?)
    }

    /// The entries of a time that are no charges, oldest first.
    pub async fn payments(
        &self,
        organization: OrganizationId,
        from: DateTime<Utc>,
        to: DateTime<Utc>,
    ) -> Result<Vec<LedgerEntry>> {
        let sql = format!(
            "SELECT {ENTRY_COLUMNS} FROM wallet_ledger
             WHERE organization_id = $1 AND kind <> 'charge' AND occurred_at >= $2 AND occurred_at < $3 ORDER BY id"
        );
        Ok(sqlx::query_as(sqlx::AssertSqlSafe(sql))
            .bind(organization)
            .bind(from)
            .bind(to)
            .fetch_all(&self.pool)
            .await?)
    }
}

/// The balance of a wallet, which nobody else moves until the transaction ends; none where there is no such
/// organisation any more.
pub(crate) async fn lock_wallet(connection: &mut PgConnection, organization: OrganizationId) -> Result<Option<Money>> {
    let balance: Option<(Money,)> =
        sqlx::query_as("SELECT wallet_balance FROM organizations WHERE id = $1 FOR NO KEY UPDATE")
            .bind(organization)
            .fetch_optional(connection)
            .await?;
    Ok(balance.map(|(balance,)| balance))
}

/// Writes down a movement by an actor and answers its entry.
pub(crate) async fn add(
    connection: &mut PgConnection,
    organization: OrganizationId,
    actor: &Actor,
    new: &NewLedgerEntry,
    now: DateTime<Utc>,
) -> Result<LedgerEntry> {
    let balance = lock_wallet(connection, organization)
        .await?
        .ok_or_else(|| Error::NotFound("There is no such organisation.".to_owned()))?;
    let sql = format!(
        "INSERT INTO wallet_ledger (organization_id, kind, amount, balance_after, actor_id, actor, reference, note, occurred_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) RETURNING {ENTRY_COLUMNS}"
    );
    let written = sqlx::query_as(sqlx::AssertSqlSafe(sql))
        .bind(organization)
        .bind(new.kind)
        .bind(new.amount)
        .bind(balance + new.amount)
        .bind(actor.user_id())
        .bind(actor.identity.as_ref().map_or("system", |identity| identity.user.email.as_str()))
        .bind(&new.reference)
        .bind(&new.note)
        .bind(now)
        .fetch_one(connection)
        .await;
    match written {
        Err(error) if is_taken(&error) => Err(Error::Conflict(format!(
            "A {} with the reference {:?} is in the ledger already, so it was not written again.",
            new.kind,
            new.reference.as_deref().unwrap_or_default()
        ))),
        other => Ok(other?),
    }
}

/// Writes down charges, in their order, against a wallet that is locked and holds `balance`; answers what is left.
pub(super) async fn charge(
    connection: &mut PgConnection,
    organization: OrganizationId,
    balance: Money,
    charges: &[Charge<'_>],
    now: DateTime<Utc>,
) -> Result<Money> {
    let mut left = balance;
    let balances: Vec<Money> = charges
        .iter()
        .map(|charge| {
            left = left - charge.amount;
            left
        })
        .collect();
    sqlx::query(
        "INSERT INTO wallet_ledger (organization_id, kind, amount, balance_after, application_id, app_slug, hour, occurred_at)
         SELECT $1, 'charge', -amount, balance, app, slug, hour, $2
         FROM unnest($3::numeric[], $4::numeric[], $5::uuid[], $6::text[], $7::timestamptz[])
             WITH ORDINALITY AS charges (amount, balance, app, slug, hour, place)
         ORDER BY place",
    )
    .bind(organization)
    .bind(now)
    .bind(charges.iter().map(|charge| charge.amount.0).collect::<Vec<_>>())
    .bind(balances.iter().map(|balance| balance.0).collect::<Vec<_>>())
    .bind(charges.iter().map(|charge| charge.app.0).collect::<Vec<_>>())
    .bind(charges.iter().map(|charge| charge.slug.as_str()).collect::<Vec<_>>())
    .bind(charges.iter().map(|charge| charge.hour.begin()).collect::<Vec<_>>())
    .execute(connection)
    .await?;
    Ok(left)
}
