//! When organisations want to be warned of their spending: what their owners set, and rules and settlement go by.

use sqlx::PgConnection;

use super::Store;
use crate::model::{Money, OrganizationId, WalletThresholds};
use crate::{Error, Result};

impl Store {
    /// The thresholds of an organisation.
    pub async fn wallet_thresholds(&self, organization: OrganizationId) -> Result<WalletThresholds> {
        of(&mut *self.pool.acquire().await?, organization).await
    }
}

/// See [`Store::wallet_thresholds`].
pub(crate) async fn of(connection: &mut PgConnection, organization: OrganizationId) -> Result<WalletThresholds> {
    let (hours, month_budget): (Option<i32>, Option<Money>) =
        sqlx::query_as("SELECT low_balance_hours, month_budget FROM organizations WHERE id = $1")
            .bind(organization)
            .fetch_optional(connection)
            .await?
            .ok_or_else(|| Error::NotFound("There is no such organisation any more.".to_owned()))?;
    Ok(WalletThresholds { low_balance_hours: hours.and_then(|hours| u32::try_from(hours).ok()), month_budget })
}

/// Sets both. The caller has checked them.
pub(crate) async fn set(
    connection: &mut PgConnection,
    organization: OrganizationId,
    thresholds: WalletThresholds,
) -> Result<()> {
    sqlx::query("UPDATE organizations SET low_balance_hours = $2, month_budget = $3 WHERE id = $1")
        .bind(organization)
        .bind(thresholds.low_balance_hours.map(|hours| i32::try_from(hours).unwrap_or(i32::MAX)))
        .bind(thresholds.month_budget)
        .execute(connection)
        .await?;
    Ok(())
}
