//! The settlement: exact, once, in any company, at any time, and quick with many apps.

use std::time::{Duration, Instant};

use skypanel_core::model::{AppStatus, Money};

use crate::world::{World, at, money};

#[tokio::test]
async fn an_hour_is_charged_when_it_is_over_and_missed_hours_are_caught_up_with() {
    let world = World::billing("2026-11-22T10:15:00Z").await;
    let organization = world.organization("acme", "100").await;
    let app = world.running_app(&organization, "shop").await;
    world.price(app.id, "0.0347").await;
    world.clock.set(at("2026-11-22T10:59:59.999999Z"));
    assert_eq!(world.store.settle_usage().await.expect("settles").app_hours, 0, "the hour is not over");
    world.clock.set(at("2026-11-22T14:00:00Z"));
    let settled = world.store.settle_usage().await.expect("settles");
    assert_eq!((settled.app_hours, settled.charged), (4, money("0.130125")));
    assert_eq!(world.store.settle_usage().await.expect("settles again").app_hours, 0);
    let amounts: Vec<Money> = world.charges(app.id).await.into_iter().map(|(_, amount)| amount).collect();
    assert_eq!(amounts, ["0.026025", "0.0347", "0.0347", "0.0347"].map(money));
    assert_eq!(world.balance(organization.id).await, money("99.869875"));
    // The sums of usage follow from it and from nothing else.
    for sums in ["paas_usage_days", "paas_usage_months"] {
        for change in [format!("UPDATE {sums} SET cost = 0"), format!("DELETE FROM {sums}"), format!("TRUNCATE {sums}")]
        {
            let changed = sqlx::query(sqlx::AssertSqlSafe(change.as_str())).execute(world.database.pool()).await;
            assert!(changed.is_err(), "{change}");
        }
    }
    world.close().await;
}

#[tokio::test]
async fn a_deleted_app_still_pays_for_what_it_ran() {
    let world = World::billing("2026-11-22T10:00:00Z").await;
    let organization = world.organization("acme", "100").await;
    let app = world.running_app(&organization, "shop").await;
    world.price(app.id, "1").await;
    world.clock.set(at("2026-11-22T10:30:00Z"));
    world.store.delete_app(app.id).await.expect("deletes");
    // The same name again is another app.
    let again = world.running_app(&organization, "shop").await;
    world.clock.set(at("2026-11-22T11:00:00Z"));
    world.store.settle_usage().await.expect("settles");
    assert_eq!(world.charges(app.id).await, [(at("2026-11-22T10:00:00Z"), money("0.5"))]);
    assert_eq!(world.charges(again.id).await, [(at("2026-11-22T10:00:00Z"), money("0.00345"))]);
    world.close().await;
}

#[tokio::test]
async fn only_hours_with_billing_on_throughout_are_charged_but_all_are_written_down() {
    let world = World::new("2026-11-22T10:00:00Z").await;
    let organization = world.organization("acme", "0").await;
    let app = world.running_app(&organization, "shop").await;
    world.price(app.id, "1").await;
    world.clock.set(at("2026-11-22T11:30:00Z"));
    world.store.settle_usage().await.expect("settles");
    assert_eq!(
        world.store.app(app.id).await.expect("reads").status,
        AppStatus::Running,
        "an empty wallet does no harm"
    );
    world.switch_on("2026-11-22T11:30:00Z").await;
    world.top_up(organization.id, "10").await;
    world.clock.set(at("2026-11-22T14:00:00Z"));
    world.store.settle_usage().await.expect("settles");
    let hours: Vec<_> = world.charges(app.id).await.into_iter().map(|(hour, _)| hour).collect();
    assert_eq!(hours, [at("2026-11-22T12:00:00Z"), at("2026-11-22T13:00:00Z")]);
    let month = "2026-11".parse().expect("is a month");
    let lines = world.store.usage_of_month(organization.id, None, month).await.expect("reads");
    let cost: Money = lines.iter().map(|line| line.cost).sum();
    let charged: Money = lines.iter().map(|line| line.charged).sum();
    assert_eq!((cost, charged), (money("4"), money("2")));
    world.close().await;
}

#[tokio::test]
async fn the_setting_switches_billing_from_that_moment_on() {
    let world = World::new("2026-11-22T10:00:00Z").await;
    let periods = async || -> Vec<(bool,)> {
        sqlx::query_as("SELECT ended_at IS NULL FROM paas_billing_periods ORDER BY started_at, ended_at NULLS LAST")
            .fetch_all(world.database.pool())
            .await
            .expect("lists")
    };
    assert!(!world.store.billing_is_on().await.expect("reads"), "it is off by default");
    for (value, expected) in [
        ("false", vec![]),
        ("true", vec![true]),
        ("true", vec![true]),
        ("false", vec![false]),
        ("true", vec![false, true]),
    ] {
        world.store.set_setting("billing.enabled", value).await.expect("sets");
        assert_eq!(periods().await.into_iter().map(|(open,)| open).collect::<Vec<_>>(), expected, "{value}");
    }
    assert!(world.store.billing_is_on().await.expect("reads"));
    world.close().await;
}

#[tokio::test]
async fn an_app_that_moves_is_paid_for_by_each_organisation_for_its_part() {
    let world = World::billing("2026-11-22T10:00:00Z").await;
    let (first, second) = (world.organization("first", "10").await, world.organization("second", "10").await);
    let app = world.running_app(&first, "shop").await;
    world.price(app.id, "1").await;
    world.clock.set(at("2026-11-22T10:45:00Z"));
    sqlx::query("UPDATE paas_applications SET organization_id = $1")
        .bind(second.id)
        .execute(world.database.pool())
        .await
        .expect("moves");
    world.store.report_app_status(app.id, AppStatus::Running).await.expect("is recorded");
    world.clock.set(at("2026-11-22T11:00:00Z"));
    world.store.settle_usage().await.expect("settles");
    assert_eq!((world.balance(first.id).await, world.balance(second.id).await), (money("9.25"), money("9.75")));
    world.close().await;
}

#[tokio::test]
async fn an_hour_that_is_settled_stays_so_when_the_clock_goes_back_meanwhile() {
    let world = World::billing("2026-11-22T10:00:00Z").await;
    let organization = world.organization("acme", "10").await;
    let app = world.running_app(&organization, "shop").await;
    world.price(app.id, "1").await;
    world.clock.set(at("2026-11-22T10:30:00Z"));
    world.store.set_app_status(app.id, AppStatus::Stopped).await.expect("stops");
    world.clock.set(at("2026-11-22T11:00:00Z"));
    let mut holder = world.database.pool().begin().await.expect("begins");
    sqlx::query("SELECT FROM organizations FOR UPDATE").execute(&mut *holder).await.expect("holds");
    let store = world.store.clone();
    let settling = tokio::spawn(async move { store.settle_usage().await });
    let waits =
        "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database())";
    while !sqlx::query_scalar::<_, bool>(waits).fetch_one(world.database.pool()).await.expect("looks") {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    world.clock.set(at("2026-11-22T10:59:59Z"));
    holder.commit().await.expect("lets go");
    assert_eq!(settling.await.expect("ends").expect("settles").charged, money("0.5"));
    // What starts by that clock counts from the hour's end, which was charged already.
    world.store.set_app_status(app.id, AppStatus::Running).await.expect("starts");
    world.clock.set(at("2026-11-22T12:00:00Z"));
    assert_eq!(world.store.settle_usage().await.expect("settles").charged, money("1"));
    world.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_thousand_apps_are_settled_quickly_by_any_number_of_workers() {
    let world = World::billing("2026-11-22T10:00:00Z").await;
    let organization = world.organization("acme", "100000").await;
    let app = world.running_app(&organization, "first").await;
    world.price(app.id, "0.0347").await;
    // 999 more of the same, two of each and a worker besides, written as the store would.
    for statement in [
        "INSERT INTO paas_applications (id, organization_id, name, slug, subdomain, plan_id, status, current_deployment_id)
         SELECT gen_random_uuid(), organization_id, 'app-' || number, 'app-' || number, 'app-' || number, plan_id, 'running',
                current_deployment_id
         FROM paas_applications, generate_series(1, 999) AS number",
        "INSERT INTO paas_metering (organization_id, application_id, app_slug, process_type, plan_id, plan_name,
             price_per_hour, replicas, started_at, settled_until)
         SELECT organization_id, id, slug, process_type, plan_id, 'standard', 0.0347, count, started_at, started_at
         FROM paas_applications,
             (VALUES ('web', 2, timestamptz '2026-11-22T10:20:00Z'), ('worker', 1, '2026-11-22T10:40:00Z'))
             AS processes (process_type, count, started_at)
         WHERE slug <> 'first'",
    ] {
        sqlx::query(statement).execute(world.database.pool()).await.expect("fills");
    }
    world.clock.set(at("2026-11-22T15:00:00Z"));
    let begun = Instant::now();
    let mut workers = tokio::task::JoinSet::new();
    for _ in 0..3 {
        let store = world.store.clone();
        workers.spawn(async move { store.settle_usage().await.expect("settles") });
    }
    let settled = workers.join_all().await;
    let took = begun.elapsed();
    assert_eq!(settled.iter().map(|settled| settled.app_hours).sum::<usize>(), 5_000);
    // First hour: 2 × 40 min + 20 min; then 3 an hour. The first app: 1 an hour.
    let expected = money("0.057833").times(999) + money("0.1041").times(4 * 999) + money("0.0347").times(5);
    assert_eq!(settled.iter().map(|settled| settled.charged).sum::<Money>(), expected);
    assert_eq!(world.balance(organization.id).await, money("100000") - expected);
    assert!(took < Duration::from_secs(20), "5,000 hours of apps took {took:?}");
    world.close().await;
}
