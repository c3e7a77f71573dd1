//! `wallet` and its actions: an organisation's money, and when its people are warned of what is spent.

use std::fmt::Display;
use std::str::FromStr;

use clap::{Args, Subcommand};
use serde_json::{Value, json};
use skypanel_core::actions::{ThresholdsChange, Wallet};
use skypanel_core::model::{LedgerEntry, Money};
use skypanel_core::store::Access;

use crate::commands::context::{Context, Failure, OrganizationChoice};
use crate::commands::table::{pairs, plain, time};

/// What can be seen of wallets, and when they warn.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Show an organisation's balance, and how long it lasts
    #[command(name = "wallet")]
    Show(ShowArguments),
    /// Show when people are warned of what an organisation spends, or set it; nothing is stopped by it
    #[command(name = "wallet:alerts")]
    Alerts(AlertsArguments),
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

/// Arguments of `wallet:alerts`.
#[derive(Args, Debug)]
pub(crate) struct AlertsArguments {
    #[command(flatten)]
    choice: OrganizationChoice,
    /// Warn when the balance lasts for less than so many hours of what runs, 0 for the last warning only; none: as the platform says
    #[arg(long, value_name = "HOURS|none")]
    hours: Option<OrNone<u32>>,
    /// Warn when the charges of a month (UTC) come near this amount; none for no budget
    #[arg(long, value_name = "AMOUNT|none")]
    budget: Option<OrNone<Money>>,
}

/// A value, or the word that takes it away.
#[derive(Clone, Copy, Debug)]
struct OrNone<T>(Option<T>);

impl<T: FromStr<Err: Display>> FromStr for OrNone<T> {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "none" {
            return Ok(Self(None));
        }
        text.parse().map(|value| Self(Some(value))).map_err(|error: T::Err| error.to_string())
    }
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
        Command::Alerts(arguments) => alerts(context, arguments).await,
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
        "month_charged": wallet.month_charged,
        "forecast": wallet.forecast,
        "suspended_apps": wallet.suspended_apps,
        "warning": wallet.warning,
        "alerts": alerts_item(&wallet),
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

async fn alerts(context: &Context, arguments: &AlertsArguments) -> Result<u32, Failure> {
    let named = context.organization(&arguments.choice)?;
    let actions = context.actions();
    let change = ThresholdsChange {
        low_balance_hours: arguments.hours.map(|OrNone(hours)| hours),
        month_budget: arguments.budget.map(|OrNone(budget)| budget),
    };
    let changes = arguments.hours.is_some() || arguments.budget.is_some();
    let organization = if changes {
        actions.change_wallet_thresholds(context.actor(), &named, change).await?.0
    } else {
        actions.organization_for(context.actor(), &named, Access::Read).await?
    };
    let wallet = actions.wallet(context.actor(), &organization).await?;
    let head = if changes { "-----> Warned from now on:" } else { "=== Warned:" };
    let text = format!("{head} {}\n{}", organization.name, pairs(&alerts_rows(&wallet)));
    context
        .tell(alerts_item(&wallet), format!("{text}Nothing is stopped by it. `notifications` says who is told.\n"))
        .await
}

/// When people are warned, as programs read it.
fn alerts_item(wallet: &Wallet) -> Value {
    json!({
        "low_balance_hours": wallet.thresholds.low_balance_hours,
        "platform_low_balance_hours": wallet.platform_low_balance_hours,
        "last_warning_hours": wallet.last_warning_hours,
        "month_budget": wallet.thresholds.month_budget,
        "budget_percent": wallet.budget_percent,
    })
}

fn alerts_rows(wallet: &Wallet) -> [(&'static str, String); 2] {
    let low = match (wallet.platform_low_balance_hours, wallet.thresholds.low_balance_hours) {
        (0, _) => "switched off by the platform".to_owned(),
        (_, Some(0)) => format!("only below {} hours", wallet.last_warning_hours),
        (platform, None) => format!("below {platform} hours, as the platform says"),
        (_, Some(own)) => format!("below {own} hours"),
    };
    let budget = wallet.thresholds.month_budget.map_or_else(
        || "none".to_owned(),
        |budget| format!("{budget} a month, of which {} were charged in {}", wallet.month_charged, wallet.month),
    );
    [("Low balance", low), ("Budget", budget)]
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
