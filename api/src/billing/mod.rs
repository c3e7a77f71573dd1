//! Money: wallets, ledgers and invoices of organisations, and what admins do with them.

mod change_wallet_alerts;
mod invoice;
mod invoices;
mod ledger;
mod move_money;
mod overview;
mod settle;
mod wallet;

use chrono::{DateTime, Utc};
use serde::Serialize;
use skypanel_core::model::{LedgerEntry, LedgerKind, Money};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use crate::http::{Shared, schema};

/// The routes.
pub(crate) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(wallet::show_wallet, change_wallet_alerts::change_wallet_alerts))
        .routes(routes!(ledger::list_ledger))
        .routes(routes!(invoices::list_invoices))
        .routes(routes!(invoice::show_invoice))
        .routes(routes!(overview::show_billing))
        .routes(routes!(settle::settle_usage))
        .routes(routes!(move_money::move_money))
}

/// A movement of a wallet.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct LedgerItem {
    /// Goes up with every entry.
    id: i64,
    #[schema(value_type = schema::LedgerKind)]
    kind: LedgerKind,
    /// What it adds to the balance; a charge is negative.
    #[schema(value_type = schema::Money)]
    amount: Money,
    #[schema(value_type = schema::Money)]
    balance_after: Money,
    /// Of a charge: which app.
    app_id: Option<Uuid>,
    /// Of a charge: the app's name; it may be gone.
    app: Option<String>,
    /// Of a charge: the beginning of the hour.
    hour: Option<DateTime<Utc>>,
    /// Of all others: who did it.
    actor: Option<String>,
    /// What it refers to.
    reference: Option<String>,
    note: Option<String>,
    occurred_at: DateTime<Utc>,
}

impl From<LedgerEntry> for LedgerItem {
    fn from(entry: LedgerEntry) -> Self {
        Self {
            id: entry.id,
            kind: entry.kind,
            amount: entry.amount,
            balance_after: entry.balance_after,
            app_id: entry.application_id.map(|app| app.0),
            app: entry.app_slug.map(|slug| slug.to_string()),
            hour: entry.hour,
            actor: entry.actor,
            reference: entry.reference,
            note: entry.note,
            occurred_at: entry.occurred_at,
        }
    }
}
