//! Empty wallets: what they stop, what they refuse, and how everything comes back as it was.

use skypanel_core::Error;
use skypanel_core::model::{AppId, AppStatus, LedgerKind, SuspensionReason};

use crate::world::{World, at, money};

async fn status(world: &World, app: AppId) -> AppStatus {
    world.store.app(app).await.expect("is there").status
}

#[tokio::test]
async fn at_zero_everything_that_runs_is_suspended_and_a_top_up_brings_it_back_as_it_was() {
    let world = World::billing("2026-11-22T10:00:00Z").await;
    let organization = world.organization("acme", "1").await;
    let running = world.running_app(&organization, "running").await;
    world.price(running.id, "0.5").await;
    world.scale(running.id, "web=2 worker=1").await;
    let stopped = world.running_app(&organization, "stopped").await;
    world.store.set_app_status(stopped.id, AppStatus::Stopped).await.expect("stops");
    let failed = world.running_app(&organization, "failed").await;
    world.store.set_app_status(failed.id, AppStatus::Failed).await.expect("fails");
    let fresh = world.app(&organization, "fresh").await;
    let first_build = world.app(&organization, "first-build").await;
    world.store.set_app_status(first_build.id, AppStatus::Building).await.expect("builds");
    let other = world.organization("other", "5").await;
    let others = world.running_app(&other, "others").await;

    world.clock.set(at("2026-11-22T11:00:00Z"));
    let settled = world.store.settle_usage().await.expect("settles");
    assert_eq!(world.balance(organization.id).await, money("-0.5069"));
    let mut suspended = settled.suspended.clone();
    suspended.sort();
    let mut expected = vec![running.id, failed.id, first_build.id];
    expected.sort();
    assert_eq!(suspended, expected);
    let app = world.store.app(running.id).await.expect("is there");
    assert_eq!((app.status, app.suspended_reason), (AppStatus::Suspended, Some(SuspensionReason::Wallet)));
    assert_eq!(status(&world, stopped.id).await, AppStatus::Stopped);
    assert_eq!(status(&world, fresh.id).await, AppStatus::Inactive);
    assert_eq!(status(&world, others.id).await, AppStatus::Running);
    let mut applied = world.applied().await;
    applied.sort();
    assert_eq!(applied, expected.iter().map(ToString::to_string).collect::<Vec<_>>());

    // Nothing deploys, and what a worker still reports does not lift the suspension.
    assert!(matches!(world.release(fresh.id, &["web"]).await, Err(Error::InsufficientFunds(name)) if name == "acme"));
    assert!(matches!(world.store.ensure_funds(organization.id).await, Err(Error::InsufficientFunds(_))));
    world.store.report_app_status(running.id, AppStatus::Running).await.expect("is ignored");
    assert_eq!(status(&world, running.id).await, AppStatus::Suspended);

    // What is suspended costs nothing.
    world.clock.set(at("2026-11-22T13:00:00Z"));
    assert!(world.store.settle_usage().await.expect("settles").suspended.is_empty());
    assert_eq!(world.balance(organization.id).await, money("-0.5069"));

    // A top-up that is not enough changes nothing.
    world.top_up(organization.id, "0.5069").await;
    assert_eq!(status(&world, running.id).await, AppStatus::Suspended);
    world.clock.set(at("2026-11-22T13:30:00Z"));
    world.top_up(organization.id, "10").await;
    assert_eq!(status(&world, running.id).await, AppStatus::Running);
    assert_eq!(status(&world, stopped.id).await, AppStatus::Stopped);
    assert_eq!(status(&world, failed.id).await, AppStatus::Failed);
    assert_eq!(status(&world, first_build.id).await, AppStatus::Inactive);
    assert_eq!(world.applied().await.len(), 6);
    world.release(fresh.id, &["web"]).await.expect("deploys again");
    let open: Vec<String> = world
        .store
        .metering(running.id)
        .await
        .expect("lists")
        .iter()
        .filter(|row| row.ended_at.is_none())
        .map(|row| format!("{}×{} {}", row.process_type, row.replicas, row.started_at.format("%H:%M")))
        .collect();
    assert_eq!(open, ["web×2 13:30", "worker×1 13:30"]);
    let told: Vec<(String,)> = sqlx::query_as("SELECT kind FROM paas_events WHERE application_id = $1 ORDER BY id")
        .bind(running.id)
        .fetch_all(world.database.pool())
        .await
        .expect("lists");
    assert_eq!(told.iter().map(|(kind,)| kind.as_str()).collect::<Vec<_>>(), ["release", "suspend", "resume"]);
    world.close().await;
}

#[tokio::test]
async fn who_is_held_twice_goes_on_when_both_holds_are_lifted() {
    let world = World::billing("2026-11-22T10:00:00Z").await;
    let organization = world.organization("acme", "1").await;
    let app = world.running_app(&organization, "shop").await;
    world.move_money(organization.id, LedgerKind::Adjustment, "-1").await;
    assert_eq!(status(&world, app.id).await, AppStatus::Suspended, "an adjustment to zero suspends at once");
    sqlx::query("UPDATE organizations SET suspended_at = now()").execute(world.database.pool()).await.expect("holds");
    world.top_up(organization.id, "5").await;
    let held = world.store.app(app.id).await.expect("is there");
    assert_eq!((held.status, held.suspended_reason), (AppStatus::Suspended, Some(SuspensionReason::Admin)));
    world.close().await;
}

#[tokio::test]
async fn switching_billing_off_lets_everything_go_on() {
    let world = World::billing("2026-11-22T10:00:00Z").await;
    let organization = world.organization("acme", "0").await;
    sqlx::query("UPDATE paas_billing_periods SET ended_at = started_at")
        .execute(world.database.pool())
        .await
        .expect("is off");
    let app = world.running_app(&organization, "shop").await;
    world.switch_on("2026-11-22T10:00:00Z").await;
    world.store.settle_usage().await.expect("settles");
    assert_eq!(status(&world, app.id).await, AppStatus::Suspended, "the wallet was never filled");
    world.store.set_setting("billing.enabled", "true").await.expect("sets");
    world.store.set_setting("billing.enabled", "false").await.expect("sets");
    let settled = world.store.settle_usage().await.expect("settles");
    assert_eq!(settled.resumed, [app.id]);
    assert_eq!(status(&world, app.id).await, AppStatus::Running);
    world.close().await;
}

#[tokio::test]
async fn a_low_wallet_is_told_of_once_at_each_threshold_and_again_after_a_top_up() {
    let world = World::billing("2026-11-22T00:00:00Z").await;
    let organization = world.organization("acme", "75").await;
    let app = world.running_app(&organization, "shop").await;
    world.price(app.id, "1").await;
    let warnings = async || -> Vec<String> {
        let rows: Vec<(String,)> =
            sqlx::query_as("SELECT message FROM paas_events WHERE kind = 'low_balance' ORDER BY id")
                .fetch_all(world.database.pool())
                .await
                .expect("lists");
        rows.into_iter().map(|(message,)| message).collect()
    };
    let mut told = Vec::new();
    for hour in 1..=76 {
        world.clock.set(at("2026-11-22T00:00:00Z") + chrono::TimeDelta::hours(hour));
        world.store.settle_usage().await.expect("settles");
        let now = warnings().await.len();
        if now > told.len() {
            told.push(hour);
        }
    }
    assert_eq!(told, [4, 52], "below 72 and below 24 hours");
    assert!(warnings().await[1].contains("$23") && warnings().await[1].contains("24 hours"), "{:?}", warnings().await);
    assert_eq!(status(&world, app.id).await, AppStatus::Suspended);
    world.top_up(organization.id, "100").await;
    for hour in 77..=110 {
        world.clock.set(at("2026-11-22T00:00:00Z") + chrono::TimeDelta::hours(hour));
        world.store.settle_usage().await.expect("settles");
    }
    assert_eq!(warnings().await.len(), 3, "the next crossing is told of again");
    world.close().await;
}

#[tokio::test]
async fn a_top_up_that_does_not_last_is_told_of_before_it_is_used_up() {
    let world = World::billing("2026-11-22T00:00:00Z").await;
    let organization = world.organization("acme", "20").await;
    let app = world.running_app(&organization, "shop").await;
    world.price(app.id, "1").await;
    let mut hour = 0;
    let mut warnings_until_suspended = async || {
        while status(&world, app.id).await != AppStatus::Suspended {
            hour += 1;
            world.clock.set(at("2026-11-22T00:00:00Z") + chrono::TimeDelta::hours(hour));
            world.store.settle_usage().await.expect("settles");
        }
        let (warnings,): (i64,) = sqlx::query_as("SELECT count(*) FROM paas_events WHERE kind = 'low_balance'")
            .fetch_one(world.database.pool())
            .await
            .expect("counts");
        (hour, warnings)
    };
    assert_eq!(warnings_until_suspended().await, (20, 1), "below 24 hours from the first one on");
    world.top_up(organization.id, "10").await;
    assert_eq!(warnings_until_suspended().await, (30, 2));
    world.close().await;
}

#[tokio::test]
async fn what_costs_more_needs_an_hour_of_it_in_the_wallet() {
    use skypanel_core::actions::Actor;
    use skypanel_core::model::AppRef;

    let world = World::billing("2026-11-22T10:00:00Z").await;
    let organization = world.organization("acme", "2.5").await;
    let app = world.running_app(&organization, "shop").await;
    world.price(app.id, "1").await;
    world.clock.set(at("2026-11-22T10:30:00Z"));
    let (system, shop) = (Actor::system(), AppRef::Id(app.id));
    let scale = async |wish: &str| world.actions.scale(&system, &shop, &crate::world::formation(wish), false).await;
    // 2.5 less the half that is not settled is two for an hour.
    let refused = scale("web=3").await;
    assert!(matches!(refused, Err(Error::InsufficientFunds(_))), "{refused:?}");
    assert!(world.store.formation(app.id).await.expect("reads").is_empty());
    scale("web=2").await.expect("lasts for an hour");
    let other = world.app(&organization, "other").await;
    world.price(other.id, "3").await;
    let refused = world.actions.move_to_plan(&system, &shop, "price 3", false).await;
    assert!(matches!(refused, Err(Error::InsufficientFunds(_))), "{refused:?}");
    // What costs less is never refused, nor what costs as much.
    world.clock.set(at("2026-11-22T10:50:00Z"));
    scale("web=1").await.expect("costs less");
    world.actions.stop(&system, &shop).await.expect("stops");
    scale("web=3").await.expect("costs nothing while it is stopped");
    let refused = world.actions.start(&system, &shop).await.map(drop);
    assert!(matches!(refused, Err(Error::InsufficientFunds(_))), "{refused:?}");
    world.top_up(organization.id, "5").await;
    world.actions.start(&system, &shop).await.expect("starts");
    world.close().await;
}
