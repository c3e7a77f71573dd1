//! When an organisation is warned of its spending, as its owners set it.

use serde_json::{Value, json};

use super::{Actions, Actor};
use crate::model::{Money, Organization, OrganizationRef, WalletThresholds};
use crate::store::{Access, AuditEntry, audit, organizations, thresholds};
use crate::{Error, Result};

/// What to change of the thresholds; what is none stays as it is.
#[derive(Clone, Copy, Debug, Default)]
pub struct ThresholdsChange {
    /// Hours that the balance must last for, 0 to 8,760; none inside: as the platform's setting says.
    pub low_balance_hours: Option<Option<u32>>,
    /// What a month may be charged before people are warned, above zero; none inside for no budget.
    pub month_budget: Option<Option<Money>>,
}

impl Actions {
    /// Sets when an organisation is warned; for its owners. Nothing is stopped by it. Answers the organisation, and when
    /// it is warned from now on.
    pub async fn change_wallet_thresholds(
        &self,
        actor: &Actor,
        name: &OrganizationRef,
        change: ThresholdsChange,
    ) -> Result<(Organization, WalletThresholds)> {
        let organization = self.organization_for(actor, name, Access::Own).await?;
        check(change)?;
        let mut transaction = self.store.pool().begin().await?;
        // So that what is left as it is stays so when two change the other half at once.
        organizations::hold_members(&mut transaction, organization.id).await?;
        let before = thresholds::of(&mut transaction, organization.id).await?;
        let after = WalletThresholds {
            low_balance_hours: change.low_balance_hours.unwrap_or(before.low_balance_hours),
            month_budget: change.month_budget.unwrap_or(before.month_budget),
        };
        if after != before {
            thresholds::set(&mut transaction, organization.id, after).await?;
            let entry = AuditEntry {
                action: "wallet.alerts",
                organization: Some(organization.id),
                target_kind: "organization",
                target: &organization.name,
                before: shown(before),
                after: shown(after),
            };
            audit::record(&mut transaction, actor, self.clock.now(), entry).await?;
        }
        transaction.commit().await?;
        Ok((organization, after))
    }
}

fn check(change: ThresholdsChange) -> Result<()> {
    if change.low_balance_hours.flatten().is_some_and(|hours| hours > WalletThresholds::MOST_HOURS) {
        let most = WalletThresholds::MOST_HOURS;
        return Err(Error::field("low_balance_hours", format!("Use 0 to {most} hours, or none for the platform's.")));
    }
    if change.month_budget.flatten().is_some_and(|budget| budget <= Money::ZERO) {
        return Err(Error::field("month_budget", "Use an amount above zero, or none for no budget."));
    }
    Ok(())
}

fn shown(thresholds: WalletThresholds) -> Value {
    json!({ "low_balance_hours": thresholds.low_balance_hours, "month_budget": thresholds.month_budget })
}
