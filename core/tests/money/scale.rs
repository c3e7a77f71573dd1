//! Reads and settlements stay quick when the tables have grown: no big one is ever read from end to end.

use skypanel_core::actions::{Actor, Period};
use skypanel_core::model::{Hour, Month};
use sqlx::PgPool;

use crate::world::{World, at};

const BIG: &str = "'paas_metering', 'paas_resource_usage', 'paas_usage_days', 'paas_usage_months', 'wallet_ledger'";

/// Tables that were read from end to end, and how often.
async fn whole_reads(pool: &PgPool) -> Vec<(String, i64)> {
    // Every connection keeps its own count for a while.
    let mut connections = Vec::new();
    for _ in 0..pool.num_idle() {
        connections.push(pool.acquire().await.expect("is idle"));
    }
    for connection in &mut connections {
        sqlx::query("SELECT pg_stat_force_next_flush()").execute(&mut **connection).await.expect("flushes");
    }
    drop(connections);
    let sql =
        format!("SELECT relname::text, seq_scan FROM pg_stat_user_tables WHERE relname IN ({BIG}) ORDER BY relname");
    sqlx::query_as(sqlx::AssertSqlSafe(sql)).fetch_all(pool).await.expect("counts")
}

#[tokio::test]
async fn no_big_table_is_read_as_a_whole() {
    let world = World::billing("2026-11-22T10:30:00Z").await;
    let organization = world.organization("acme", "1000").await;
    let app = world.running_app(&organization, "shop").await;
    for statement in [
        // Apps of others and their past: 200 of them, 300 hours each.
        "INSERT INTO paas_metering (organization_id, application_id, app_slug, process_type, plan_id, plan_name,
             price_per_hour, replicas, started_at, ended_at, settled_until)
         SELECT md5((app / 10)::text)::uuid, md5('app ' || app)::uuid, 'app-' || app, 'web', md5('plan')::uuid, 'old', 0.01, 1,
             start, start + interval '1 hour', start + interval '1 hour'
         FROM generate_series(1, 200) AS app,
             generate_series(timestamptz '2026-11-01T00:00:00Z', '2026-11-13T11:00:00Z', '1 hour') AS start",
        "INSERT INTO paas_resource_usage (organization_id, application_id, app_slug, hour, process_type, plan_id,
             plan_name, price_per_hour, replica_microseconds, cost, charged)
         SELECT organization_id, application_id, app_slug, started_at, process_type, plan_id, plan_name, price_per_hour,
             3600000000, price_per_hour, true
         FROM paas_metering WHERE ended_at IS NOT NULL",
        "INSERT INTO paas_usage_months
         SELECT organization_id, earlier::date, application_id, app_slug, process_type, plan_id, plan_name, price_per_hour,
             replica_microseconds, cost, charged
         FROM paas_usage_months, generate_series(timestamp '2020-01-01', '2026-10-01', '1 month') AS months (earlier)",
        "INSERT INTO organizations (id, name) SELECT gen_random_uuid(), 'other-' || number FROM generate_series(1, 20) AS number",
        "INSERT INTO wallet_ledger (organization_id, kind, amount, balance_after, actor, occurred_at)
         SELECT id, 'top_up', 1, number, 'somebody', now() FROM organizations, generate_series(1, 2000) AS number
         WHERE name LIKE 'other-%' ORDER BY number",
        "ANALYZE",
    ] {
        sqlx::query(statement).execute(world.database.pool()).await.expect("fills");
    }
    let pool = world.database.pool();
    let store = &world.store;
    world.clock.set(at("2026-11-22T12:30:00Z"));
    let before = whole_reads(pool).await;
    assert_eq!(before.len(), 5);

    let (system, month) = (Actor::system(), Month::of(world.clock.now()));
    let actions = &world.actions;
    assert_eq!(store.settle_usage().await.expect("settles").app_hours, 2);
    actions.wallet(&system, &organization).await.expect("tells");
    assert_eq!(actions.ledger(&system, organization.id, None, 50).await.expect("lists").len(), 3);
    for period in [Period::Month(month), Period::Hours(Hour::of(month.begin()), Hour::of(month.end()))] {
        actions.usage(&system, organization.id, None, period).await.expect("tells");
        actions.usage(&system, organization.id, Some(app.id), period).await.expect("tells");
    }
    let bounds = (Hour::of(month.begin()), Hour::of(month.end()));
    store.usage_by_day(organization.id, None, bounds.0, bounds.1).await.expect("adds up");
    let page = store.usage_hours(organization.id, None, bounds, None, 1).await.expect("pages");
    let position = page.first().map(skypanel_core::store::UsageHour::position);
    store.usage_hours(organization.id, None, bounds, position.as_ref(), 1).await.expect("pages");
    actions.invoice(&system, &organization, month).await.expect("is made");
    actions.invoices(&system, organization.id).await.expect("lists");
    store.wallets(month, None, 50).await.expect("lists");
    store.burn(organization.id, Some(app.id)).await.expect("adds up");
    world.scale(app.id, "web=0").await;
    store.delete_app(app.id).await.expect("deletes");
    assert_eq!(whole_reads(pool).await, before);
    world.close().await;
}
