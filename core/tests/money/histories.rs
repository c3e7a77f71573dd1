//! Random histories of apps, of clocks, of wallets that run out and of settlements that overlap or die half-way: the
//! ledger equals an independent integral, to the last digit.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use proptest::test_runner::{Config, TestRunner};
use skypanel_core::actions::Actor;
use skypanel_core::model::{AppId, AppStatus, LedgerKind, Money, Organization, OrganizationRef, PlanId};
use skypanel_core::store::Store;

use crate::history_model::{HOUR, Model, Terms, Used, compare, other_store, plans};
use crate::history_steps::{APPS, Step, steps};
use crate::world::{World, at, formation, money};

/// Hours before which the edges of daylight saving lie, or of a year; the database thinks in the time of Berlin.
const BEGINNINGS: [&str; 5] = [
    "2026-03-28T23:58:00Z",
    "2026-10-24T23:58:00Z",
    "2026-11-01T04:59:59.999999Z",
    "2026-12-31T21:30:00Z",
    "2028-02-28T22:00:00.000001Z",
];

struct History<'a> {
    world: &'a World,
    stores: [Store; 2],
    organizations: [Organization; 2],
    /// Whether the first one is suspended.
    suspended: bool,
    /// What came into the wallets but for charges.
    paid: [Money; 2],
    /// When billing was on.
    billed: Vec<(i64, Option<i64>)>,
    plans: [(PlanId, u128); 3],
    apps: Vec<Option<Model>>,
    /// By organisation, app and number of the hour.
    integral: BTreeMap<(usize, AppId, i64), Used>,
}

impl History<'_> {
    fn now(&self) -> i64 {
        self.world.clock.now().timestamp_micros()
    }

    /// Lets time go by and adds up what runs, hour by hour.
    fn pass(&mut self, microseconds: i64) {
        let from = self.now();
        for app in self.apps.iter().flatten() {
            add_up(&mut self.integral, app, app.rate(), (from, from + microseconds));
        }
        self.set_clock(from + microseconds);
    }

    fn set_clock(&self, to: i64) {
        self.world.clock.set(DateTime::from_timestamp_micros(to).expect("is a time"));
    }

    fn is_charged(&self, hour: i64) -> bool {
        let covers =
            |(from, to): &(i64, Option<i64>)| *from <= hour * HOUR && to.is_none_or(|to| to >= (hour + 1) * HOUR);
        self.billed.iter().any(covers)
    }

    /// Whether nothing of an organisation may begin to run. What is settled is known to the ledger only.
    async fn is_blocked(&self, owner: usize) -> bool {
        let empty = self.world.store.ensure_funds(self.organizations[owner].id).await.is_err();
        empty || (owner == 0 && self.suspended)
    }

    /// Looks which apps are suspended. Where all hours that are over are settled it is known which have to be.
    async fn follow(&mut self, is_settled: bool) {
        let is_on = self.billed.last().is_some_and(|(_, to)| to.is_none());
        let hours = self.now().div_euclid(HOUR);
        let mut has_to = [self.suspended, false];
        for (owner, has_to) in has_to.iter_mut().enumerate() {
            let charged = self
                .integral
                .iter()
                .filter(|((of, _, hour), _)| *of == owner && *hour < hours && self.is_charged(*hour));
            let charged: Money = charged.map(|(_, used)| used.charge()).sum();
            *has_to |= is_on && self.paid[owner] - charged <= Money::ZERO;
        }
        for app in self.apps.iter_mut().flatten() {
            app.held = self.world.store.app(app.id).await.expect("is there").status == AppStatus::Suspended;
            assert!(!is_settled || app.held == (app.running && has_to[app.owner]), "{:?} {has_to:?}", app.id);
        }
    }

    async fn move_money(&mut self, kind: LedgerKind, amount: Money) {
        self.world.move_money(self.organizations[0].id, kind, &amount.0.to_string()).await;
        self.paid[0] += amount;
        self.follow(false).await;
    }

    async fn step(&mut self, number: usize, step: &Step) {
        static NAMES: AtomicU32 = AtomicU32::new(0);
        let store = self.stores[number % 2].clone();
        if let Step::Release(index, _) = step
            && self.apps[*index].is_none()
            && !self.is_blocked(0).await
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
                return self.move_money(LedgerKind::TopUp, amount).await;
            }
            Step::Leave(millionths) => {
                let balance = self.world.balance(self.organizations[0].id).await;
                let amount = Money::from_millionths(i64::from(*millionths)) - balance;
                if amount != Money::ZERO {
                    self.move_money(LedgerKind::Adjustment, amount).await;
                }
                return;
            }
            Step::Bill(on) => return self.bill(*on).await,
            Step::Settle => {
                store.settle_usage().await.expect("settles");
                return self.follow(true).await;
            }
            Step::SettleAndDie(after) => {
                let _ = tokio::time::timeout(Duration::from_micros(*after), store.settle_usage()).await;
                return self.follow(false).await;
            }
            _ => {}
        }
        let (Step::Release(index, _)
        | Step::Stop(index)
        | Step::Start(index)
        | Step::Scale(index, ..)
        | Step::ScaleBehind(index, ..)
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
        let blocked = [self.is_blocked(0).await, self.is_blocked(1).await];
        let now = self.now();
        let Some(app) = &mut self.apps[*index] else { return };
        match step {
            // Nothing of a suspended organisation begins to run, nor comes to one.
            Step::Release(..) | Step::Start(_) | Step::Move(_) if app.held || blocked[app.owner] => {}
            Step::Move(_) if blocked[1 - app.owner] => {}
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
            Step::ScaleBehind(_, behind, web, worker) => {
                let end = "SELECT max(greatest(started_at, ended_at, settled_until)) FROM paas_metering WHERE application_id = $1";
                let end: Option<DateTime<Utc>> =
                    sqlx::query_scalar(end).bind(app.id).fetch_one(store.pool()).await.expect("looks");
                // Time never runs backwards in a history. What was added up since then was something else.
                let since = end.map_or(i64::MIN, |end| end.timestamp_micros()).max(now - behind);
                let before = app.rate();
                self.world.clock.set(DateTime::from_timestamp_micros(now - behind).expect("is a time"));
                self.world.scale(app.id, &format!("web={web} worker={worker}")).await;
                self.world.clock.set(DateTime::from_timestamp_micros(now).expect("is a time"));
                app.asked.scaled = Some((*web, *worker));
                add_up(&mut self.integral, app, app.rate() - before, (since, now));
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
                self.follow(true).await;
            }
            _ => {}
        }
    }

    async fn bill(&mut self, on: bool) {
        let now = self.now();
        let is_on = self.billed.last().is_some_and(|(_, to)| to.is_none());
        if on == is_on {
            return;
        }
        // As the setting does it, which goes by the database's clock.
        let switch = if on {
            "INSERT INTO paas_billing_periods (started_at) VALUES ($1)"
        } else {
            "UPDATE paas_billing_periods SET ended_at = $1 WHERE ended_at IS NULL"
        };
        let at = self.world.clock.now();
        sqlx::query(switch).bind(at).execute(self.world.store.pool()).await.expect("switches");
        match self.billed.last_mut() {
            Some((_, to)) if !on => *to = Some(now),
            _ => self.billed.push((now, None)),
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
        self.suspended = hold;
        self.follow(false).await;
        let held = |app: &Model| app.held || !app.running || app.owner != 0;
        assert!(!hold || self.apps.iter().flatten().all(held), "an admin holds all");
    }

    /// Settles all that is left and compares every charge, the balance, and all sums of usage.
    async fn check(mut self) {
        self.pass(HOUR);
        self.stores[0].settle_usage().await.expect("settles");
        let end = self.now().div_euclid(HOUR);
        for (owner, organization) in self.organizations.iter().enumerate() {
            let expected: BTreeMap<(AppId, i64), (Used, bool)> = self
                .integral
                .iter()
                .filter(|((of, _, hour), used)| *of == owner && *hour < end && used.microseconds > 0)
                .map(|((_, app, hour), used)| ((*app, *hour), (*used, self.is_charged(*hour))))
                .collect();
            compare(self.world, organization.id, &expected, self.paid[owner]).await;
        }
    }
}

/// Adds to the hours of an app what it uses at a rate between two times.
fn add_up(integral: &mut BTreeMap<(usize, AppId, i64), Used>, app: &Model, rate: Used, (mut from, to): (i64, i64)) {
    while from < to {
        let hour = from.div_euclid(HOUR);
        let end = to.min((hour + 1) * HOUR);
        *integral.entry((app.owner, app.id, hour)).or_default() += rate.times(end - from);
        from = end;
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
    let mut config = Config { failure_persistence: None, max_shrink_iters: 100, ..Config::default() };
    if std::env::var_os("PROPTEST_CASES").is_none() {
        config.cases = 24;
    }
    let mut runner = TestRunner::new(config);
    let outcome = runner.run(&(0..BEGINNINGS.len(), steps()), |(beginning, steps)| {
        runtime.block_on(async {
            let number = numbers.fetch_add(1, Ordering::Relaxed);
            world.clock.set(at(BEGINNINGS[beginning]) + TimeDelta::microseconds(i64::from(number)));
            for always in
                ["DELETE FROM paas_billing_periods", "INSERT INTO paas_billing_periods VALUES ('1970-01-01T00:00:00Z')"]
            {
                sqlx::query(always).execute(world.database.pool()).await.expect("bills");
            }
            let organizations = [
                world.organization(&format!("org-{number}"), "90000000").await,
                world.organization(&format!("other-{number}"), "90000000").await,
            ];
            let mut history = History {
                world: &world,
                stores: [world.store.clone(), local.clone()],
                organizations,
                suspended: false,
                paid: [money("90000000"); 2],
                billed: vec![(0, None)],
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
            history.check().await;
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
