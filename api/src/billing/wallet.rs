//! `GET /api/organizations/{organization}/wallet`.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use skypanel_core::actions::Actions;
use skypanel_core::model::{Money, OrganizationRef};
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
    /// What it comes to if everything goes on as it is.
    #[schema(value_type = schema::Money)]
    forecast: Money,
    /// Apps that an empty wallet holds.
    suspended_apps: u64,
    /// What is about to happen and what helps, where the balance is low; null where it is not.
    warning: Option<String>,
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
    Ok(Json(WalletAnswer {
        organization_id: organization.id.0,
        balance: wallet.balance,
        billing_enabled: wallet.billing_enabled,
        cost_per_hour: wallet.cost_per_hour,
        lasts_hours: wallet.lasts_hours,
        month: wallet.month.to_string(),
        month_to_date: wallet.month_to_date,
        forecast: wallet.forecast,
        suspended_apps: wallet.suspended_apps,
        warning: wallet.warning,
    }))
}
