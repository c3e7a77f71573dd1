//! The platform as a whole: counts, apps, money, and what was done.

use std::fmt::Display;
use std::net::IpAddr;

use chrono::{DateTime, Utc};
use clap::Args;
use serde_json::{Map, Value, json};
use skypanel_core::model::{AppStatus, DeploymentStatus, Month, NodeState, OrganizationId, OrganizationRef};
use skypanel_core::store::{Access, AdminAppFilter, AuditFilter};

use super::{nodes, users};
use crate::commands::context::{Context, Failure};
use crate::commands::shown::{listed, organization_named};
use crate::commands::table::{pairs, plain, table, time};

/// Arguments of `admin:apps`.
#[derive(Args, Debug)]
pub(crate) struct AppsArguments {
    /// Only those of this organisation
    #[arg(long, value_name = "ORGANISATION")]
    org: Option<String>,
    /// Only those with this in their name
    #[arg(long, value_name = "TEXT")]
    search: Option<String>,
    /// Only those in this status, such as running
    #[arg(long)]
    status: Option<AppStatus>,
}

/// Arguments of `admin:audit`.
#[derive(Args, Debug)]
pub(crate) struct AuditArguments {
    /// Only this, such as app.scale; with a dot at its end, all that begins so
    #[arg(long)]
    action: Option<String>,
    /// Only about the thing of that id or name
    #[arg(long, value_name = "ID|NAME")]
    target: Option<String>,
    /// Only about things of that kind, such as app
    #[arg(long)]
    kind: Option<String>,
    /// Only about things of this organisation
    #[arg(long, value_name = "ORGANISATION")]
    org: Option<String>,
    /// Only what this user did
    #[arg(long, value_name = "EMAIL")]
    user: Option<String>,
    /// Only what was done from this address
    #[arg(long)]
    address: Option<IpAddr>,
    /// Not before this time, such as 2026-11-22T05:00:00Z
    #[arg(long, value_name = "TIME")]
    since: Option<DateTime<Utc>>,
    /// Before this time
    #[arg(long, value_name = "TIME")]
    until: Option<DateTime<Utc>>,
    /// How many
    #[arg(short, long, value_name = "LINES", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    num: u32,
}

pub(super) async fn overview(context: &Context) -> Result<u32, Failure> {
    let actions = context.actions();
    let (platform, queue, nodes) = tokio::join!(actions.store.platform(), actions.store.queue(), nodes::all(context));
    let (platform, queue) = (platform?, queue?);
    let totals = &platform.totals;
    let nodes = nodes.ok().map(|nodes| {
        let states: Vec<(NodeState, i64)> = nodes.iter().map(|node| (node.state, 1)).collect();
        counts(NodeState::ALL, &states)
    });
    #[expect(clippy::cast_possible_truncation, reason = "seconds of a wait, far below 2^63")]
    let oldest = queue.iter().map(|depth| depth.oldest_seconds as i64).max().unwrap_or(0);
    let (waiting, running, failed) = (
        queue.iter().map(|depth| depth.waiting).sum::<i64>(),
        queue.iter().map(|depth| depth.running).sum::<i64>(),
        queue.iter().map(|depth| depth.failed).sum::<i64>(),
    );
    let apps = counts(AppStatus::ALL, &platform.apps);
    let deployments = counts(DeploymentStatus::ALL, &platform.deployments);
    let text = pairs(&[
        ("Organisations", format!("{}, {} suspended", totals.organizations, totals.suspended_organizations)),
        ("Users", format!("{}, {} admins", totals.users, totals.admins)),
        ("Apps", in_words(&apps)),
        ("Deployments", format!("{} in 24 hours", in_words(&deployments))),
        (
            "Replicas",
            format!("{}, up to {} cores and {} MB", totals.replicas, totals.cpu_cores.normalize(), totals.ram_mb),
        ),
        ("An hour costs", totals.cost_per_hour.to_string()),
        ("Cost", format!("{} today, {} this month", totals.cost_today, totals.cost_month)),
        ("Nodes", nodes.as_ref().map_or_else(|| "no manager answers".to_owned(), in_words)),
        ("Jobs", format!("{waiting} waiting, the first for {oldest} s, {running} running, {failed} failed")),
    ]);
    let json = json!({
        "applications": apps,
        "deployments": deployments,
        "organizations": { "total": totals.organizations, "suspended": totals.suspended_organizations },
        "users": { "total": totals.users, "admins": totals.admins },
        "resource_usage": {
            "replicas": totals.replicas,
            "total_cpu": totals.cpu_cores.normalize(),
            "total_ram_mb": totals.ram_mb,
            "cost_per_hour": totals.cost_per_hour,
            "total_cost_today": totals.cost_today,
            "total_cost_month": totals.cost_month,
        },
        "worker_nodes": nodes.unwrap_or_default(),
        "queue": { "waiting": waiting, "running": running, "failed": failed, "oldest_seconds": oldest },
    });
    context.tell(json, text).await
}

/// A count for each value there is, and `total`.
fn counts<T: Display + PartialEq>(all: &[T], found: &[(T, i64)]) -> Map<String, Value> {
    let count = |value: &T| found.iter().filter(|(of, _)| of == value).map(|(_, count)| count).sum::<i64>();
    let total: i64 = found.iter().map(|(_, count)| count).sum();
    let counts = all.iter().map(|value| (value.to_string(), count(value)));
    counts.chain([("total".to_owned(), total)]).map(|(name, count)| (name, count.into())).collect()
}

/// `3: 2 running, 1 stopped`.
fn in_words(counts: &Map<String, Value>) -> String {
    let some = counts.iter().filter(|(name, count)| *name != "total" && count.as_i64() != Some(0));
    let some: Vec<String> = some.map(|(name, count)| format!("{count} {name}")).collect();
    let total = counts.get("total").and_then(Value::as_i64).unwrap_or(0);
    if some.is_empty() { total.to_string() } else { format!("{total}: {}", some.join(", ")) }
}

/// The id of the organisation that a word names. An id is taken as it is: what was is listed after its organisation.
async fn organization(context: &Context, named: Option<&str>) -> Result<Option<OrganizationId>, Failure> {
    let Some(named) = named else { return Ok(None) };
    match organization_named(named) {
        OrganizationRef::Id(id) => Ok(Some(id)),
        named @ OrganizationRef::Name(_) => {
            let found = context.actions().organization_for(context.actor(), &named, Access::Read).await?;
            Ok(Some(found.id))
        }
    }
}

pub(super) async fn apps(context: &Context, arguments: &AppsArguments) -> Result<u32, Failure> {
    let organization = organization(context, arguments.org.as_deref()).await?;
    let filter = AdminAppFilter { organization, status: arguments.status, search: arguments.search.clone() };
    let apps = context.actions().store.admin_apps(&filter, None, i64::from(u32::MAX)).await?;
    let rows = apps.iter().map(|app| {
        let row = vec![
            app.slug.to_string(),
            app.status.to_string(),
            app.organization_name.clone(),
            plain(&app.plan_name),
            app.replicas.to_string(),
            app.cost_per_hour.to_string(),
            app.cost_month.to_string(),
        ];
        let json = json!({
            "id": app.id,
            "slug": app.slug,
            "name": app.name,
            "status": app.status,
            "suspended_reason": app.suspended_reason,
            "organization_id": app.organization_id,
            "organization": app.organization_name,
            "plan": app.plan_name,
            "version": app.version.map(|version| version.0),
            "replicas": app.replicas,
            "cost_per_hour": app.cost_per_hour,
            "cost_month": app.cost_month,
            "created_at": app.created_at,
            "updated_at": app.updated_at,
        });
        (json, row)
    });
    let headings = ["NAME", "STATUS", "ORGANISATION", "PLAN", "REPLICAS", "AN HOUR", "THIS MONTH"];
    context.list(&headings, "There are no apps.", rows).await
}

pub(super) async fn audit(context: &Context, arguments: &AuditArguments) -> Result<u32, Failure> {
    let user = match &arguments.user {
        Some(email) => Some(users::named(context, email).await?.id),
        None => None,
    };
    let filter = AuditFilter {
        organization: organization(context, arguments.org.as_deref()).await?,
        user,
        action: arguments.action.clone(),
        target_kind: arguments.kind.clone(),
        target: arguments.target.clone(),
        address: arguments.address,
        since: arguments.since,
        until: arguments.until,
    };
    let lines = context.actions().audit_log(context.actor(), &filter, None, i64::from(arguments.num)).await?;
    let rows = lines.iter().map(|line| {
        let row = vec![
            time(line.occurred_at),
            line.actor.as_deref().map_or_else(|| "Skypanel".to_owned(), plain),
            line.via.to_string(),
            line.action.clone(),
            plain(&format!("{} {}", line.target_kind, line.target)),
        ];
        let json = json!({
            "id": line.id,
            "occurred_at": line.occurred_at,
            "action": line.action,
            "organization_id": line.organization_id,
            "user_id": line.user_id,
            "actor": line.actor,
            "via": line.via,
            "address": line.address,
            "request_id": line.request_id,
            "target_kind": line.target_kind,
            "target": line.target,
            "before": line.before,
            "after": line.after,
        });
        (json, row)
    });
    context.list(&["AT", "WHO", "HOW", "WHAT", "ABOUT"], "Nothing was done yet.", rows).await
}

pub(super) async fn billing(context: &Context) -> Result<u32, Failure> {
    let actions = context.actions();
    let month = Month::of(actions.clock.now());
    let totals = actions.store.billing_totals(month).await?;
    let wallets = actions.store.wallets(month, None, i64::from(u32::MAX)).await?;
    let rows: Vec<Vec<String>> = wallets
        .iter()
        .map(|wallet| {
            let money = [wallet.balance, wallet.cost_per_hour, wallet.month_cost, wallet.month_charged];
            let money = money.iter().map(ToString::to_string);
            std::iter::once(wallet.name.clone()).chain(money).chain([wallet.suspended_apps.to_string()]).collect()
        })
        .collect();
    let items = wallets.iter().map(|wallet| {
        json!({
            "id": wallet.organization_id,
            "name": wallet.name,
            "balance": wallet.balance,
            "month_cost": wallet.month_cost,
            "month_charged": wallet.month_charged,
            "cost_per_hour": wallet.cost_per_hour,
            "suspended_apps": wallet.suspended_apps,
        })
    });
    let json = json!({
        "enabled_since": totals.enabled_since,
        "month": month.to_string(),
        "balance": totals.balance,
        "month_cost": totals.month_cost,
        "month_charged": totals.month_charged,
        "cost_per_hour": totals.cost_per_hour,
        "settled_until": totals.settled_until,
        "organizations": listed(items),
    });
    let text = format!(
        "{}\n{}",
        pairs(&[
            ("Billing", totals.enabled_since.map_or_else(|| "off".to_owned(), |at| format!("on since {}", time(at)))),
            ("All wallets", totals.balance.to_string()),
            ("An hour costs", totals.cost_per_hour.to_string()),
            ("In the month", format!("{month}: {} used, {} of it charged", totals.month_cost, totals.month_charged)),
        ]),
        table(&["ORGANISATION", "BALANCE", "AN HOUR", "USED", "CHARGED", "SUSPENDED APPS"], &rows)
    );
    context.tell(json, text).await
}

pub(super) async fn settle(context: &Context) -> Result<u32, Failure> {
    let settled = context.actions().settle_usage_now(context.actor()).await?;
    let json = json!({
        "app_hours": settled.app_hours,
        "charged": settled.charged,
        "suspended": settled.suspended.len(),
        "resumed": settled.resumed.len(),
    });
    let text = format!(
        "-----> Settled {} hours of apps: {} charged, {} apps suspended, {} go on",
        settled.app_hours,
        settled.charged,
        settled.suspended.len(),
        settled.resumed.len()
    );
    context.tell(json, text).await
}
