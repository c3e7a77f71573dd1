//! `PATCH /api/organizations/{organization}/wallet`.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Deserializer};
use skypanel_core::actions::{Actions, ThresholdsChange};
use skypanel_core::model::{Money, OrganizationRef};
use utoipa::ToSchema;

use super::wallet::WalletAnswer;
use crate::http::{Answer, Caller, PathOf, ValidJson, schema};

/// What to change. What is left out stays; null takes a value away.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(clippy::option_option, reason = "left out, null and a number are three different wishes")]
pub(crate) struct WantedWalletAlerts {
    /// Hours of what runs now that the balance must last for; with 0 only the last warning is given. Null: as the platform
    /// says.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<u32>, minimum = 0, maximum = 8_760)]
    low_balance_hours: Option<Option<u32>>,
    /// What may be charged in a month (UTC) before people are warned; above zero. Null for no budget.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<schema::Money>)]
    month_budget: Option<Option<Money>>,
}

/// Tells null, which is a value here, from what is left out.
#[expect(clippy::option_option, reason = "left out, null and a number are three different wishes")]
fn given<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<Option<T>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

/// Set when people are warned of what is spent
///
/// For owners. The alert `low_balance` begins where the balance does not last for those hours, `month_budget` where the
/// charges of the month come near the budget. They only warn: nothing is stopped, and nothing is refused, for a budget.
#[utoipa::path(
    patch,
    path = "/api/organizations/{organization}/wallet",
    tag = "billing",
    params(("organization" = String, Path, description = "Its name or id")),
    request_body = WantedWalletAlerts,
    responses((status = OK, body = WalletAnswer))
)]
pub(crate) async fn change_wallet_alerts(
    State(actions): State<Actions>,
    caller: Caller,
    PathOf(organization): PathOf<OrganizationRef>,
    ValidJson(wanted): ValidJson<WantedWalletAlerts>,
) -> Answer<WalletAnswer> {
    let change = ThresholdsChange { low_balance_hours: wanted.low_balance_hours, month_budget: wanted.month_budget };
    let (organization, _) = actions.change_wallet_thresholds(&caller, &organization, change).await?;
    let wallet = actions.wallet(&caller, &organization).await?;
    Ok(Json(WalletAnswer::new(&organization, wallet)))
}
