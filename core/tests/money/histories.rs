//! Random histories of apps, of clocks and of settlements that overlap or die half-way: the ledger equals an
//! independent integral, to the last digit.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use skypanel_core::model::{AppId, AppStatus, Money, Organization, PlanId};
use skypanel_core::secrets::Secrets;
use skypanel_core::store::Store;
use sqlx::ConnectOptions as _;

use crate::world::{World, at, formation, money};

/// Most apps at a time in a history.
const APPS: usize = 3;

/// Hours before which the edges of daylight saving lie, or of a year; the database thinks in the time of Berlin.
const BEGINNINGS: [&str; 5] = [
    "2026-03-28T23:58:00Z",
    "2026-10-24T23:58:00Z",
    "2026-11-01T04:59:59.999999Z",
    "2026-12-31T21:30:00Z",
    "2028-02-28T22:00:00.000001Z",
];

#[derive(Clone, Debug)]
enum Step {
    /// Time goes by, in microseconds.
    Pass(i64),
    /// Time goes by up to so many microseconds around the next full hour.
    PassToHour(i64),
    Release(usize, &'static [&'static str]),
    Stop(usize),
    Start(usize),
    Scale(usize, u32, u32),
    ChangePlan(usize, usize),
    EditPlan(usize, u32),
    Delete(usize),
    /// A change that never commits.
    Crash(usize),
    Settle,
    /// Two workers at once, and an app that is scaled meanwhile to what it is scaled to.
    SettleTwice(usize),
    /// A worker that dies after so many microseconds.
    SettleAndDie(u64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let app = 0..APPS;
    let pass = prop_oneof![
        Just(1),
        Just(999_999),
        1i64..60_000_000,
        1i64..7_200_000_000,
        Just(3_600_000_000),
        Just(93_600_000_000),
    ];
    let step = prop_oneof![
        4 => pass.prop_map(Step::Pass),
        4 => prop_oneof![Just(-1i64), Just(0), Just(1), -500_000i64..500_000].prop_map(Step::PassToHour),
        3 => (app.clone(), prop_oneof![Just(&["web"][..]), Just(&["web", "worker"][..]), Just(&["worker"][..])])
            .prop_map(|(app, processes)| Step::Release(app, processes)),
        2 => app.clone().prop_map(Step::Stop),
        2 => app.clone().prop_map(Step::Start),
        3 => (app.clone(), 0..4u32, 0..4u32).prop_map(|(app, web, worker)| Step::Scale(app, web, worker)),
        2 => (app.clone(), 0..3usize).prop_map(|(app, plan)| Step::ChangePlan(app, plan)),
        1 => (0..3usize, 0..2_000_000u32).prop_map(|(plan, price)| Step::EditPlan(plan, price)),
        1 => app.clone().prop_map(Step::Delete),
        1 => app.clone().prop_map(Step::Crash),
        2 => Just(Step::Settle),
        2 => app.prop_map(Step::SettleTwice),
        2 => (0u64..30_000).prop_map(Step::SettleAndDie),
    ];
    proptest::collection::vec(step, 10..60)
}

/// What the test itself knows of an app.
struct Model {
    id: AppId,
    processes: Option<&'static [&'static str]>,
    running: bool,
    web: u32,
    worker: u32,
    /// Millionths an hour.
    price: u128,
}

impl Model {
    fn replicas(&self) -> u128 {
        let Some(processes) = self.processes.filter(|_| self.running) else { return 0 };
        let count = |name, replicas: u32| if processes.contains(&name) { u128::from(replicas) } else { 0 };
        count("web", self.web) + count("worker", self.worker)
    }
}

struct History<'a> {
    world: &'a World,
    stores: [Store; 2],
    organization: Organization,
    plans: [(PlanId, u128); 3],
    apps: Vec<Option<Model>>,
    /// Millionths times microseconds, by app and number of the hour.
    integral: BTreeMap<(AppId, i64), u128>,
}

pub(crate) const HOUR: i64 = 3_600_000_000;

/// What an hour of an app is charged that came to so many millionths times microseconds: rounded half up.
pub(crate) fn charge_of(exact: u128) -> Money {
    let divisor = u128::try_from(HOUR).expect("is positive");
    let (whole, rest) = (exact / divisor, exact % divisor);
    let rounded = if rest * 2 >= divisor { whole + 1 } else { whole };
    Money::from_millionths(i64::try_from(rounded).expect("fits"))
}

impl History<'_> {
    fn now(&self) -> i64 {
        self.world.clock.now().timestamp_micros()
    }

    /// Lets time go by and adds up what runs, hour by hour.
    fn pass(&mut self, microseconds: i64) {
        let mut from = self.now();
        let to = from + microseconds;
        while from < to {
            let end = to.min((from.div_euclid(HOUR) + 1) * HOUR);
            for app in self.apps.iter().flatten() {
                let used = app.price * app.replicas() * u128::try_from(end - from).expect("is positive");
                *self.integral.entry((app.id, from.div_euclid(HOUR))).or_default() += used;
            }
            from = end;
        }
        self.world.clock.set(DateTime::from_timestamp_micros(to).expect("is a time"));
    }

    async fn step(&mut self, number: usize, step: &Step) {
        static NAMES: AtomicU32 = AtomicU32::new(0);
        let store = self.stores[number % 2].clone();
        if let Step::Release(index, _) = step
            && self.apps[*index].is_none()
        {
            let name = format!("app-{}", NAMES.fetch_add(1, Ordering::Relaxed));
            let app = self.world.app(&self.organization, &name).await;
            store.change_plan(app.id, self.plans[0].0).await.expect("changes");
            let price = self.plans[0].1;
            self.apps[*index] = Some(Model { id: app.id, processes: None, running: false, web: 1, worker: 0, price });
        }
        match step {
            Step::Pass(microseconds) => return self.pass(*microseconds),
            Step::PassToHour(around) => {
                let now = self.now();
                let edge = (now.div_euclid(HOUR) + 1) * HOUR + around;
                return self.pass((edge - now).max(0));
            }
            Step::EditPlan(plan, price) => {
                sqlx::query("UPDATE paas_plans SET price_per_hour = $2 WHERE id = $1")
                    .bind(self.plans[*plan].0)
                    .bind(Money::from_millionths(i64::from(*price)).0)
                    .execute(store.pool())
                    .await
                    .expect("edits");
                self.plans[*plan].1 = u128::from(*price);
                return;
            }
            Step::Settle => {
                store.settle_usage().await.expect("settles");
                return;
            }
            Step::SettleAndDie(after) => {
                let _ = tokio::time::timeout(Duration::from_micros(*after), store.settle_usage()).await;
                return;
            }
            _ => {}
        }
        let (Step::Release(index, _)
        | Step::Stop(index)
        | Step::Start(index)
        | Step::Scale(index, ..)
        | Step::ChangePlan(index, _)
        | Step::Delete(index)
        | Step::Crash(index)
        | Step::SettleTwice(index)) = step
        else {
            return;
        };
        let Some(app) = &mut self.apps[*index] else { return };
        match step {
            Step::Release(_, processes) => {
                self.world.release(app.id, processes).await.expect("releases");
                // A stopped app that has a release is not started by a new one.
                app.running |= app.processes.is_none();
                app.processes = Some(processes);
            }
            Step::Stop(_) => {
                store.set_app_status(app.id, AppStatus::Stopped).await.expect("stops");
                app.running = false;
            }
            Step::Start(_) if app.processes.is_some() => {
                store.set_app_status(app.id, AppStatus::Running).await.expect("starts");
                app.running = true;
            }
            Step::Scale(_, web, worker) => {
                self.world.scale(app.id, &format!("web={web} worker={worker}")).await;
                (app.web, app.worker) = (*web, *worker);
            }
            Step::ChangePlan(_, plan) => {
                store.change_plan(app.id, self.plans[*plan].0).await.expect("changes");
                app.price = self.plans[*plan].1;
            }
            Step::Delete(_) => {
                store.delete_app(app.id).await.expect("deletes");
                self.apps[*index] = None;
            }
            Step::Crash(_) => {
                let mut transaction = store.pool().begin().await.expect("begins");
                for half in [
                    "UPDATE paas_applications SET status = 'stopped' WHERE id = $1",
                    "UPDATE paas_metering SET ended_at = settled_until WHERE application_id = $1 AND ended_at IS NULL",
                ] {
                    sqlx::query(half).bind(app.id).execute(&mut *transaction).await.expect("changes");
                }
                drop(transaction);
            }
            Step::SettleTwice(_) => {
                let same = format!("web={} worker={}", app.web, app.worker);
                let shown = store.app(app.id).await.expect("is there");
                let wish = formation(&same);
                let (first, second, third) = tokio::join!(
                    self.stores[0].settle_usage(),
                    self.stores[1].settle_usage(),
                    store.scale(&shown, &wish)
                );
                first.expect("settles");
                second.expect("settles");
                third.expect("scales");
            }
            _ => {}
        }
    }

    /// Settles all that is left and compares every charge, the balance, and all sums of usage.
    async fn check(mut self, top_up: Money) {
        self.pass(HOUR);
        self.stores[0].settle_usage().await.expect("settles");
        let end = self.now().div_euclid(HOUR);
        let expected: BTreeMap<(AppId, i64), Money> = self
            .integral
            .iter()
            .filter(|((_, hour), _)| *hour < end)
            .map(|(key, exact)| (*key, charge_of(*exact)))
            .filter(|(_, amount)| *amount > Money::ZERO)
            .collect();
        let pool = self.world.database.pool();
        let charges: Vec<(AppId, DateTime<Utc>, Money)> = sqlx::query_as(
            "SELECT application_id, hour, -amount FROM wallet_ledger WHERE kind = 'charge' AND organization_id = $1",
        )
        .bind(self.organization.id)
        .fetch_all(pool)
        .await
        .expect("lists");
        let found: BTreeMap<(AppId, i64), Money> = charges
            .into_iter()
            .map(|(app, hour, amount)| ((app, hour.timestamp_micros().div_euclid(HOUR)), amount))
            .collect();
        assert_eq!(found, expected);
        let total: Money = expected.values().copied().sum();
        assert_eq!(self.world.balance(self.organization.id).await, top_up - total);
        for sum in [
            "SELECT coalesce(sum(cost), 0) FROM paas_resource_usage WHERE organization_id = $1",
            "SELECT coalesce(sum(cost), 0) FROM paas_usage_days WHERE organization_id = $1",
            "SELECT coalesce(sum(charged), 0) FROM paas_usage_days WHERE organization_id = $1",
            "SELECT coalesce(sum(cost), 0) FROM paas_usage_months WHERE organization_id = $1",
            "SELECT coalesce(sum(charged), 0) FROM paas_usage_months WHERE organization_id = $1",
        ] {
            let (sum_found,): (Money,) =
                sqlx::query_as(sum).bind(self.organization.id).fetch_one(pool).await.expect("adds up");
            assert_eq!(sum_found, total, "{sum}");
        }
    }
}

#[test]
fn the_ledger_equals_an_independent_integral_to_the_last_digit() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("starts");
    let world = runtime.block_on(async {
        let world = World::billing(BEGINNINGS[0]).await;
        // Connections from now on see local times with daylight saving.
        let (name,): (String,) =
            sqlx::query_as("SELECT current_database()::text").fetch_one(world.database.pool()).await.expect("answers");
        let alter = format!("ALTER DATABASE {name} SET timezone TO 'Europe/Berlin'");
        sqlx::query(sqlx::AssertSqlSafe(alter)).execute(world.database.pool()).await.expect("alters");
        world
    });
    let local = runtime.block_on(other_store(&world));
    let numbers = AtomicU32::new(0);
    let config = Config { cases: 24, failure_persistence: None, max_shrink_iters: 100, ..Config::default() };
    let mut runner = TestRunner::new(config);
    let outcome = runner.run(&(0..BEGINNINGS.len(), steps()), |(beginning, steps)| {
        runtime.block_on(async {
            let number = numbers.fetch_add(1, Ordering::Relaxed);
            world.clock.set(at(BEGINNINGS[beginning]) + TimeDelta::microseconds(i64::from(number)));
            let organization = world.organization(&format!("org-{number}"), "90000000").await;
            let mut history = History {
                world: &world,
                stores: [world.store.clone(), local.clone()],
                organization,
                plans: plans(&world, number).await,
                apps: (0..APPS).map(|_| None).collect(),
                integral: BTreeMap::new(),
            };
            for (number, step) in steps.iter().enumerate() {
                history.step(number, step).await;
            }
            // What still runs must not go on into the next history.
            for app in history.apps.iter_mut().flatten() {
                world.store.set_app_status(app.id, AppStatus::Stopped).await.expect("stops");
                app.running = false;
            }
            history.check(money("90000000")).await;
        });
        Ok(())
    });
    if let Err(error) = outcome {
        panic!("{error}");
    }
    runtime.block_on(async {
        local.pool().close().await;
        drop(local);
        world.close().await;
    });
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
