//! Usage as it is read: by app, process type, plan and time; what is settled and what is not yet.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, NaiveTime, Utc};
use rust_decimal::Decimal;
use sqlx::PgConnection;

use super::Store;
use super::metering::METERED_COLUMNS;
use crate::model::{
    AppId, AppSlug, Hour, Metered, Money, Month, OrganizationId, PlanId, ProcessType, UsageKey, UsageLine, cost_of_hour,
};
use crate::{Error, Result};

/// A line of usage as the queries answer it.
#[derive(sqlx::FromRow)]
pub(super) struct Row {
    application_id: AppId,
    app_slug: AppSlug,
    process_type: ProcessType,
    plan_id: PlanId,
    plan_name: String,
    price_per_hour: Money,
    replica_microseconds: Decimal,
    cost: Money,
    charged: Money,
}

impl TryFrom<Row> for UsageLine {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self> {
        let damaged = |_| Error::System("The stored usage is damaged.".to_owned());
        Ok(Self {
            key: UsageKey {
                application_id: row.application_id,
                process_type: row.process_type,
                plan_id: row.plan_id,
                price_per_hour: row.price_per_hour,
            },
            app_slug: row.app_slug,
            plan_name: row.plan_name,
            replica_microseconds: u128::try_from(row.replica_microseconds.trunc().mantissa()).map_err(damaged)?,
            cost: row.cost,
            charged: row.charged,
        })
    }
}

/// An hour of usage, for exports.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct UsageHour {
    /// When the hour began.
    pub hour: DateTime<Utc>,
    /// Of which app.
    pub application_id: AppId,
    /// The app's name.
    pub app_slug: AppSlug,
    /// What ran.
    pub process_type: ProcessType,
    /// On which plan.
    pub plan_id: PlanId,
    /// The plan's name.
    pub plan_name: String,
    /// What an hour of a replica cost.
    pub price_per_hour: Money,
    /// Replicas times the microseconds that they ran.
    pub replica_microseconds: i64,
    /// What it cost.
    pub cost: Money,
    /// Whether it was charged.
    pub charged: bool,
}

/// The whole days of a time, and the hours before and after them, each from its first to the one after its last.
#[derive(Debug, PartialEq, Eq)]
struct Parts {
    before: (DateTime<Utc>, DateTime<Utc>),
    days: (NaiveDate, NaiveDate),
    after: (DateTime<Utc>, DateTime<Utc>),
}

impl Parts {
    fn of(from: Hour, to: Hour) -> Self {
        let midnight = |day: NaiveDate| day.and_time(NaiveTime::MIN).and_utc();
        let (from, to) = (from.begin(), to.begin());
        let first = from.date_naive();
        let first = if midnight(first) < from { first.succ_opt().unwrap_or(first) } else { first };
        let end = to.date_naive();
        if first < end {
            return Self { before: (from, midnight(first)), days: (first, end), after: (midnight(end), to) };
        }
        Self { before: (from, to), days: (end, end), after: (to, to) }
    }
}

/// The last line of a page of an export, after which the next one goes on.
pub type UsagePosition = (DateTime<Utc>, AppId, ProcessType, PlanId, Money);

impl UsageHour {
    /// Where the next page begins.
    pub fn position(&self) -> UsagePosition {
        (self.hour, self.application_id, self.process_type.clone(), self.plan_id, self.price_per_hour)
    }
}

impl Store {
    /// What an organisation, or one of its apps, used between two hours, by app, process type, plan and price. Only
    /// settled hours. Whole days are read from their sums.
    pub async fn usage(
        &self,
        organization: OrganizationId,
        app: Option<AppId>,
        from: Hour,
        to: Hour,
    ) -> Result<Vec<UsageLine>> {
        let parts = Parts::of(from, to);
        let rows: Vec<Row> = sqlx::query_as(
            "SELECT application_id, max(app_slug) AS app_slug, process_type, plan_id, max(plan_name) AS plan_name,
                 price_per_hour, sum(replica_microseconds)::numeric AS replica_microseconds, sum(cost) AS cost,
                 sum(charged) AS charged
             FROM (
                 SELECT application_id, app_slug, process_type, plan_id, plan_name, price_per_hour, replica_microseconds,
                     cost, charged
                 FROM paas_usage_days
                 WHERE organization_id = $1 AND day >= $5 AND day < $6 AND ($2::uuid IS NULL OR application_id = $2)
                 UNION ALL
                 SELECT application_id, app_slug, process_type, plan_id, plan_name, price_per_hour, replica_microseconds,
                     cost, CASE WHEN charged THEN cost ELSE 0 END
                 FROM paas_resource_usage
                 WHERE organization_id = $1 AND hour >= $3 AND hour < $4 AND ($2::uuid IS NULL OR application_id = $2)
                 UNION ALL
                 SELECT application_id, app_slug, process_type, plan_id, plan_name, price_per_hour, replica_microseconds,
                     cost, CASE WHEN charged THEN cost ELSE 0 END
                 FROM paas_resource_usage
                 WHERE organization_id = $1 AND hour >= $7 AND hour < $8 AND ($2::uuid IS NULL OR application_id = $2)
             ) AS used
             GROUP BY application_id, process_type, plan_id, price_per_hour
             ORDER BY app_slug, process_type, plan_name, price_per_hour",
        )
        .bind(organization)
        .bind(app)
        .bind(parts.before.0)
        .bind(parts.before.1)
        .bind(parts.days.0)
        .bind(parts.days.1)
        .bind(parts.after.0)
        .bind(parts.after.1)
        .fetch_all(&self.pool)
        .await?;
        rows.into_iter().map(UsageLine::try_from).collect()
    }

    /// The same for a whole month, read from its sums.
    pub async fn usage_of_month(
        &self,
        organization: OrganizationId,
        app: Option<AppId>,
        month: Month,
    ) -> Result<Vec<UsageLine>> {
        let rows: Vec<Row> = sqlx::query_as(
            "SELECT application_id, app_slug, process_type, plan_id, plan_name, price_per_hour, replica_microseconds,
                 cost, charged
             FROM paas_usage_months
             WHERE organization_id = $1 AND month = $3 AND ($2::uuid IS NULL OR application_id = $2)
             ORDER BY app_slug, process_type, plan_name, price_per_hour",
        )
        .bind(organization)
        .bind(app)
        .bind(month.first_day())
        .fetch_all(&self.pool)
        .await?;
        rows.into_iter().map(UsageLine::try_from).collect()
    }

    /// What was used from an hour on up to `until` and is not settled. Each of its hours is rounded as the settlement
    /// will round it.
    pub async fn unsettled_usage(
        &self,
        organization: OrganizationId,
        app: Option<AppId>,
        from: Hour,
        until: DateTime<Utc>,
    ) -> Result<Vec<UsageLine>> {
        let sql = format!(
            "SELECT {METERED_COLUMNS} FROM paas_metering
             WHERE organization_id = $1 AND (ended_at IS NULL OR settled_until < ended_at) AND settled_until < $3
             AND ($2::uuid IS NULL OR application_id = $2)"
        );
        let rows: Vec<Metered> = sqlx::query_as(sqlx::AssertSqlSafe(sql))
            .bind(organization)
            .bind(app)
            .bind(until)
            .fetch_all(&self.pool)
            .await?;
        let mut apps: BTreeMap<AppId, Vec<&Metered>> = BTreeMap::new();
        for metered in &rows {
            apps.entry(metered.application_id).or_default().push(metered);
        }
        let mut used = Vec::new();
        for history in apps.values() {
            let first = history.iter().map(|metered| Hour::of(metered.settled_until)).min();
            let mut hour = first.unwrap_or(from).max(from);
            while hour.begin() < until {
                used.extend(cost_of_hour(history, hour, until).into_iter().flat_map(|cost| cost.lines));
                hour = hour.next();
            }
        }
        let mut lines = Vec::new();
        add_lines(&mut lines, used);
        Ok(lines)
    }

    /// Cost by day of settled hours, oldest first; days without usage are missing.
    pub async fn usage_by_day(
        &self,
        organization: OrganizationId,
        app: Option<AppId>,
        from: Hour,
        to: Hour,
    ) -> Result<Vec<(NaiveDate, Money)>> {
        let parts = Parts::of(from, to);
        Ok(sqlx::query_as(
            "SELECT day, sum(cost) FROM (
                 SELECT day, cost FROM paas_usage_days
                 WHERE organization_id = $1 AND day >= $5 AND day < $6 AND ($2::uuid IS NULL OR application_id = $2)
                 UNION ALL
                 SELECT (hour AT TIME ZONE 'UTC')::date, cost FROM paas_resource_usage
                 WHERE organization_id = $1 AND hour >= $3 AND hour < $4 AND ($2::uuid IS NULL OR application_id = $2)
                 UNION ALL
                 SELECT (hour AT TIME ZONE 'UTC')::date, cost FROM paas_resource_usage
                 WHERE organization_id = $1 AND hour >= $7 AND hour < $8 AND ($2::uuid IS NULL OR application_id = $2)
             ) AS used GROUP BY day ORDER BY day",
        )
        .bind(organization)
        .bind(app)
        .bind(parts.before.0)
        .bind(parts.before.1)
        .bind(parts.days.0)
        .bind(parts.days.1)
        .bind(parts.after.0)
        .bind(parts.after.1)
        .fetch_all(&self.pool)
        .await?)
    }

    /// Hours of usage in the order of an export, from after `position` on.
    pub async fn usage_hours(
        &self,
        organization: OrganizationId,
        app: Option<AppId>,
        (from, to): (Hour, Hour),
        position: Option<&UsagePosition>,
        limit: u32,
    ) -> Result<Vec<UsageHour>> {
        let (hour, last, process, plan, price) = match position {
            Some((hour, app, process, plan, price)) => {
                (Some(*hour), Some(*app), Some(process), Some(*plan), Some(*price))
            }
            None => (None, None, None, None, None),
        };
        Ok(sqlx::query_as(
            "SELECT hour, application_id, app_slug, process_type, plan_id, plan_name, price_per_hour, replica_microseconds,
                 cost, charged
             FROM paas_resource_usage
             WHERE organization_id = $1 AND hour >= $3 AND hour < $4 AND ($2::uuid IS NULL OR application_id = $2)
             AND ($5::timestamptz IS NULL OR hour >= $5)
             AND ($5::timestamptz IS NULL OR (hour, application_id, process_type, plan_id, price_per_hour) > ($5, $6, $7, $8, $9))
             ORDER BY hour, application_id, process_type, plan_id, price_per_hour LIMIT $10",
        )
        .bind(organization)
        .bind(app)
        .bind(from)
        .bind(to)
        .bind(hour)
        .bind(last)
        .bind(process)
        .bind(plan)
        .bind(price)
        .bind(i64::from(limit))
        .fetch_all(&self.pool)
        .await?)
    }

    /// Months in which an organisation was charged, newest first, and how much.
    pub async fn charged_months(&self, organization: OrganizationId) -> Result<Vec<(Month, Money)>> {
        let rows: Vec<(NaiveDate, Money)> = sqlx::query_as(
            "SELECT month, sum(charged) FROM paas_usage_months WHERE organization_id = $1
             GROUP BY month HAVING sum(charged) > 0 ORDER BY month DESC",
        )
        .bind(organization)
        .fetch_all(&self.pool)
        .await?;
        Ok(rows
            .into_iter()
            .map(|(day, charged)| (Month::of(day.and_time(chrono::NaiveTime::MIN).and_utc()), charged))
            .collect())
    }

    /// What everything that runs of an organisation, or of one of its apps, costs an hour.
    pub async fn burn(&self, organization: OrganizationId, app: Option<AppId>) -> Result<Money> {
        burn(&mut *self.pool.acquire().await?, organization, app).await
    }
}

/// See [`Store::burn`].
pub(crate) async fn burn(
    connection: &mut PgConnection,
    organization: OrganizationId,
    app: Option<AppId>,
) -> Result<Money> {
    let (burn,) = sqlx::query_as(
        "SELECT coalesce(sum(price_per_hour * replicas), 0) FROM paas_metering
         WHERE organization_id = $1 AND ended_at IS NULL AND ($2::uuid IS NULL OR application_id = $2)",
    )
    .bind(organization)
    .bind(app)
    .fetch_one(connection)
    .await?;
    Ok(burn)
}

/// Adds each of `more` to the line of its key, or to the end.
pub(crate) fn add_lines(lines: &mut Vec<UsageLine>, more: Vec<UsageLine>) {
    let mut places: BTreeMap<UsageKey, usize> =
        lines.iter().enumerate().map(|(place, line)| (line.key.clone(), place)).collect();
    for line in more {
        let place = *places.entry(line.key.clone()).or_insert(lines.len());
        match lines.get_mut(place) {
            Some(same) => {
                same.replica_microseconds += line.replica_microseconds;
                same.cost += line.cost;
                same.charged += line.charged;
            }
            None => lines.push(line),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_taken_apart_without_gap_or_overlap() {
        let at = |text: &str| text.parse::<DateTime<Utc>>().expect("is a time");
        let day = |text: &str| text.parse::<NaiveDate>().expect("is a day");
        let parts = |from: &str, to: &str| Parts::of(Hour::of(at(from)), Hour::of(at(to)));
        let (early, late) = ("2026-02-27T22:00:00Z", "2026-03-02T05:00:00Z");
        let (first, end) = ("2026-02-28T00:00:00Z", "2026-03-02T00:00:00Z");
        let whole = Parts {
            before: (at(early), at(first)),
            days: (day("2026-02-28"), day("2026-03-02")),
            after: (at(end), at(late)),
        };
        assert_eq!(parts(early, late), whole);
        let days = Parts { before: (at(first), at(first)), after: (at(end), at(end)), ..whole };
        assert_eq!(parts(first, end), days);
        for (from, to) in
            [(early, "2026-02-27T23:00:00Z"), (early, "2026-02-28T05:00:00Z"), (late, "2026-03-02T07:00:00Z")]
        {
            let Parts { before, days, after } = parts(from, to);
            assert_eq!((before, days.0, after.0), ((at(from), at(to)), days.1, after.1), "{from} {to}");
        }
    }
}
