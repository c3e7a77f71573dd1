//! `GET /api/organizations/{organization}/wallet`.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use skypanel_core::actions::{Actions, Wallet};
use skypanel_core::model::{Money, Organization, OrganizationRef};
use skypanel_core::store::Access;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::http::{Answer, Caller, PathOf, schema};

/// A wallet and where it is going.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct WalletAnswer {
    organization_id: Uuid,
    /// What is in it.
    #[schema(value_type = schema::Money)]
    balance: Money,
    /// Whether hours are charged to it.
    billing_enabled: bool,
    /// What all that runs now costs an hour.
    #[schema(value_type = schema::Money)]
    cost_per_hour: Money,
    /// Whole hours the balance, less what is not settled yet, lasts at that; null where nothing costs anything or nothing
    /// is charged.
    lasts_hours: Option<u64>,
    /// The current month.
    #[schema(example = "2026-11")]
    month: String,
    /// What was used in it until now.
    #[schema(value_type = schema::Money)]
    month_to_date: Money,
    /// What of that was charged by now, which is up to the last full hour.
    #[schema(value_type = schema::Money)]
    month_charged: Money,
    /// What it comes to if everything goes on as it is.
    #[schema(value_type = schema::Money)]
    forecast: Money,
    /// Apps that an empty wallet holds.
    suspended_apps: u64,
    /// What is about to happen and what helps, where the balance is low; null where it is not.
    warning: Option<String>,
    alerts: WalletAlerts,
}

/// When people are warned of what an organisation spends. Nothing is stopped by it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct WalletAlerts {
    /// Hours of what runs now that the balance must last for, by its owners' word; with 0 only the last warning is given.
    /// Null: as the platform says.
    low_balance_hours: Option<u32>,
    /// What the platform says. Where it is 0 nobody is warned before the last time, whatever the owners chose.
    platform_low_balance_hours: u64,
    /// Hours below which people are warned for the last time.
    last_warning_hours: u64,
    /// What the owners mean to be charged in a month (UTC); null for no budget.
    #[schema(value_type = Option<schema::Money>)]
    month_budget: Option<Money>,
    /// Percent of the budget from which on people are warned that it is used up, as they are once it is; with 0 never.
    budget_percent: u64,
}

impl WalletAnswer {
    pub(super) fn new(organization: &Organization, wallet: Wallet) -> Self {
        Self {
            organization_id: organization.id.0,
            balance: wallet.balance,
            billing_enabled: wallet.billing_enabled,
            cost_per_hour: wallet.cost_per_hour,
            lasts_hours: wallet.lasts_hours,
            month: wallet.month.to_string(),
            month_to_date: wallet.month_to_date,
            month_charged: wallet.month_charged,
            forecast: wallet.forecast,
            suspended_apps: wallet.suspended_apps,
            warning: wallet.warning,
            alerts: WalletAlerts {
                low_balance_hours: wallet.thresholds.low_balance_hours,
                platform_low_balance_hours: wallet.platform_low_balance_hours,
                last_warning_hours: wallet.last_warning_hours,
                month_budget: wallet.thresholds.month_budget,
                budget_percent: wallet.budget_percent,
            },
        }
    }
}

/// Show the wallet
///
/// Balance, cost of the month so far with the current hour, and a forecast for the month.
#[utoipa::path(
    get,
    path = "/api/organizations/{organization}/wallet",
    tag = "billing",
    params(("organization" = String, Path, description = "Its name or id")),
    responses((status = OK, body = WalletAnswer))
)]
pub(crate) async fn show_wallet(
    State(actions): State<Actions>,
    caller: Caller,
    PathOf(organization): PathOf<OrganizationRef>,
) -> Answer<WalletAnswer> {
    let organization = actions.organization_for(&caller, &organization, Access::Read).await?;
    let wallet = actions.wallet(&caller, &organization).await?;
    Ok(Json(WalletAnswer::new(&organization, wallet)))
}
