//! The ledger of wallets: append-only, its sum is the balance. The database moves the balance and refuses all else.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::{Store, is_taken};
use crate::actions::Actor;
use crate::model::{AppId, AppSlug, Hour, LedgerEntry, Money, NewLedgerEntry, OrganizationId};
use crate::{Error, Result};

const ENTRY_COLUMNS: &str = "id, organization_id, kind, amount, balance_after, application_id, app_slug, hour, actor_id, \
     actor, reference, note, occurred_at";

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
        limit: u32,
    ) -> Result<Vec<LedgerEntry>> {
        let sql = format!(
            "SELECT {ENTRY_COLUMNS} FROM wallet_ledger WHERE organization_id = $1 AND id < $2 ORDER BY id DESC LIMIT $3"
        );
        Ok(sqlx::query_as(sqlx::AssertSqlSafe(sql))
            .bind(organization)
            .bind(before.unwrap_or(i64::MAX))
            .bind(i64::from(limit))
            .fetch_all(&self.pool)
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
