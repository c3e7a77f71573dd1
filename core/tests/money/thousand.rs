//! A billing run over 1,000 apps with histories: several workers settle at once, while apps change, and every hour of
//! every app is charged once, to the last digit of an independent integral.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use futures_util::future::join_all;
use skypanel_core::model::{
    AppId, AppStatus, LedgerKind, Money, Organization, OrganizationId, PlanId, SuspensionReason,
};
use skypanel_core::store::{Settled, Store};

use crate::history_model::{HOUR, charge_of, other_store, plans};
use crate::world::{World, at, formation, money};

const APPS: u32 = 1_000;
const ORGANIZATIONS: u32 = 20;
/// What each organisation pays in.
const PAID: &str = "90000000";
const WORKERS: usize = 4;
/// Times at which apps change, over six hours.
const TURNS: u32 = 6;
/// Longest a settlement of one to three hours of all apps may take. It takes a second on an idle machine; the tests
/// of others run beside it, and nothing is optimised.
const TIME_LIMIT: Duration = Duration::from_secs(30);

/// What the test itself knows of an app.
struct Model {
    id: AppId,
    organization: OrganizationId,
    running: bool,
    web: u32,
    worker: u32,
    /// Millionths an hour.
    price: u128,
}

/// What happens to an app at a turn.
enum Change {
    Stop,
    Start,
    Scale { web: u32, worker: u32 },
    Plan(usize),
}

/// Four of five apps change at a turn, each in its own way and the same in every run.
fn change(number: u32, turn: u32) -> Option<Change> {
    let mut mixed = (u64::from(number) << 32 | u64::from(turn)).wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^= mixed >> 31;
    let of = |shift: u32, most: u64| u32::try_from((mixed >> shift) % most).expect("is small");
    Some(match of(0, 10) {
        0 | 1 => return None,
        2 => Change::Stop,
        3 | 4 => Change::Start,
        5..=7 => Change::Scale { web: of(8, 4), worker: of(16, 4) },
        _ => Change::Plan(of(24, 3) as usize),
    })
}

struct Run {
    world: World,
    workers: Vec<Store>,
    plans: [(PlanId, u128); 3],
    apps: Vec<Model>,
    /// Millionths times microseconds, by app and number of the hour.
    integral: BTreeMap<(AppId, i64), u128>,
    settled: Settled,
    organizations: Vec<Organization>,
    /// What was taken from the wallet of the last organisation.
    taken: Money,
}

impl Run {
    async fn begin() -> Self {
        let world = World::billing("2026-10-24T22:17:03.141592Z").await;
        let plans = plans(&world, 0).await;
        let mut organizations = Vec::new();
        for number in 0..ORGANIZATIONS {
            organizations.push(world.organization(&format!("org-{number}"), PAID).await);
        }
        let mut apps = Vec::new();
        for number in 0..APPS {
            let organization = &organizations[usize::try_from(number % ORGANIZATIONS).expect("is small")];
            apps.push(Model {
                id: AppId::new(),
                organization: organization.id,
                running: false,
                web: 1,
                worker: 0,
                price: plans[0].1,
            });
        }
        released(&world, &apps, plans[0].0).await;
        let mut workers = Vec::new();
        for _ in 0..WORKERS {
            workers.push(other_store(&world).await);
        }
        let (integral, settled) = (BTreeMap::new(), Settled::default());
        Self { world, workers, plans, apps, integral, settled, organizations, taken: Money::ZERO }
    }

    /// Lets time go by up to `to` and adds up what runs, hour by hour.
    fn pass_to(&mut self, to: DateTime<Utc>) {
        let (mut from, to) = (self.world.clock.now().timestamp_micros(), to.timestamp_micros());
        while from < to {
            let end = to.min((from.div_euclid(HOUR) + 1) * HOUR);
            let length = u128::try_from(end - from).expect("is positive");
            for app in self.apps.iter().filter(|app| app.running) {
                let used = app.price * u128::from(app.web + app.worker) * length;
                *self.integral.entry((app.id, from.div_euclid(HOUR))).or_default() += used;
            }
            from = end;
        }
        self.world.clock.set(DateTime::from_timestamp_micros(to).expect("is a time"));
    }

    /// Changes apps while all workers settle.
    async fn turn(&mut self, turn: u32) {
        let settling = settle_at_once(&self.workers);
        let changing = async {
            // A few at a time, as requests come.
            let mut apps: Vec<(u32, &mut Model)> = (0..).zip(&mut self.apps).collect();
            for some in apps.chunks_mut(8) {
                let changes = some.iter_mut().map(|(number, app)| {
                    let change = if turn == 0 { Some(Change::Start) } else { change(*number, turn) };
                    apply(&self.world.store, &self.plans, app, change)
                });
                join_all(changes).await;
            }
        };
        let (settled, ()) = tokio::join!(settling, changing);
        self.note(settled);
    }

    /// Leaves the last organisation with less than it owes.
    async fn impoverish(&mut self) {
        let poor = self.organizations.last().expect("is one").id;
        self.taken = self.world.balance(poor).await - money("0.01");
        self.world.move_money(poor, LedgerKind::Adjustment, &format!("-{}", self.taken.0)).await;
    }

    async fn settle(&mut self) {
        let settled = settle_at_once(&self.workers).await;
        self.note(settled);
    }

    fn note(&mut self, all: Vec<Settled>) {
        for settled in all {
            self.settled.app_hours += settled.app_hours;
            self.settled.charged += settled.charged;
            self.settled.suspended.extend(settled.suspended);
        }
    }

    async fn check(&self) {
        let expected: BTreeMap<(AppId, i64), Money> = self
            .integral
            .iter()
            .map(|(key, exact)| (*key, charge_of(*exact)))
            .filter(|(_, amount)| *amount > Money::ZERO)
            .collect();
        let pool = self.world.database.pool();
        let charges: Vec<(AppId, DateTime<Utc>, Money)> =
            sqlx::query_as("SELECT application_id, hour, -amount FROM wallet_ledger WHERE kind = 'charge'")
                .fetch_all(pool)
                .await
                .expect("lists");
        assert_eq!(charges.len(), expected.len(), "every hour of every app is charged once");
        let found: BTreeMap<(AppId, i64), Money> = charges
            .into_iter()
            .map(|(app, hour, amount)| ((app, hour.timestamp_micros().div_euclid(HOUR)), amount))
            .collect();
        assert!(found == expected, "the ledger differs from the integral");
        let total: Money = expected.values().copied().sum();
        assert_eq!((self.settled.app_hours, self.settled.charged), (expected.len(), total), "what the workers tell");
        for sums in ["paas_resource_usage", "paas_usage_days", "paas_usage_months"] {
            let sql = format!("SELECT sum(cost) FROM {sums}");
            let (sum,): (Money,) = sqlx::query_as(sqlx::AssertSqlSafe(sql)).fetch_one(pool).await.expect("adds up");
            assert_eq!(sum, total, "{sums}");
        }
        let poor = self.organizations.last().expect("is one");
        for organization in &self.organizations {
            let own: Vec<AppId> =
                self.apps.iter().filter(|app| app.organization == organization.id).map(|app| app.id).collect();
            let used: Money =
                expected.iter().filter(|((app, _), _)| own.contains(app)).map(|(_, amount)| *amount).sum();
            let taken = if organization.id == poor.id { self.taken } else { Money::ZERO };
            let left = money(PAID) - used - taken;
            assert_eq!(self.world.balance(organization.id).await, left, "{}", organization.name);
        }
    }
}

/// All workers at the same moment.
async fn settle_at_once(workers: &[Store]) -> Vec<Settled> {
    let settling = workers.iter().cloned().map(|worker| tokio::spawn(async move { worker.settle_usage().await }));
    let ended = tokio::time::timeout(TIME_LIMIT, join_all(settling)).await.expect("settles in time");
    ended.into_iter().map(|settled| settled.expect("does not panic").expect("settles")).collect()
}

async fn apply(store: &Store, plans: &[(PlanId, u128); 3], app: &mut Model, change: Option<Change>) {
    match change {
        None => {}
        Some(Change::Stop) => {
            store.set_app_status(app.id, AppStatus::Stopped).await.expect("stops");
            app.running = false;
        }
        Some(Change::Start) => {
            store.set_app_status(app.id, AppStatus::Running).await.expect("starts");
            app.running = true;
        }
        Some(Change::Scale { web, worker }) => {
            let shown = store.app(app.id).await.expect("is there");
            store.scale(&shown, &formation(&format!("web={web} worker={worker}"))).await.expect("scales");
            (app.web, app.worker) = (web, worker);
        }
        Some(Change::Plan(plan)) => {
            store.change_plan(app.id, plans[plan].0).await.expect("changes");
            app.price = plans[plan].1;
        }
    }
}

/// Makes the apps, stopped, each with a release that has a `web` and a `worker`.
async fn released(world: &World, apps: &[Model], plan: PlanId) {
    let (ids, organizations): (Vec<_>, Vec<_>) = apps.iter().map(|app| (app.id.0, app.organization.0)).unzip();
    let pool = world.database.pool();
    sqlx::query(
        "INSERT INTO paas_applications (id, organization_id, name, slug, subdomain, plan_id, status, created_at)
         SELECT id, organization, name, name, name, $3, 'stopped', $4 FROM (
             SELECT id, organization, 'app-' || place AS name
             FROM unnest($1::uuid[], $2::uuid[]) WITH ORDINALITY AS apps (id, organization, place)) AS named",
    )
    .bind(&ids)
    .bind(organizations)
    .bind(plan)
    .bind(world.clock.now())
    .execute(pool)
    .await
    .expect("makes apps");
    sqlx::query(
        r#"INSERT INTO paas_deployments (id, application_id, version, status, trigger, process_types)
           SELECT gen_random_uuid(), unnest($1::uuid[]), 1, 'succeeded', 'push', '{"web": "run", "worker": "run"}'"#,
    )
    .bind(&ids)
    .execute(pool)
    .await
    .expect("makes releases");
    sqlx::query(
        "UPDATE paas_applications AS app SET current_deployment_id = deployment.id
         FROM paas_deployments AS deployment WHERE deployment.application_id = app.id",
    )
    .execute(pool)
    .await
    .expect("releases");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_billing_run_over_a_thousand_apps_charges_every_hour_of_each_once() {
    let mut run = Run::begin().await;
    let begin = run.world.clock.now();
    for turn in 0..TURNS {
        // Two turns fall into the first hour and none into the fourth; one lies on the hour.
        let minutes = [0, 29, 75, 102, 223, 301][usize::try_from(turn).expect("is small")];
        let on_the_hour = turn == 2;
        let time = begin + chrono::TimeDelta::minutes(minutes);
        run.pass_to(if on_the_hour { at("2026-10-24T23:00:00Z") } else { time });
        run.turn(turn).await;
    }
    run.pass_to(at("2026-10-25T05:00:00Z"));
    assert!(run.settled.suspended.is_empty());
    run.impoverish().await;
    let began = Instant::now();
    run.settle().await;
    assert!(began.elapsed() < TIME_LIMIT, "it took {:?}", began.elapsed());
    run.check().await;
    // Whoever comes late finds nothing to do.
    let again = settle_at_once(&run.workers).await;
    assert!(again.iter().all(|settled| settled.app_hours == 0), "{again:?}");
    run.check().await;
    let poor = run.organizations.last().expect("is one").id;
    let held = run.world.store.apps_held(poor, SuspensionReason::Wallet).await.expect("counts");
    assert!(held > 0 && usize::try_from(held).expect("is small") == run.settled.suspended.len());
    for worker in &run.workers {
        worker.pool().close().await;
    }
    let Run { world, workers, .. } = run;
    drop(workers);
    world.close().await;
}
