//! Random histories of apps, of clocks and of settlements that overlap or die half-way: the ledger equals an
//! independent integral, to the last digit.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use chrono::{DateTime, TimeDelta};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use skypanel_core::actions::Actor;
use skypanel_core::model::{AppId, AppStatus, Money, Organization, OrganizationRef, PlanId};
use skypanel_core::store::Store;

use crate::history_model::{HOUR, Model, Terms, charge_of, compare, other_store, plans};
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
    /// Its rollout begins, is done, or fails for good.
    BeginRollout(usize),
    CompleteRollout(usize),
    TakeBack(usize),
    /// An admin holds all of the first organisation, or lets it go on.
    Suspend,
    Resume,
    TopUp(u32),
    /// To the other organisation.
    Move(usize),
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
        3 => app.clone().prop_map(Step::BeginRollout),
        2 => app.clone().prop_map(Step::CompleteRollout),
        2 => app.clone().prop_map(Step::TakeBack),
        1 => Just(Step::Suspend),
        2 => Just(Step::Resume),
        1 => (1..5_000_000u32).prop_map(Step::TopUp),
        1 => app.clone().prop_map(Step::Move),
        1 => app.clone().prop_map(Step::Crash),
        2 => Just(Step::Settle),
        2 => app.prop_map(Step::SettleTwice),
        2 => (0u64..30_000).prop_map(Step::SettleAndDie),
    ];
    proptest::collection::vec(step, 10..60)
}

struct History<'a> {
    world: &'a World,
    stores: [Store; 2],
    organizations: [Organization; 2],
    /// Whether the first one is suspended.
    suspended: bool,
    topped_up: Money,
    plans: [(PlanId, u128); 3],
    apps: Vec<Option<Model>>,
    /// Millionths times microseconds, by organisation, app and number of the hour.
    integral: BTreeMap<(usize, AppId, i64), u128>,
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
                let used = app.cost() * u128::try_from(end - from).expect("is positive");
                *self.integral.entry((app.owner, app.id, from.div_euclid(HOUR))).or_default() += used;
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
            && !self.suspended
        {
            let name = format!("app-{}", NAMES.fetch_add(1, Ordering::Relaxed));
            let app = self.world.app(&self.organizations[0], &name).await;
            store.change_plan(app.id, self.plans[0].0).await.expect("changes");
            let (plan, price) = self.plans[0];
            self.apps[*index] = Some(Model {
                id: app.id,
                owner: 0,
                processes: None,
                running: false,
                held: false,
                asked: Terms { plan, price, scaled: None },
                applied: None,
                applying: None,
            });
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
            Step::Suspend | Step::Resume => return self.hold(matches!(step, Step::Suspend)).await,
            Step::TopUp(millionths) => {
                let amount = Money::from_millionths(i64::from(*millionths));
                self.world.top_up(self.organizations[0].id, &amount.0.to_string()).await;
                self.topped_up += amount;
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
        | Step::BeginRollout(index)
        | Step::CompleteRollout(index)
        | Step::TakeBack(index)
        | Step::Move(index)
        | Step::Crash(index)
        | Step::SettleTwice(index)) = step
        else {
            return;
        };
        let suspended = self.suspended;
        let Some(app) = &mut self.apps[*index] else { return };
        match step {
            // Nothing of a suspended organisation begins to run.
            Step::Release(..) | Step::Start(_) | Step::Move(_) if suspended && app.owner == 0 => {}
            Step::Release(_, processes) => {
                self.world.release(app.id, processes).await.expect("releases");
                // A stopped app that has a release is not started by a new one.
                app.running |= app.processes.is_none();
                app.processes = Some(processes);
                app.complete_rollout();
            }
            Step::Stop(_) => {
                store.set_app_status(app.id, AppStatus::Stopped).await.expect("stops");
                store.end_rollouts(app.id).await.expect("ends");
                app.stop();
            }
            Step::BeginRollout(_) if app.processes.is_some() => {
                store.begin_rollout(app.id).await.expect("begins");
                app.begin_rollout();
            }
            Step::CompleteRollout(_) => {
                store.complete_rollout(app.id).await.expect("completes");
                app.complete_rollout();
            }
            Step::TakeBack(_) if app.processes.is_some() => {
                store.take_back_rollout(app.id).await.expect("takes back");
                app.take_back();
            }
            Step::Move(_) => {
                sqlx::query("UPDATE paas_applications SET organization_id = $2 WHERE id = $1")
                    .bind(app.id)
                    .bind(self.organizations[1 - app.owner].id)
                    .execute(store.pool())
                    .await
                    .expect("moves");
                // Any change writes the history.
                let status = store.app(app.id).await.expect("is there").status;
                store.set_app_status(app.id, status).await.expect("records");
                app.owner = 1 - app.owner;
            }
            Step::Start(_) if app.processes.is_some() => {
                store.set_app_status(app.id, AppStatus::Running).await.expect("starts");
                app.running = true;
            }
            Step::Scale(_, web, worker) => {
                self.world.scale(app.id, &format!("web={web} worker={worker}")).await;
                app.asked.scaled = Some((*web, *worker));
            }
            Step::ChangePlan(_, plan) => {
                store.change_plan(app.id, self.plans[*plan].0).await.expect("changes");
                (app.asked.plan, app.asked.price) = self.plans[*plan];
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
                let (web, worker) = app.asked.scaled.unwrap_or((1, 0));
                app.asked.scaled = Some((web, worker));
                let shown = store.app(app.id).await.expect("is there");
                let wish = formation(&format!("web={web} worker={worker}"));
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

    async fn hold(&mut self, hold: bool) {
        let (system, named) = (Actor::system(), OrganizationRef::Id(self.organizations[0].id));
        let actions = &self.world.actions;
        let done = if hold {
            actions.suspend_organization(&system, &named, None).await
        } else {
            actions.resume_organization(&system, &named).await
        };
        done.expect("does it");
        for app in self.apps.iter_mut().flatten().filter(|app| app.owner == 0 && app.running) {
            app.held = hold;
        }
        self.suspended = hold;
    }

    /// Settles all that is left and compares every charge, the balance, and all sums of usage.
    async fn check(mut self, top_up: Money) {
        self.pass(HOUR);
        self.stores[0].settle_usage().await.expect("settles");
        let end = self.now().div_euclid(HOUR);
        let tops = [top_up + self.topped_up, top_up];
        for (owner, organization) in self.organizations.iter().enumerate() {
            let expected: BTreeMap<(AppId, i64), Money> = self
                .integral
                .iter()
                .filter(|((of, _, hour), _)| *of == owner && *hour < end)
                .map(|((_, app, hour), exact)| ((*app, *hour), charge_of(*exact)))
                .filter(|(_, amount)| *amount > Money::ZERO)
                .collect();
            compare(self.world, organization.id, &expected, tops[owner]).await;
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
            let organizations = [
                world.organization(&format!("org-{number}"), "90000000").await,
                world.organization(&format!("other-{number}"), "90000000").await,
            ];
            let mut history = History {
                world: &world,
                stores: [world.store.clone(), local.clone()],
                organizations,
                suspended: false,
                topped_up: Money::ZERO,
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
                app.stop();
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
