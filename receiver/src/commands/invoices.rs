//! `invoices` and `invoices:show`.

use std::fmt::Write as _;

use clap::{Args, Subcommand};
use serde_json::json;
use skypanel_core::model::Month;

use crate::commands::context::{Context, Failure, OrganizationChoice};
use crate::commands::table::{table, time};
use crate::commands::{usage, wallet};

/// What can be seen of invoices.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// List the months for which an organisation has an invoice
    #[command(name = "invoices")]
    List(ListArguments),
    /// Show the invoice of a month
    #[command(name = "invoices:show")]
    Show(ShowArguments),
}

/// Arguments of `invoices`.
#[derive(Args, Debug)]
pub(crate) struct ListArguments {
    #[command(flatten)]
    choice: OrganizationChoice,
}

/// Arguments of `invoices:show`.
#[derive(Args, Debug)]
pub(crate) struct ShowArguments {
    #[command(flatten)]
    choice: OrganizationChoice,
    /// Such as 2026-11
    month: Month,
    /// Write it as a page of HTML, to print or keep
    #[arg(long, conflicts_with = "json")]
    html: bool,
}

pub(crate) async fn run(context: &Context, command: &Command) -> Result<u32, Failure> {
    match command {
        Command::List(arguments) => list(context, arguments).await,
        Command::Show(arguments) => show(context, arguments).await,
    }
}

async fn list(context: &Context, arguments: &ListArguments) -> Result<u32, Failure> {
    let named = context.organization(&arguments.choice)?;
    let organization = context.actions().organization_with_books(context.actor(), &named).await?;
    let months = context.actions().invoices(context.actor(), organization.id).await?;
    let rows = months.into_iter().map(|(month, total)| {
        (json!({ "month": month.to_string(), "total": total }), vec![month.to_string(), total.to_string()])
    });
    context.list(&["MONTH", "TOTAL"], "Nothing was charged yet.", rows).await
}

async fn show(context: &Context, arguments: &ShowArguments) -> Result<u32, Failure> {
    let named = context.organization(&arguments.choice)?;
    let organization = context.actions().organization_with_books(context.actor(), &named).await?;
    let invoice = context.actions().invoice(context.actor(), &organization, arguments.month).await?;
    if arguments.html {
        context.output.text(invoice.html()).await?;
        return Ok(0);
    }
    let json = json!({
        "number": invoice.number(),
        "issuer": invoice.issuer,
        "organization": invoice.organization,
        "month": invoice.month.to_string(),
        "preliminary": invoice.preliminary,
        "made_at": invoice.made_at,
        "opening_balance": invoice.opening,
        "total": invoice.total(),
        "closing_balance": invoice.closing(),
        "lines": invoice.lines.iter().map(usage::item).collect::<Vec<_>>(),
        "payments": invoice.payments.iter().map(wallet::item).collect::<Vec<_>>(),
    });
    let preliminary = if invoice.preliminary { " (preliminary: it may still change)" } else { "" };
    let mut text = format!("=== Invoice {}{preliminary}\n", invoice.number());
    if !invoice.lines.is_empty() {
        let rows: Vec<Vec<String>> = invoice.lines.iter().map(|line| usage::row(line, line.charged)).collect();
        text.push_str(&table(usage::HEADINGS, &rows));
    }
    let _ = writeln!(text, "Balance when it began: {}", invoice.opening);
    let _ = writeln!(text, "Total: {}", invoice.total());
    for payment in &invoice.payments {
        let _ = writeln!(text, "{}: {} on {}", payment.kind, payment.amount, time(payment.occurred_at));
    }
    let _ = writeln!(text, "Balance when it ended: {}", invoice.closing());
    context.tell(json, text).await
}
