//! `POST /api/admin/paas/billing/settle`.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use skypanel_core::actions::Actions;
use skypanel_core::model::Money;
use utoipa::ToSchema;

use crate::http::{AdminCaller, Answer, schema};

/// What a settlement did.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SettleAnswer {
    /// Hours of apps in which something ran.
    app_hours: usize,
    /// What of them was charged.
    #[schema(value_type = schema::Money)]
    charged: Money,
    /// How many apps were suspended, because a wallet is empty.
    suspended: usize,
    /// How many go on.
    resumed: usize,
}

/// Settle now
///
/// Settles all hours that are over, as happens at every full hour by itself. Safe at any time: nothing is charged twice.
#[utoipa::path(
    post,
    path = "/api/admin/paas/billing/settle",
    tag = "admin",
    responses((status = OK, body = SettleAnswer))
)]
pub(crate) async fn settle_usage(State(actions): State<Actions>, admin: AdminCaller) -> Answer<SettleAnswer> {
    let settled = actions.settle_usage_now(&admin).await?;
    Ok(Json(SettleAnswer {
        app_hours: settled.app_hours,
        charged: settled.charged,
        suspended: settled.suspended.len(),
        resumed: settled.resumed.len(),
    }))
}
