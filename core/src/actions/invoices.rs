//! Invoices, and the books of organisations that are no more.

use super::billing::check;
use super::{Actions, Actor};
use crate::invoice::Invoice;
use crate::model::{Money, Month, Organization, OrganizationId, OrganizationRef};
use crate::store::Access;
use crate::{Error, Result};

impl Actions {
    /// The invoice of a month: what was charged and what was paid. It is preliminary as long as it may change: that of
    /// the current month, and one of which not all hours are settled.
    pub async fn invoice(&self, actor: &Actor, organization: &Organization, month: Month) -> Result<Invoice> {
        check(actor, organization.id, Access::Read)?;
        let now = self.clock.now();
        if month.begin() > now {
            return Err(Error::NotFound(format!("{month} has not begun, so it has no invoice.")));
        }
        // First, so that what is settled meanwhile is not missing from a final one.
        let settled = self.store.is_settled(organization.id, month).await?;
        Ok(Invoice {
            issuer: self.store.settings().await?.billing_issuer,
            organization_id: organization.id,
            organization: organization.name.clone(),
            month,
            opening: self.store.balance_before(organization.id, month).await?,
            lines: self.store.charged_usage(organization.id, month).await?,
            payments: self.store.payments(organization.id, month.begin(), month.end()).await?,
            preliminary: month.end() > now || !settled,
            made_at: now,
        })
    }

    /// Months for which an organisation has an invoice, newest first, with what was charged in each.
    pub async fn invoices(&self, actor: &Actor, organization: OrganizationId) -> Result<Vec<(Month, Money)>> {
        check(actor, organization, Access::Read)?;
        self.store.charged_months(organization).await
    }

    /// The organisation whose books are asked for. Admins read by id those of one that was deleted, too.
    pub async fn organization_with_books(&self, actor: &Actor, organization: &OrganizationRef) -> Result<Organization> {
        match (self.organization_for(actor, organization, Access::Read).await, organization) {
            (Err(Error::NotFound(missing)), OrganizationRef::Id(id)) if actor.is_admin() => {
                self.store.organization_of_the_past(*id).await?.ok_or(Error::NotFound(missing))
            }
            (found, _) => found,
        }
    }
}
