//! What ran, for how long and at which price, and what an hour of it costs. Exact integers all the way; the one
//! place where money is rounded is [`cost_of_hour`].

use std::collections::BTreeMap;
use std::fmt;

use chrono::{DateTime, Datelike as _, TimeDelta, TimeZone as _, Utc};
use rust_decimal::Decimal;

use super::{AppId, AppSlug, Money, OrganizationId, PlanId, ProcessType};
use crate::{Error, Result};

/// Microseconds in an hour.
const MICROSECONDS: u128 = 3_600_000_000;

/// A full hour of UTC, by its beginning. UTC knows no daylight saving: each is 3,600 seconds long.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, sqlx::Type)]
#[sqlx(transparent)]
pub struct Hour(DateTime<Utc>);

impl Hour {
    /// The hour a moment lies in.
    pub fn of(moment: DateTime<Utc>) -> Self {
        let seconds = moment.timestamp();
        let begin = Utc.timestamp_opt(seconds - seconds.rem_euclid(3_600), 0).single();
        Self(begin.unwrap_or(moment))
    }

    /// When it begins.
    pub fn begin(self) -> DateTime<Utc> {
        self.0
    }

    /// When it is over.
    pub fn end(self) -> DateTime<Utc> {
        self.0 + TimeDelta::hours(1)
    }

    /// The hour that follows.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.end())
    }
}

impl fmt::Debug for Hour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.format("%FT%HZ"))
    }
}

/// A month of UTC, written `2026-11`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Month {
    year: i32,
    month: u32,
}

impl Month {
    /// The month a moment lies in.
    pub fn of(moment: DateTime<Utc>) -> Self {
        Self { year: moment.year(), month: moment.month() }
    }

    /// When it begins.
    pub fn begin(self) -> DateTime<Utc> {
        // Years are bounded by `FromStr` and by the clock, so the date exists.
        Utc.with_ymd_and_hms(self.year, self.month, 1, 0, 0, 0).single().unwrap_or_default()
    }

    /// When it is over.
    pub fn end(self) -> DateTime<Utc> {
        self.next().begin()
    }

    /// Its first day.
    pub fn first_day(self) -> chrono::NaiveDate {
        self.begin().date_naive()
    }

    /// The month that follows.
    #[must_use]
    pub fn next(self) -> Self {
        if self.month == 12 { Self { year: self.year + 1, month: 1 } } else { Self { month: self.month + 1, ..self } }
    }
}

impl fmt::Display for Month {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}", self.year, self.month)
    }
}

impl fmt::Debug for Month {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::str::FromStr for Month {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let wrong = || Error::Invalid(format!("{text:?} is not a month. Write it like 2026-11."));
        let (year, month) = text.split_once('-').ok_or_else(wrong)?;
        if year.len() != 4 || month.len() != 2 || !text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-') {
            return Err(wrong());
        }
        let (year, month) = (year.parse().map_err(|_| wrong())?, month.parse().map_err(|_| wrong())?);
        if !(1970..=9000).contains(&year) || !(1..=12).contains(&month) {
            return Err(wrong());
        }
        Ok(Self { year, month })
    }
}

/// A process type that ran unchanged for a time: one row of the metering history.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Metered {
    /// Number of the row.
    pub id: i64,
    /// Of which organisation.
    pub organization_id: OrganizationId,
    /// Of which app; it may be gone.
    pub application_id: AppId,
    /// The app's name.
    pub app_slug: AppSlug,
    /// What ran.
    pub process_type: ProcessType,
    /// On which plan.
    pub plan_id: PlanId,
    /// The plan's name at that time.
    pub plan_name: String,
    /// What an hour of a replica cost.
    pub price_per_hour: Money,
    /// How many ran.
    #[sqlx(try_from = "i32")]
    pub replicas: u32,
    /// Since when.
    pub started_at: DateTime<Utc>,
    /// Until when; none while it runs.
    pub ended_at: Option<DateTime<Utc>>,
    /// Up to here it has become usage.
    pub settled_until: DateTime<Utc>,
}

impl Metered {
    /// Replicas times the microseconds that they ran between two moments.
    pub fn replica_microseconds(&self, from: DateTime<Utc>, to: DateTime<Utc>) -> u64 {
        let begin = self.started_at.max(from);
        let end = self.ended_at.map_or(to, |ended| ended.min(to));
        let ran = (end - begin).num_microseconds().unwrap_or(0);
        u64::try_from(ran).unwrap_or(0) * u64::from(self.replicas)
    }
}

/// What is billed on one line: a process type of an app at one price.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct UsageKey {
    /// Of which app.
    pub application_id: AppId,
    /// What ran.
    pub process_type: ProcessType,
    /// On which plan.
    pub plan_id: PlanId,
    /// What an hour of a replica cost.
    pub price_per_hour: Money,
}

/// How much of a [`UsageKey`] there was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsageLine {
    /// What was used.
    pub key: UsageKey,
    /// The app's name.
    pub app_slug: AppSlug,
    /// The plan's name.
    pub plan_name: String,
    /// Replicas times the microseconds that they ran.
    pub replica_microseconds: u128,
    /// What it cost.
    pub cost: Money,
    /// How much of that the ledger has; less than the cost where billing was off.
    pub charged: Money,
}

impl UsageLine {
    /// Replica-hours, cut after the sixth decimal, for people; costs are never computed from it.
    pub fn replica_hours(&self) -> Decimal {
        let millionths = self.replica_microseconds * 1_000_000 / MICROSECONDS;
        i128::try_from(millionths)
            .ok()
            .and_then(|millionths| Decimal::try_from_i128_with_scale(millionths, 6).ok())
            .unwrap_or(Decimal::MAX)
    }
}

/// What ran of one app in one hour, line by line, and what it costs.
#[derive(Clone, Debug)]
pub struct HourOfApp {
    /// Which hour.
    pub hour: Hour,
    /// What ran, in the order of their keys. The costs add up to `cost`.
    pub lines: Vec<UsageLine>,
    /// The one rounded amount.
    pub cost: Money,
}

/// What the history of one app says about one hour; none when nothing ran in it.
///
/// The rounding rule: price × replicas × microseconds of everything that ran in the hour are added up exactly, and
/// that sum is rounded once, to six decimals, half up. The lines share the rounded amount: each gets what the rounded
/// running total rises by, so that they add up to it and none is off by a millionth or more.
pub fn cost_of_hour(history: &[&Metered], hour: Hour, until: DateTime<Utc>) -> Option<HourOfApp> {
    let mut lines: BTreeMap<UsageKey, UsageLine> = BTreeMap::new();
    for metered in history {
        let used = u128::from(metered.replica_microseconds(hour.begin(), hour.end().min(until)));
        if used == 0 {
            continue;
        }
        let key = UsageKey {
            application_id: metered.application_id,
            process_type: metered.process_type.clone(),
            plan_id: metered.plan_id,
            price_per_hour: metered.price_per_hour,
        };
        let line = lines.entry(key.clone()).or_insert_with(|| UsageLine {
            key,
            app_slug: metered.app_slug.clone(),
            plan_name: metered.plan_name.clone(),
            replica_microseconds: 0,
            cost: Money::ZERO,
            charged: Money::ZERO,
        });
        line.replica_microseconds += used;
    }
    let mut lines: Vec<UsageLine> = lines.into_values().collect();
    let (mut exact, mut before) = (0u128, Money::ZERO);
    for line in &mut lines {
        let price = u128::try_from(line.key.price_per_hour.millionths()).unwrap_or(0);
        exact += price * line.replica_microseconds;
        let rounded = round_half_up(exact, MICROSECONDS);
        line.cost = rounded - before;
        before = rounded;
    }
    if lines.is_empty() { None } else { Some(HourOfApp { hour, lines, cost: before }) }
}

/// What a rate (per hour) comes to over a time, rounded half up.
pub fn cost_over(rate: Money, time: TimeDelta) -> Money {
    let microseconds = u128::try_from(time.num_microseconds().unwrap_or(0)).unwrap_or(0);
    round_half_up(u128::try_from(rate.millionths()).unwrap_or(0) * microseconds, MICROSECONDS)
}

/// `millionths / divisor` millionths, rounded half up.
fn round_half_up(millionths: u128, divisor: u128) -> Money {
    let rounded = (2 * millionths + divisor) / (2 * divisor);
    let amount = i128::try_from(rounded).ok().and_then(|value| Decimal::try_from_i128_with_scale(value, 6).ok());
    Money(amount.unwrap_or(Decimal::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().expect("is a time")
    }

    fn metered(process: &str, price: &str, replicas: u32, from: &str, to: Option<&str>) -> Metered {
        Metered {
            id: 1,
            organization_id: OrganizationId(uuid::Uuid::nil()),
            application_id: AppId(uuid::Uuid::nil()),
            app_slug: "shop".parse().expect("is a slug"),
            process_type: process.parse().expect("is a type"),
            plan_id: PlanId(uuid::Uuid::nil()),
            plan_name: "hobby".to_owned(),
            price_per_hour: price.parse().expect("is a price"),
            replicas,
            started_at: at(from),
            ended_at: to.map(at),
            settled_until: at(from),
        }
    }

    fn cost(history: &[Metered], hour: &str) -> Option<String> {
        let history: Vec<&Metered> = history.iter().collect();
        let cost = cost_of_hour(&history, Hour::of(at(hour)), DateTime::<Utc>::MAX_UTC)?;
        assert_eq!(cost.lines.iter().map(|line| line.cost).sum::<Money>(), cost.cost);
        Some(cost.cost.to_string())
    }

    /// What ran in the hour from ten on, as the documentation puts it.
    fn example(what: &str) -> Vec<Metered> {
        let ran = |process, price, replicas, from, to| {
            let [from, to] = [from, to].map(|time: &str| format!("2026-11-22T{time}Z"));
            metered(process, price, replicas, &from, Some(&to))
        };
        match what {
            "one replica at $0.0069, the whole hour" => vec![ran("web", "0.0069", 1, "10:00:00", "11:00:00")],
            "two at $0.0347 from 17:23 to 52:08 past (2,085 s)" => {
                vec![ran("web", "0.0347", 2, "10:17:23", "10:52:08")]
            }
            "one at $0.0347 for 20 minutes, then three" => {
                vec![ran("web", "0.0347", 1, "10:00:00", "10:20:00"), ran("web", "0.0347", 3, "10:20:00", "11:00:00")]
            }
            "`web` and `worker` for 30 minutes each at $0.000001" => vec![
                ran("web", "0.000001", 1, "10:00:00", "10:30:00"),
                ran("worker", "0.000001", 1, "10:30:00", "11:00:00"),
            ],
            "one at $0.000001 for 30 minutes" => vec![ran("web", "0.000001", 1, "10:00:00", "10:30:00")],
            "the same, a microsecond less" => vec![ran("web", "0.000001", 1, "10:00:00", "10:29:59.999999")],
            other => panic!("the documentation has an example that is not tested: {other}"),
        }
    }

    /// Whether `told`, a decimal number or a sum of them, cut off where it ends with `…`, is what a history comes to.
    fn comes_to(history: &[Metered], told: &str) -> bool {
        let (told, is_cut) = told.strip_suffix('…').map_or((told, false), |told| (told, true));
        let numbers = told.split(" + ").map(|number| number.parse::<Decimal>().expect("is a number"));
        let sum: Decimal = numbers.sum();
        let exact: i128 = history
            .iter()
            .map(|ran| {
                let time = (ran.ended_at.expect("has ended") - ran.started_at).num_microseconds().expect("fits");
                ran.price_per_hour.millionths() * i128::from(ran.replicas) * i128::from(time)
            })
            .sum();
        let exact = Decimal::from(exact) / Decimal::from(1_000_000_i64 * 3_600_000_000);
        exact.trunc_with_scale(sum.scale()) == sum && (exact != sum) == is_cut
    }

    #[test]
    fn the_worked_examples_of_the_documentation_are_right() {
        let (_, examples) =
            include_str!("../../../docs/billing.md").split_once("### Examples").expect("the page has examples");
        let table = examples.lines().skip_while(|line| !line.starts_with('|')).take_while(|line| line.starts_with('|'));
        let rows: Vec<Vec<&str>> =
            table.skip(2).map(|row| row.trim_matches('|').split('|').map(str::trim).collect()).collect();
        assert_eq!(rows.len(), 6);
        for row in rows {
            let [what, exact, charge] = row[..] else { panic!("an example has another shape: {row:?}") };
            let history = example(what);
            let charge: Money = charge.trim_start_matches('$').parse().expect("is an amount");
            assert_eq!(cost(&history, "2026-11-22T10:00:00Z"), Some(charge.to_string()), "{what}");
            let exact = exact.rsplit_once(" = ").map_or(exact, |(_, exact)| exact);
            assert!(comes_to(&history, exact), "{what}: {exact}");
        }
    }

    #[test]
    fn halves_go_up_and_are_rounded_once() {
        // Half an hour at 0.000001 is half a millionth.
        let half = |process| metered(process, "0.000001", 1, "2026-11-22T10:00:00Z", Some("2026-11-22T10:30:00Z"));
        assert_eq!(cost(&[half("web")], "2026-11-22T10:00:00Z").as_deref(), Some("$0.000001"));
        // Two halves are one, not two.
        assert_eq!(cost(&[half("web"), half("worker")], "2026-11-22T10:00:00Z").as_deref(), Some("$0.000001"));
        // A microsecond less than half is nothing.
        let less = metered("web", "0.000001", 1, "2026-11-22T10:00:00Z", Some("2026-11-22T10:29:59.999999Z"));
        assert_eq!(cost(&[less], "2026-11-22T10:00:00Z").as_deref(), Some("$0"));
    }

    #[test]
    fn hours_have_hard_edges() {
        let edge = metered("web", "3600", 1, "2026-11-22T09:59:59Z", Some("2026-11-22T11:00:00.5Z"));
        let edge = [edge];
        assert_eq!(cost(&edge, "2026-11-22T09:00:00Z").as_deref(), Some("$1"));
        assert_eq!(cost(&edge, "2026-11-22T10:00:00Z").as_deref(), Some("$3600"));
        assert_eq!(cost(&edge, "2026-11-22T11:00:00Z").as_deref(), Some("$0.5"));
        assert_eq!(cost(&edge, "2026-11-22T12:00:00Z"), None);
    }

    #[test]
    fn months_are_read_and_followed() {
        let december: Month = "2026-12".parse().expect("is a month");
        assert_eq!((december.begin(), december.end()), (at("2026-12-01T00:00:00Z"), at("2027-01-01T00:00:00Z")));
        assert_eq!(Month::of(at("2026-12-31T23:59:59.999999Z")), december);
        for text in ["2026", "2026-13", "2026-00", "26-11", "2026-1", "2026-11-01", "+026-11", "9999-12"] {
            assert!(text.parse::<Month>().is_err(), "{text}");
        }
    }

    #[test]
    fn the_largest_amounts_do_not_overflow() {
        let large = metered("web", "999999.999999", 100, "2026-11-22T09:00:00Z", None);
        assert_eq!(cost(&[large], "2026-11-22T10:00:00Z").as_deref(), Some("$99999999.9999"));
    }
}
