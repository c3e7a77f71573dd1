//! What the test of random histories itself knows of an app: nothing in it comes from the code under test.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, Utc};
use rust_decimal::Decimal;
use skypanel_core::model::{AppId, Money, OrganizationId, PlanId};
use skypanel_core::store::Store;

use crate::world::World;

/// In microseconds.
pub(crate) const HOUR: i64 = 3_600_000_000;

/// What an app may run on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Terms {
    pub(crate) plan: PlanId,
    /// Millionths an hour.
    pub(crate) price: u128,
    /// Replicas of `web` and `worker`, once it was scaled.
    pub(crate) scaled: Option<(u32, u32)>,
}

impl Terms {
    fn replicas(&self, process: &str) -> u128 {
        let (web, worker) = self.scaled.unwrap_or((1, 0));
        u128::from(if process == "web" { web } else { worker })
    }
}

/// What was used: millionths an hour, and replicas, both times microseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Used {
    pub(crate) cost: i128,
    pub(crate) microseconds: i128,
}

impl Used {
    pub(crate) fn times(self, count: i64) -> Self {
        Self { cost: self.cost * i128::from(count), microseconds: self.microseconds * i128::from(count) }
    }

    /// What an hour of an app that came to this costs.
    pub(crate) fn charge(self) -> Money {
        charge_of(u128::try_from(self.cost).expect("is not negative"))
    }
}

impl std::ops::AddAssign for Used {
    fn add_assign(&mut self, other: Self) {
        self.cost += other.cost;
        self.microseconds += other.microseconds;
    }
}

impl std::ops::Sub for Used {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Self { cost: self.cost - other.cost, microseconds: self.microseconds - other.microseconds }
    }
}

fn signed(number: u128) -> i128 {
    i128::try_from(number).expect("fits")
}

/// An app.
pub(crate) struct Model {
    pub(crate) id: AppId,
    /// Whose it is, of the two.
    pub(crate) owner: usize,
    pub(crate) processes: Option<&'static [&'static str]>,
    pub(crate) running: bool,
    /// Suspended while it ran.
    pub(crate) held: bool,
    pub(crate) asked: Terms,
    pub(crate) applied: Option<Terms>,
    pub(crate) applying: Option<Terms>,
}

impl Model {
    /// What it uses in a microsecond: each process type as the dearest it may run as, of equals what is asked for.
    pub(crate) fn rate(&self) -> Used {
        let Some(processes) = self.processes.filter(|_| self.running && !self.held) else { return Used::default() };
        let terms = [Some(self.asked), self.applied, self.applying];
        let mut rate = Used::default();
        for process in processes {
            let uses = |terms: &Terms| (terms.price * terms.replicas(process), terms.replicas(process));
            // The last of the largest is the first in reverse.
            let dearest = terms.iter().flatten().map(uses).rev().max_by_key(|(cost, _)| *cost);
            let (cost, replicas) = dearest.unwrap_or_default();
            rate += Used { cost: signed(cost), microseconds: signed(replicas) };
        }
        rate
    }

    pub(crate) fn begin_rollout(&mut self) {
        self.applying = Some(self.asked);
    }

    pub(crate) fn complete_rollout(&mut self) {
        self.applied = self.applying.take().or(self.applied);
    }

    pub(crate) fn take_back(&mut self) {
        let is_asked_for = self.applying.take().is_none_or(|failed| failed == self.asked);
        if !is_asked_for || !self.running || self.held {
            return;
        }
        match self.applied {
            Some(applied) => self.asked = applied,
            None => self.running = false,
        }
    }

    pub(crate) fn stop(&mut self) {
        (self.running, self.held) = (false, false);
        (self.applied, self.applying) = (None, None);
    }
}

/// What an hour of an app is charged that came to so many millionths times microseconds: rounded half up.
pub(crate) fn charge_of(exact: u128) -> Money {
    let divisor = u128::try_from(HOUR).expect("is positive");
    let (whole, rest) = (exact / divisor, exact % divisor);
    let rounded = if rest * 2 >= divisor { whole + 1 } else { whole };
    Money::from_millionths(i64::try_from(rounded).expect("fits"))
}

/// What a row of sums is told to hold: cost, charges, replicas times microseconds.
type Sums = (Money, Money, Decimal);

/// Compares every charge, the balance, and all sums of usage of an organisation with what was used in each hour, and
/// whether it was charged.
pub(crate) async fn compare(
    world: &World,
    organization: OrganizationId,
    expected: &BTreeMap<(AppId, i64), (Used, bool)>,
    paid: Money,
) {
    let pool = world.database.pool();
    let charges: Vec<(AppId, DateTime<Utc>, Money)> = sqlx::query_as(
        "SELECT application_id, hour, -amount FROM wallet_ledger WHERE kind = 'charge' AND organization_id = $1",
    )
    .bind(organization)
    .fetch_all(pool)
    .await
    .expect("lists");
    let found: BTreeMap<(AppId, i64), Money> = charges
        .into_iter()
        .map(|(app, hour, amount)| ((app, hour.timestamp_micros().div_euclid(HOUR)), amount))
        .collect();
    let charged: BTreeMap<(AppId, i64), Money> = expected
        .iter()
        .filter(|(_, (_, is_charged))| *is_charged)
        .map(|(key, (used, _))| (*key, used.charge()))
        .filter(|(_, amount)| *amount > Money::ZERO)
        .collect();
    assert_eq!(found, charged);
    assert_eq!(world.balance(organization).await, paid - charged.values().copied().sum::<Money>());
    let mut total = Sums::default();
    let mut days: BTreeMap<NaiveDate, Sums> = BTreeMap::new();
    for ((_, hour), (used, is_charged)) in expected {
        let day = DateTime::from_timestamp_micros(hour * HOUR).expect("is a time").date_naive();
        for sums in [&mut total, days.entry(day).or_default()] {
            sums.0 += used.charge();
            sums.1 += if *is_charged { used.charge() } else { Money::ZERO };
            sums.2 += Decimal::from(used.microseconds);
        }
    }
    let hours = "SELECT coalesce(sum(cost), 0), coalesce(sum(cost) FILTER (WHERE charged), 0),
                     coalesce(sum(replica_microseconds), 0)::numeric FROM paas_resource_usage WHERE organization_id = $1";
    let months = "SELECT coalesce(sum(cost), 0), coalesce(sum(charged), 0), coalesce(sum(replica_microseconds), 0)
                  FROM paas_usage_months WHERE organization_id = $1";
    for sums in [hours, months] {
        let found: Sums = sqlx::query_as(sums).bind(organization).fetch_one(pool).await.expect("adds up");
        assert_eq!(found, total, "{sums}");
    }
    let found: Vec<(NaiveDate, Money, Money, Decimal)> = sqlx::query_as(
        "SELECT day, sum(cost), sum(charged), sum(replica_microseconds) FROM paas_usage_days
         WHERE organization_id = $1 GROUP BY day",
    )
    .bind(organization)
    .fetch_all(pool)
    .await
    .expect("adds up");
    let found: BTreeMap<NaiveDate, Sums> =
        found.into_iter().map(|(day, cost, charged, microseconds)| (day, (cost, charged, microseconds))).collect();
    assert_eq!(found, days);
}

/// A second store, as another process would have.
pub(crate) async fn other_store(world: &World) -> Store {
    world.database.another_store().await.with_clock(world.clock.clone())
}

/// Three plans of ten replicas with prices that do not divide evenly.
pub(crate) async fn plans(world: &World, number: u32) -> [(PlanId, u128); 3] {
    let mut plans = [6_900u128, 34_701, 999_999_999].map(|price| (PlanId::new(), price));
    for (index, (id, price)) in plans.iter_mut().enumerate() {
        sqlx::query(
            "INSERT INTO paas_plans (id, name, cpu_cores, ram_mb, disk_gb, max_replicas, price_per_hour, position)
             VALUES ($1, $2, 1, 512, 1, 10, $3, 9)",
        )
        .bind(*id)
        .bind(format!("plan {number}.{index}"))
        .bind(Money::from_millionths(i64::try_from(*price).expect("fits")).0)
        .execute(world.database.pool())
        .await
        .expect("makes a plan");
    }
    plans
}
