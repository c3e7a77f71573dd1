//! The history of what ran: written with the change, never wrong about time, kept for good.

use skypanel_core::model::AppStatus;

use crate::world::{World, at, money};

/// The history of an app as text: process, replicas, price, from and to as minutes and seconds.
async fn history(world: &World, app: skypanel_core::model::AppId) -> Vec<String> {
    let rows = world.store.metering(app).await.expect("lists");
    rows.iter()
        .map(|row| {
            let end = row.ended_at.map_or_else(|| "…".to_owned(), |end| end.format("%M:%S").to_string());
            let start = row.started_at.format("%M:%S");
            format!("{}×{} {} {start}–{end}", row.process_type, row.replicas, row.price_per_hour)
        })
        .collect()
}

#[tokio::test]
async fn every_change_of_what_runs_is_in_the_history_and_nothing_else() {
    let world = World::new("2026-11-22T10:00:00Z").await;
    let organization = world.organization("acme", "0").await;
    let app = world.app(&organization, "shop").await;
    world.store.set_app_status(app.id, AppStatus::Building).await.expect("sets");
    assert!(history(&world, app.id).await.is_empty(), "a build costs nothing");
    world.release(app.id, &["web", "worker", "release"]).await.expect("releases");
    assert_eq!(history(&world, app.id).await, ["web×1 $0.0069 00:00–…"]);

    world.clock.set(at("2026-11-22T10:01:00Z"));
    world.release(app.id, &["web", "worker"]).await.expect("releases again");
    world.store.request_restart(app.id).await.expect("restarts");
    assert_eq!(history(&world, app.id).await.len(), 1, "the same runs on");

    world.clock.set(at("2026-11-22T10:02:00Z"));
    world.scale(app.id, "worker=1").await;
    world.clock.set(at("2026-11-22T10:03:00Z"));
    world.price(app.id, "0.5").await;
    world.clock.set(at("2026-11-22T10:04:00Z"));
    world.store.set_app_status(app.id, AppStatus::Stopped).await.expect("stops");
    world.scale(app.id, "web=3 worker=0").await;
    world.clock.set(at("2026-11-22T10:05:00Z"));
    world.store.set_app_status(app.id, AppStatus::Running).await.expect("starts");
    world.clock.set(at("2026-11-22T10:06:00Z"));
    world.release(app.id, &["clock"]).await.expect("releases without a web");
    world.clock.set(at("2026-11-22T10:07:00Z"));
    world.scale(app.id, "clock=2").await;
    world.clock.set(at("2026-11-22T10:08:00Z"));
    world.store.delete_app(app.id).await.expect("deletes");
    assert_eq!(
        history(&world, app.id).await,
        [
            "web×1 $0.0069 00:00–03:00",
            "worker×1 $0.0069 02:00–03:00",
            "web×1 $0.5 03:00–04:00",
            "worker×1 $0.5 03:00–04:00",
            "web×3 $0.5 05:00–06:00",
            "clock×2 $0.5 07:00–08:00",
        ]
    );
    world.close().await;
}

#[tokio::test]
async fn an_edited_plan_leaves_the_price_of_its_apps_alone_until_they_choose_it_again() {
    let world = World::new("2026-11-22T10:00:00Z").await;
    let organization = world.organization("acme", "0").await;
    let app = world.running_app(&organization, "shop").await;
    sqlx::query("UPDATE paas_plans SET price_per_hour = 9 WHERE name = 'hobby'")
        .execute(world.database.pool())
        .await
        .expect("edits");
    world.clock.set(at("2026-11-22T10:01:00Z"));
    world.release(app.id, &["web"]).await.expect("releases");
    assert_eq!(history(&world, app.id).await, ["web×1 $0.0069 00:00–…"]);
    assert_eq!(world.store.app(app.id).await.expect("reads").price_per_hour, money("0.0069"));
    let newer = world.running_app(&organization, "newer").await;
    assert_eq!(newer.price_per_hour, money("9"));
    world.store.change_plan(app.id, app.plan_id).await.expect("chooses it again");
    assert_eq!(history(&world, app.id).await, ["web×1 $0.0069 00:00–01:00", "web×1 $9 01:00–…"]);
    world.close().await;
}

#[tokio::test]
async fn a_clock_that_is_behind_changes_no_settled_hour_and_no_past() {
    let world = World::billing("2026-11-22T10:30:00Z").await;
    let organization = world.organization("acme", "100").await;
    let app = world.running_app(&organization, "shop").await;
    world.price(app.id, "1").await;
    world.clock.set(at("2026-11-22T11:00:00Z"));
    world.store.settle_usage().await.expect("settles");
    // Another machine, ten seconds behind, stops it.
    world.clock.set(at("2026-11-22T10:59:50Z"));
    world.store.set_app_status(app.id, AppStatus::Stopped).await.expect("stops");
    world.clock.set(at("2026-11-22T10:59:55Z"));
    world.store.set_app_status(app.id, AppStatus::Running).await.expect("starts");
    world.clock.set(at("2026-11-22T12:00:00Z"));
    world.store.settle_usage().await.expect("settles");
    let charges = world.charges(app.id).await;
    assert_eq!(charges, [(at("2026-11-22T10:00:00Z"), money("0.5")), (at("2026-11-22T11:00:00Z"), money("1"))]);
    world.close().await;
}

#[tokio::test]
async fn the_history_cannot_be_changed_afterwards() {
    let world = World::new("2026-11-22T10:00:00Z").await;
    let organization = world.organization("acme", "0").await;
    let app = world.running_app(&organization, "shop").await;
    for change in [
        "DELETE FROM paas_metering",
        "TRUNCATE paas_metering",
        "UPDATE paas_metering SET price_per_hour = 0",
        "UPDATE paas_metering SET started_at = started_at + interval '1 hour', settled_until = settled_until + interval '1 hour'",
    ] {
        let refused = sqlx::query(change).execute(world.database.pool()).await;
        assert!(refused.is_err(), "{change}");
    }
    sqlx::query("DELETE FROM organizations").execute(world.database.pool()).await.expect("deletes, apps and all");
    let left = world.store.metering(app.id).await.expect("lists");
    assert!(left.len() == 1 && left[0].ended_at.is_some(), "what a cascade removed does not run on: {left:?}");
    sqlx::query("UPDATE paas_metering SET ended_at = NULL").execute(world.database.pool()).await.expect_err("is over");
    world.close().await;
}
