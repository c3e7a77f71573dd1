//! What the test of random histories itself knows of an app: nothing in it comes from the code under test.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use skypanel_core::model::{AppId, Money, OrganizationId, PlanId};
use skypanel_core::secrets::Secrets;
use skypanel_core::store::Store;
use sqlx::ConnectOptions as _;

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
    /// Millionths an hour: each process type as the dearest it may run as.
    pub(crate) fn cost(&self) -> u128 {
        let Some(processes) = self.processes.filter(|_| self.running && !self.held) else { return 0 };
        let terms = [Some(self.asked), self.applied, self.applying];
        let dearest = |process: &str| terms.iter().flatten().map(|terms| terms.price * terms.replicas(process)).max();
        processes.iter().filter_map(|process| dearest(process)).sum()
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

/// Compares every charge, the balance, and all sums of usage of an organisation.
pub(crate) async fn compare(
    world: &World,
    organization: OrganizationId,
    expected: &BTreeMap<(AppId, i64), Money>,
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
    assert_eq!(&found, expected);
    let total: Money = expected.values().copied().sum();
    assert_eq!(world.balance(organization).await, paid - total);
    for sum in [
        "SELECT coalesce(sum(cost), 0) FROM paas_resource_usage WHERE organization_id = $1",
        "SELECT coalesce(sum(cost), 0) FROM paas_usage_months WHERE organization_id = $1",
        "SELECT coalesce(sum(charged), 0) FROM paas_usage_months WHERE organization_id = $1",
    ] {
        let (sum_found,): (Money,) = sqlx::query_as(sum).bind(organization).fetch_one(pool).await.expect("adds up");
        assert_eq!(sum_found, total, "{sum}");
    }
}

/// A second store, as another process would have.
pub(crate) async fn other_store(world: &World) -> Store {
    let url = world.database.pool().connect_options().to_url_lossy();
    let directory = tempfile::tempdir().expect("makes a directory");
    let keys = Secrets::open_or_create(&directory.path().join("master.key")).expect("makes a key");
    Store::connect(url.as_str(), keys).await.expect("connects").with_clock(world.clock.clone())
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
