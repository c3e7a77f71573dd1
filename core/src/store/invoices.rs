//! What invoices are made of: what was charged in a month, and the balances around it.

use chrono::{DateTime, Utc};

use super::Store;
use super::usage::Row;
use crate::Result;
use crate::model::{Money, Month, Organization, OrganizationId, UsageLine};

impl Store {
    /// What an organisation was charged in a month, with the time that was charged for.
    pub async fn charged_usage(&self, organization: OrganizationId, month: Month) -> Result<Vec<UsageLine>> {
        let rows: Vec<Row> = sqlx::query_as(
            "SELECT application_id, app_slug, process_type, plan_id, plan_name, price_per_hour,
                 charged_microseconds AS replica_microseconds, charged AS cost, charged
             FROM paas_usage_months WHERE organization_id = $1 AND month = $2 AND charged > 0
             ORDER BY app_slug, process_type, plan_name, price_per_hour",
        )
        .bind(organization)
        .bind(month.first_day())
        .fetch_all(&self.pool)
        .await?;
        rows.into_iter().map(UsageLine::try_from).collect()
    }

    /// Whether all that an organisation used up to the end of a month is settled.
    pub async fn is_settled(&self, organization: OrganizationId, month: Month) -> Result<bool> {
        let (first,): (Option<DateTime<Utc>>,) = sqlx::query_as(
            "SELECT min(settled_until) FROM paas_metering
             WHERE organization_id = $1 AND (ended_at IS NULL OR settled_until < ended_at)",
        )
        .bind(organization)
        .fetch_one(&self.pool)
        .await?;
        Ok(first.is_none_or(|first| first >= month.end()))
    }

    /// What was in a wallet before a month: all payments until then, less what the months before were charged.
    pub async fn balance_before(&self, organization: OrganizationId, month: Month) -> Result<Money> {
        let (balance,) = sqlx::query_as(
            "SELECT (SELECT coalesce(sum(amount), 0) FROM wallet_ledger
                     WHERE organization_id = $1 AND kind <> 'charge' AND occurred_at < $2)
                  - (SELECT coalesce(sum(charged), 0) FROM paas_usage_months WHERE organization_id = $1 AND month < $3)",
        )
        .bind(organization)
        .bind(month.begin())
        .bind(month.first_day())
        .fetch_one(&self.pool)
        .await?;
        Ok(balance)
    }

    /// An organisation that is no more, of which there are books still.
    pub async fn organization_of_the_past(&self, id: OrganizationId) -> Result<Option<Organization>> {
        let found: Option<(Option<String>,)> = sqlx::query_as(
            "SELECT (SELECT before ->> 'name' FROM paas_audit_log
                     WHERE action = 'organization.delete' AND target = $1::text ORDER BY id DESC LIMIT 1)
             WHERE EXISTS (SELECT 1 FROM wallet_ledger WHERE organization_id = $1)
                OR EXISTS (SELECT 1 FROM paas_usage_months WHERE organization_id = $1)",
        )
        .bind(id)
        .fetch_optional(&self.pool)
        .await?;
        let gone = |name: Option<String>| Organization {
            id,
            name: name.unwrap_or_else(|| id.to_string()),
            allow_app_creation: false,
            owners_allow_app_creation: false,
            suspended_at: None,
        };
        Ok(found.map(|(name,)| gone(name)))
    }
}
