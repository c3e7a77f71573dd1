//! `usage`: what ran and what it cost.

use clap::Args;
use serde_json::{Value, json};
use skypanel_core::actions::Period;
use skypanel_core::model::{AppRef, AppSlug, Hour, Money, Month, UsageLine};
use skypanel_core::store::{Access, UsageHour};
use skypanel_core::usage_csv;

use crate::commands::context::{Context, Failure, OrganizationChoice};
use crate::commands::table::{plain, table, time};

/// Lines that are read and sent at a time.
const PAGE: u32 = 2_000;

/// Arguments of `usage`.
#[derive(Args, Debug)]
pub(crate) struct UsageArguments {
    #[command(flatten)]
    choice: OrganizationChoice,
    /// Only this app
    // Not "app": the client does not fill in the one that is worked on.
    #[arg(id = "only", short = 'a', long = "app", value_name = "APP")]
    only: Option<String>,
    /// A month, such as 2026-11; the current one without
    #[arg(long)]
    month: Option<Month>,
    /// Write every settled hour as a line of CSV
    #[arg(long, conflicts_with = "json")]
    csv: bool,
}

pub(crate) async fn show(context: &Context, arguments: &UsageArguments) -> Result<u32, Failure> {
    let actions = context.actions();
    let month = arguments.month.unwrap_or_else(|| Month::of(actions.clock.now()));
    let (organization, app) = if let Some(name) = &arguments.only {
        let app = AppRef::Slug(name.parse::<AppSlug>()?);
        let app = actions.app_of(context.actor(), &app, Access::Read).await?;
        (app.organization_id, Some(app.id))
    } else {
        let named = context.organization(&arguments.choice)?;
        (actions.organization_for(context.actor(), &named, Access::Read).await?.id, None)
    };
    if arguments.csv {
        let bounds = (Hour::of(month.begin()), Hour::of(month.end()));
        context.output.text(usage_csv::HEAD).await?;
        let mut position = None;
        loop {
            let page = actions.store.usage_hours(organization, app, bounds, position.as_ref(), PAGE).await?;
            let lines: String = page.iter().map(usage_csv::line).collect();
            context.output.text(lines).await?;
            if page.len() < PAGE as usize {
                return Ok(0);
            }
            position = page.last().map(UsageHour::position);
        }
    }
    let usage = actions.usage(context.actor(), organization, app, Period::Month(month)).await?;
    let json = json!({
        "organization_id": organization,
        "from": usage.from,
        "to": usage.to,
        "cost": usage.cost,
        "charged": usage.charged,
        "unsettled": usage.unsettled,
        "items": usage.lines.iter().map(item).collect::<Vec<_>>(),
    });
    let rows: Vec<Vec<String>> = usage.lines.iter().map(|line| row(line, line.cost)).collect();
    let text = format!(
        "=== {month}, up to {}\n{}Total: {}\n",
        time(usage.to),
        if rows.is_empty() { String::new() } else { table(HEADINGS, &rows) },
        usage.cost
    );
    context.tell(json, text).await
}

/// What [`row`] is under.
pub(crate) const HEADINGS: &[&str] = &["APP", "PROCESS", "PLAN", "AN HOUR", "HOURS", "COST"];

/// A line of usage as people read it.
pub(crate) fn row(line: &UsageLine, cost: Money) -> Vec<String> {
    vec![
        line.app_slug.to_string(),
        line.key.process_type.to_string(),
        plain(&line.plan_name),
        line.key.price_per_hour.to_string(),
        line.replica_hours().round_dp(2).normalize().to_string(),
        cost.to_string(),
    ]
}

/// A line of usage as programs read it.
pub(crate) fn item(line: &UsageLine) -> Value {
    json!({
        "app_id": line.key.application_id,
        "app": line.app_slug,
        "process": line.key.process_type,
        "plan_id": line.key.plan_id,
        "plan": line.plan_name,
        "price_per_hour": line.key.price_per_hour,
        "replica_hours": line.replica_hours(),
        "cost": line.cost,
    })
}
