//! What is asked for and what runs: until a change is rolled out the dearer counts, and one that cannot be rolled out
//! is taken back with its price.

use skypanel_core::model::{AppId, AppStatus};
use skypanel_core::store::TakenBack;

use crate::world::{World, at, formation, money};

/// What an app costs an hour by its open history.
async fn burn(world: &World, app: AppId) -> String {
    let rows = world.store.metering(app).await.expect("lists");
    let open = rows.iter().filter(|row| row.ended_at.is_none());
    open.map(|row| format!("{}×{} {}", row.process_type, row.replicas, row.price_per_hour))
        .collect::<Vec<_>>()
        .join(", ")
}

/// A rollout that works.
async fn roll(world: &World, app: AppId) {
    world.store.begin_rollout(app).await.expect("begins");
    world.store.complete_rollout(app).await.expect("completes");
}

#[tokio::test]
async fn a_cheaper_plan_that_cannot_be_rolled_out_makes_nothing_cheaper() {
    let world = World::billing("2026-11-22T10:00:00Z").await;
    let organization = world.organization("acme", "100").await;
    let app = world.running_app(&organization, "shop").await;
    world.price(app.id, "1").await;
    world.scale(app.id, "web=2").await;
    roll(&world, app.id).await;
    let dear = world.store.app(app.id).await.expect("reads");

    world.clock.set(at("2026-11-22T10:10:00Z"));
    world.price(app.id, "0.1").await;
    world.scale(app.id, "web=1 worker=1").await;
    assert_eq!(burn(&world, app.id).await, "web×2 $1, worker×1 $0.1", "what runs counts, and what may begin to run");
    world.store.begin_rollout(app.id).await.expect("begins");
    world.clock.set(at("2026-11-22T10:20:00Z"));
    assert_eq!(world.store.take_back_rollout(app.id).await.expect("takes back"), TakenBack::Terms);
    assert_eq!(burn(&world, app.id).await, "web×2 $1");
    let now = world.store.app(app.id).await.expect("reads");
    assert_eq!((now.plan_id, now.price_per_hour, now.status), (dear.plan_id, money("1"), AppStatus::Running));
    assert_eq!(world.store.formation(app.id).await.expect("reads"), formation("web=2"));
    assert_eq!(world.applied().await, [app.id.to_string()], "a job makes sure of it");
    let (told,): (String,) =
        sqlx::query_as("SELECT message FROM paas_events WHERE application_id = $1 AND kind = 'failure'")
            .bind(app.id)
            .fetch_one(world.database.pool())
            .await
            .expect("is told");
    assert!(told.contains("$1 an hour") && told.contains("web=2"), "{told}");
    // 2 × 1 for the hour, and 0.1 for ten minutes in which the worker may have run.
    world.clock.set(at("2026-11-22T11:00:00Z"));
    world.store.settle_usage().await.expect("settles");
    assert_eq!(world.charges(app.id).await, [(at("2026-11-22T10:00:00Z"), money("2.016667"))]);
    world.close().await;
}

#[tokio::test]
async fn a_change_that_is_rolled_out_counts_from_then_on() {
    let world = World::new("2026-11-22T10:00:00Z").await;
    let organization = world.organization("acme", "0").await;
    let app = world.running_app(&organization, "shop").await;
    world.price(app.id, "1").await;
    roll(&world, app.id).await;
    world.price(app.id, "0.1").await;
    world.store.begin_rollout(app.id).await.expect("begins");
    // Asked for while the one before is rolled out: any of three may run.
    world.price(app.id, "0.2").await;
    assert_eq!(burn(&world, app.id).await, "web×1 $1");
    world.store.complete_rollout(app.id).await.expect("completes");
    assert_eq!(burn(&world, app.id).await, "web×1 $0.2", "it is asked for, so it counts");
    world.price(app.id, "0.05").await;
    assert_eq!(burn(&world, app.id).await, "web×1 $0.1", "what runs is dearer");
    roll(&world, app.id).await;
    assert_eq!(burn(&world, app.id).await, "web×1 $0.05");
    world.close().await;
}

#[tokio::test]
async fn a_failure_takes_back_nothing_that_was_asked_for_later() {
    let world = World::new("2026-11-22T10:00:00Z").await;
    let organization = world.organization("acme", "0").await;
    let app = world.running_app(&organization, "shop").await;
    world.price(app.id, "1").await;
    roll(&world, app.id).await;
    world.price(app.id, "0.1").await;
    world.store.begin_rollout(app.id).await.expect("begins");
    world.price(app.id, "0.2").await;
    assert_eq!(world.store.take_back_rollout(app.id).await.expect("answers"), TakenBack::Nothing);
    assert_eq!(world.store.app(app.id).await.expect("reads").price_per_hour, money("0.2"));
    assert_eq!(burn(&world, app.id).await, "web×1 $1", "until its own rollout is done");
    // A restart that fails changes no terms.
    roll(&world, app.id).await;
    world.store.begin_rollout(app.id).await.expect("begins");
    assert_eq!(world.store.take_back_rollout(app.id).await.expect("answers"), TakenBack::Nothing);
    assert_eq!(burn(&world, app.id).await, "web×1 $0.2");
    world.close().await;
}

#[tokio::test]
async fn an_app_that_does_not_start_is_stopped_and_costs_nothing() {
    let world = World::new("2026-11-22T10:00:00Z").await;
    let organization = world.organization("acme", "0").await;
    let app = world.running_app(&organization, "shop").await;
    roll(&world, app.id).await;
    world.store.set_app_status(app.id, AppStatus::Stopped).await.expect("stops");
    world.store.end_rollouts(app.id).await.expect("ends");
    world.store.set_app_status(app.id, AppStatus::Running).await.expect("starts");
    world.store.begin_rollout(app.id).await.expect("begins");
    assert_eq!(burn(&world, app.id).await, "web×1 $0.0069");
    assert_eq!(world.store.take_back_rollout(app.id).await.expect("takes back"), TakenBack::Stopped);
    assert_eq!(world.store.app(app.id).await.expect("reads").status, AppStatus::Stopped);
    assert_eq!(burn(&world, app.id).await, "");
    world.close().await;
}

#[tokio::test]
async fn a_release_is_on_the_terms_it_was_rolled_out_with() {
    let world = World::new("2026-11-22T10:00:00Z").await;
    let organization = world.organization("acme", "0").await;
    let app = world.running_app(&organization, "shop").await;
    world.price(app.id, "1").await;
    world.store.begin_rollout(app.id).await.expect("begins");
    world.release(app.id, &["web", "worker"]).await.expect("releases");
    assert!(world.store.apps_in_doubt().await.expect("lists").is_empty());
    world.price(app.id, "0.1").await;
    world.store.begin_rollout(app.id).await.expect("begins");
    assert_eq!(world.store.apps_in_doubt().await.expect("lists"), [app.id]);
    world.store.forget_rollout(app.id).await.expect("forgets");
    assert_eq!(burn(&world, app.id).await, "web×1 $1", "what was asked for waits for its own rollout");
    world.close().await;
}
