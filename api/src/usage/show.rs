//! `GET /api/paas/usage`.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use chrono::{DateTime, NaiveDate, Utc};
use rust_decimal::Decimal;
use serde::Serialize;
use skypanel_core::Error;
use skypanel_core::actions::{Actions, Period};
use skypanel_core::model::{Hour, Money, UsageLine};
use utoipa::ToSchema;
use uuid::Uuid;

use super::Wish;
use crate::http::{Answer, Caller, LargePage, QueryOf, schema};

/// Usage of a time. The sums are of all of it, whichever page of the items is shown.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct UsageAnswer {
    organization_id: Uuid,
    /// Since when.
    from: DateTime<Utc>,
    /// Until when: the end of the time asked for, or now.
    to: DateTime<Utc>,
    /// What all of it cost.
    #[schema(value_type = schema::Money)]
    cost: Money,
    /// What of it was charged.
    #[schema(value_type = schema::Money)]
    charged: Money,
    /// What of the cost belongs to hours that are not settled yet, the current one at least. It is in no day.
    #[schema(value_type = schema::Money)]
    unsettled: Money,
    items: Vec<UsageItem>,
    /// What to ask for to get the next page of the items; null on the last one.
    next_cursor: Option<String>,
}

/// Day, app, process type, plan and price of a sum, as far as they are told apart.
type Place = (
    Option<NaiveDate>,
    (Option<String>, Option<Uuid>),
    Option<String>,
    (Option<String>, Option<Uuid>),
    Option<Decimal>,
);

/// A sum of usage. What was not asked to be told apart is missing.
#[derive(Debug, Default, Serialize, ToSchema)]
pub(crate) struct UsageItem {
    #[serde(skip_serializing_if = "Option::is_none")]
    day: Option<NaiveDate>,
    #[serde(skip_serializing_if = "Option::is_none")]
    app_id: Option<Uuid>,
    /// The same as `app_id`.
    #[serde(skip_serializing_if = "Option::is_none")]
    application_id: Option<Uuid>,
    /// The app's name; it may be gone.
    #[serde(skip_serializing_if = "Option::is_none")]
    app: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    process: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    plan_id: Option<Uuid>,
    #[serde(skip_serializing_if = "Option::is_none")]
    plan: Option<String>,
    /// What an hour of a replica cost.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<schema::Money>)]
    price_per_hour: Option<Money>,
    /// Replicas times the hours that they ran, cut after the sixth decimal.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    replica_hours: Option<Decimal>,
    #[schema(value_type = schema::Money)]
    cost: Money,
}

impl UsageItem {
    /// Where it stands in the list.
    fn place(&self) -> Place {
        (
            self.day,
            (self.app.clone(), self.app_id),
            self.process.clone(),
            (self.plan.clone(), self.plan_id),
            self.price_per_hour.map(|price| price.0),
        )
    }
}

/// Show usage
///
/// What an organisation, or one of its apps, used in a month or between two full hours, up to this moment. Hours that
/// are not settled are counted as the settlement will round them. `group=day` tells settled hours only.
#[utoipa::path(
    get,
    path = "/api/paas/usage",
    tag = "usage",
    params(Wish, LargePage),
    responses((status = OK, body = UsageAnswer))
)]
pub(crate) async fn show_usage(
    State(actions): State<Actions>,
    caller: Caller,
    QueryOf(wish): QueryOf<Wish>,
    page: LargePage,
) -> Answer<UsageAnswer> {
    let asked = wish.resolve(&actions, &caller).await?;
    let usage = actions.usage(&caller, asked.organization, asked.app, asked.period).await?;
    let items = match wish.group.as_deref().unwrap_or("line") {
        "line" => usage.lines.iter().map(line).collect(),
        "app" => grouped(&usage.lines, |item| UsageItem {
            app_id: item.app_id,
            application_id: item.app_id,
            app: item.app,
            ..UsageItem::default()
        }),
        "process" => grouped(&usage.lines, |item| UsageItem { process: item.process, ..UsageItem::default() }),
        "plan" => {
            grouped(&usage.lines, |item| UsageItem { plan_id: item.plan_id, plan: item.plan, ..UsageItem::default() })
        }
        "day" => {
            let (from, to) = match asked.period {
                Period::Month(month) => (Hour::of(month.begin()), Hour::of(month.end())),
                Period::Hours(from, to) => (from, to),
            };
            let days = actions.store.usage_by_day(asked.organization, asked.app, from, to).await?;
            days.into_iter().map(|(day, cost)| UsageItem { day: Some(day), cost, ..UsageItem::default() }).collect()
        }
        _ => return Err(Error::field("group", "Use line, app, process, plan or day.").into()),
    };
    let items = page.cut(items, UsageItem::place, |item| item)?;
    Ok(Json(UsageAnswer {
        organization_id: asked.organization.0,
        from: usage.from,
        to: usage.to,
        cost: usage.cost,
        charged: usage.charged,
        unsettled: usage.unsettled,
        items: items.items,
        next_cursor: items.next_cursor,
    }))
}

fn line(line: &UsageLine) -> UsageItem {
    UsageItem {
        day: None,
        app_id: Some(line.key.application_id.0),
        application_id: Some(line.key.application_id.0),
        app: Some(line.app_slug.to_string()),
        process: Some(line.key.process_type.to_string()),
        plan_id: Some(line.key.plan_id.0),
        plan: Some(line.plan_name.clone()),
        price_per_hour: Some(line.key.price_per_hour),
        replica_hours: Some(line.replica_hours()),
        cost: line.cost,
    }
}

/// Adds up the lines that `keep` leaves no difference between.
fn grouped(lines: &[UsageLine], keep: impl Fn(UsageItem) -> UsageItem) -> Vec<UsageItem> {
    let mut groups = BTreeMap::<_, (UsageItem, UsageLine)>::new();
    for used in lines {
        let item = keep(line(used));
        let key = (item.app_id, item.process.clone(), item.plan_id);
        match groups.get_mut(&key) {
            Some((_, sum)) => {
                sum.replica_microseconds += used.replica_microseconds;
                sum.cost += used.cost;
            }
            None => {
                groups.insert(key, (item, used.clone()));
            }
        }
    }
    groups
        .into_values()
        .map(|(item, sum)| UsageItem { replica_hours: Some(sum.replica_hours()), cost: sum.cost, ..item })
        .collect()
}
