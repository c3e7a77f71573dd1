//! `wallet` and `wallet:ledger`: an organisation's money.

use clap::{Args, Subcommand};
use serde_json::{Value, json};
use skypanel_core::model::LedgerEntry;
use skypanel_core::store::Access;

use crate::commands::context::{Context, Failure, OrganizationChoice};
use crate::commands::table::{pairs, plain, time};

/// What can be seen of wallets.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Show an organisation's balance, and how long it lasts
    #[command(name = "wallet")]
    Show(ShowArguments),
    /// List every movement of an organisation's wallet, newest first
    #[command(name = "wallet:ledger")]
    Ledger(LedgerArguments),
}

/// Arguments of `wallet`.
#[derive(Args, Debug)]
pub(crate) struct ShowArguments {
    #[command(flatten)]
    choice: OrganizationChoice,
}

/// Arguments of `wallet:ledger`.
#[derive(Args, Debug)]
pub(crate) struct LedgerArguments {
    #[command(flatten)]
    choice: OrganizationChoice,
    /// How many
    #[arg(short, long, value_name = "ENTRIES", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    num: u32,
}

pub(crate) async fn run(context: &Context, command: &Command) -> Result<u32, Failure> {
    match command {
        Command::Show(arguments) => show(context, arguments).await,
        Command::Ledger(arguments) => ledger(context, arguments).await,
    }
}

async fn show(context: &Context, arguments: &ShowArguments) -> Result<u32, Failure> {
    let named = context.organization(&arguments.choice)?;
    let organization = context.actions().organization_for(context.actor(), &named, Access::Read).await?;
    let wallet = context.actions().wallet(context.actor(), &organization).await?;
    let json = json!({
        "organization_id": organization.id,
        "balance": wallet.balance,
        "billing_enabled": wallet.billing_enabled,
        "cost_per_hour": wallet.cost_per_hour,
        "lasts_hours": wallet.lasts_hours,
        "month": wallet.month.to_string(),
        "month_to_date": wallet.month_to_date,
        "forecast": wallet.forecast,
        "suspended_apps": wallet.suspended_apps,
        "warning": wallet.warning,
    });
    let mut rows = vec![
        ("Balance", wallet.balance.to_string()),
        ("An hour costs", wallet.cost_per_hour.to_string()),
        ("Lasts", wallet.lasts_hours.map_or_else(|| "without end".to_owned(), |hours| format!("{hours} hours"))),
        ("This month", format!("{} so far, about {} in all", wallet.month_to_date, wallet.forecast)),
    ];
    if !wallet.billing_enabled {
        rows.push(("Billing", "off: nothing is charged".to_owned()));
    }
    if wallet.suspended_apps > 0 {
        rows.push(("Suspended", format!("{} apps, until the wallet is topped up", wallet.suspended_apps)));
    }
    let warning = wallet.warning.map_or_else(String::new, |warning| format!("\n{warning}\n"));
    context.tell(json, format!("=== {}\n{}{warning}", organization.name, pairs(&rows))).await
}

async fn ledger(context: &Context, arguments: &LedgerArguments) -> Result<u32, Failure> {
    let named = context.organization(&arguments.choice)?;
    let organization = context.actions().organization_for(context.actor(), &named, Access::Read).await?;
    let entries = context.actions().ledger(context.actor(), organization.id, None, i64::from(arguments.num)).await?;
    let rows = entries.iter().map(|entry| {
        let about = [entry.app_slug.as_ref().map(ToString::to_string), entry.reference.clone(), entry.note.clone()];
        let about: Vec<String> = about.into_iter().flatten().collect();
        let row = vec![
            time(entry.occurred_at),
            entry.kind.to_string(),
            entry.amount.to_string(),
            entry.balance_after.to_string(),
            plain(&about.join(", ")),
        ];
        (item(entry), row)
    });
    context.list(&["AT", "KIND", "AMOUNT", "BALANCE", "ABOUT"], "Nothing was moved yet.", rows).await
}

/// A movement as programs read it.
pub(crate) fn item(entry: &LedgerEntry) -> Value {
    json!({
        "id": entry.id,
        "kind": entry.kind,
        "amount": entry.amount,
        "balance_after": entry.balance_after,
        "app_id": entry.application_id,
        "app": entry.app_slug,
        "hour": entry.hour,
        "actor": entry.actor,
        "reference": entry.reference,
        "note": entry.note,
        "occurred_at": entry.occurred_at,
    })
}
