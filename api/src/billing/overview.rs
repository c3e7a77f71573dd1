//! `GET /api/admin/paas/billing`.

use axum::Json;
use axum::extract::State;
use chrono::{DateTime, Utc};
use serde::Serialize;
use skypanel_core::actions::Actions;
use skypanel_core::model::{Money, Month};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::http::{AdminCaller, Answer, Listed, Page, schema};

/// The platform's money.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct BillingAnswer {
    /// Since when billing is on; null while it is off.
    enabled_since: Option<DateTime<Utc>>,
    /// The current month.
    #[schema(example = "2026-11")]
    month: String,
    /// All wallets together.
    #[schema(value_type = schema::Money)]
    balance: Money,
    /// What was used in the month, as far as it is settled.
    #[schema(value_type = schema::Money)]
    month_cost: Money,
    /// What of that was charged.
    #[schema(value_type = schema::Money)]
    month_charged: Money,
    /// What all that runs now costs an hour.
    #[schema(value_type = schema::Money)]
    cost_per_hour: Money,
    /// Up to when all that runs is settled; null where nothing runs.
    settled_until: Option<DateTime<Utc>>,
    /// The organisations, by name.
    organizations: Listed<OrganizationMoney>,
}

/// An organisation's money.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct OrganizationMoney {
    id: Uuid,
    name: String,
    /// What is in its wallet.
    #[schema(value_type = schema::Money)]
    balance: Money,
    /// What it used in the month, as far as it is settled.
    #[schema(value_type = schema::Money)]
    month_cost: Money,
    /// What of that was charged.
    #[schema(value_type = schema::Money)]
    month_charged: Money,
    /// What all that runs now costs an hour.
    #[schema(value_type = schema::Money)]
    cost_per_hour: Money,
    /// Apps that an empty wallet holds.
    suspended_apps: i64,
}

/// Show billing
///
/// Whether billing is on, the sums of the current month, and every organisation's wallet, in pages.
#[utoipa::path(
    get,
    path = "/api/admin/paas/billing",
    tag = "admin",
    params(Page),
    responses((status = OK, body = BillingAnswer))
)]
pub(crate) async fn show_billing(
    State(actions): State<Actions>,
    _admin: AdminCaller,
    page: Page,
) -> Answer<BillingAnswer> {
    let month = Month::of(actions.clock.now());
    let totals = actions.store.billing_totals(month).await?;
    let after: Option<String> = page.after()?;
    let wallets = actions.store.wallets(month, after.as_deref(), page.rows()).await?;
    let show = |wallet: skypanel_core::store::WalletOverview| OrganizationMoney {
        id: wallet.organization_id.0,
        name: wallet.name,
        balance: wallet.balance,
        month_cost: wallet.month_cost,
        month_charged: wallet.month_charged,
        cost_per_hour: wallet.cost_per_hour,
        suspended_apps: wallet.suspended_apps,
    };
    Ok(Json(BillingAnswer {
        enabled_since: totals.enabled_since,
        month: month.to_string(),
        balance: totals.balance,
        month_cost: totals.month_cost,
        month_charged: totals.month_charged,
        cost_per_hour: totals.cost_per_hour,
        settled_until: totals.settled_until,
        organizations: page.list(wallets, |wallet| wallet.name.clone(), show),
    }))
}
