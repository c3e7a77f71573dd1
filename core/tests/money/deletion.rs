//! The end of an organisation: its last charges, and what comes to whoever takes its apps.

use std::collections::BTreeMap;

use skypanel_core::Error;
use skypanel_core::actions::{Actor, AppsGo};
use skypanel_core::model::{
    AppId, AppRef, AppStatus, DeploymentId, DeploymentStatus, LedgerKind, NewDeployment, Organization, OrganizationRef,
    SuspensionReason, Trigger, WebhookProvider,
};
use zeroize::Zeroizing;

use crate::world::{World, at, money};

async fn delete(world: &World, organization: &Organization, apps: AppsGo) -> skypanel_core::Result<bool> {
    let named = OrganizationRef::Id(organization.id);
    let gone = world.actions.delete_organization(&Actor::system(), &named, &organization.name, &apps).await?;
    Ok(gone.is_gone)
}

fn to(heir: &Organization) -> AppsGo {
    AppsGo::To(OrganizationRef::Id(heir.id))
}

/// Charges by organisation: what and when.
async fn charges(world: &World, organization: &Organization) -> Vec<String> {
    let entries = world.store.ledger(organization.id, None, 100).await.expect("lists");
    let charges = entries.iter().rev().filter(|entry| entry.kind == LedgerKind::Charge);
    charges.map(|entry| format!("{} {}", entry.hour.expect("has one").format("%H:%M"), -entry.amount)).collect()
}

async fn events(world: &World, app: AppId) -> Vec<(Option<uuid::Uuid>, String)> {
    sqlx::query_as("SELECT organization_id, kind FROM paas_events WHERE application_id = $1 ORDER BY id")
        .bind(app)
        .fetch_all(world.database.pool())
        .await
        .expect("lists")
}

#[tokio::test]
async fn the_last_part_of_an_hour_is_charged_before_an_organisation_goes() {
    let world = World::billing("2026-11-22T10:00:00Z").await;
    let acme = world.organization("acme", "100").await;
    let app = world.running_app(&acme, "shop").await;
    world.price(app.id, "1").await;
    world.clock.set(at("2026-11-22T11:30:00Z"));
    let refused = delete(&world, &acme, AppsGo::Away).await;
    assert!(matches!(&refused, Err(Error::Conflict(why)) if why.contains("$98.5")), "{refused:?}");
    assert_eq!(world.balance(acme.id).await, money("100"), "a refusal charges nothing");
    world.move_money(acme.id, LedgerKind::Adjustment, "-100").await;
    assert!(!delete(&world, &acme, AppsGo::Away).await.expect("begins"));
    assert_eq!(charges(&world, &acme).await, ["10:00 $1", "11:00 $0.5"]);
    world.store.delete_app(app.id).await.expect("goes");
    world.clock.set(at("2026-11-22T13:00:00Z"));
    world.store.settle_usage().await.expect("settles");
    assert_eq!(charges(&world, &acme).await, ["10:00 $1", "11:00 $0.5"], "once");
    world.close().await;
}

#[tokio::test]
async fn an_app_goes_to_its_heir_with_all_that_is_its_and_is_paid_for_by_each_for_its_part() {
    let world = World::billing("2026-11-22T10:00:00Z").await;
    let (acme, heir) = (world.organization("acme", "5").await, world.organization("heir", "50").await);
    let app = world.running_app(&acme, "shop").await;
    world.price(app.id, "1").await;
    let (system, shop) = (Actor::system(), AppRef::Id(app.id));
    let vars = BTreeMap::from([("GREETING".parse().expect("a key"), Zeroizing::new(b"hello".to_vec()))]);
    world.store.change_config(&app, &vars, &[]).await.expect("sets");
    world.actions.create_deploy_key(&system, &shop).await.expect("makes a key");
    let hook = world.actions.create_webhook(&system, &shop, WebhookProvider::Github).await.expect("makes one");
    let drain = "https://me:s3cr3t@93.184.216.34/in";
    world.actions.add_log_drain(&system, &shop, drain).await.expect("makes one");
    let build = queued(&world, app.id).await;

    world.clock.set(at("2026-11-22T10:30:00Z"));
    // All but what the part of the hour costs, which the deletion itself charges.
    world.move_money(acme.id, LedgerKind::Adjustment, "-4.5").await;
    assert!(delete(&world, &acme, to(&heir)).await.expect("goes"));
    assert_eq!(charges(&world, &acme).await, ["10:00 $0.5"]);
    let moved = world.store.app(app.id).await.expect("is there");
    assert_eq!((moved.organization_id, moved.status), (heir.id, AppStatus::Running));
    let build = world.store.deployment(build).await.expect("is there");
    assert_eq!(build.status, DeploymentStatus::Cancelled);
    assert!(build.error.expect("says why").contains("moved to another organisation"));
    let (_, vars) = world.store.config_vars(app.id).await.expect("opens under the other key");
    assert_eq!(vars.values().next().map(|value| value.to_vec()), Some(b"hello".to_vec()));
    assert!(world.store.repository_credentials(moved.id).await.expect("opens").key.is_some());
    let rotated = world.actions.rotate_webhook(&system, &shop, hook.webhook.id).await.expect("opens");
    assert_ne!(rotated.secret, hook.secret);
    let drains = world.store.open_log_drains().await.expect("opens");
    assert_eq!(drains.iter().map(|drain| drain.address.reveal()).collect::<Vec<_>>(), [drain]);
    assert!(events(&world, app.id).await.iter().all(|(of, _)| *of == Some(heir.id.0)));
    assert!(events(&world, app.id).await.iter().any(|(_, kind)| kind == "reassign"));

    world.clock.set(at("2026-11-22T11:00:00Z"));
    world.store.settle_usage().await.expect("settles");
    assert_eq!(charges(&world, &heir).await, ["10:00 $0.5"]);
    assert_eq!(world.balance(heir.id).await, money("49.5"));
    world.close().await;
}

#[tokio::test]
async fn an_app_that_comes_to_a_suspended_or_empty_heir_does_not_run() {
    let world = World::billing("2026-11-22T10:00:00Z").await;
    for (name, top_up, reason) in
        [("suspended", "5", SuspensionReason::Admin), ("empty", "0", SuspensionReason::Wallet)]
    {
        let acme = world.organization(&format!("to-{name}"), "1").await;
        let heir = world.organization(name, top_up).await;
        let app = world.running_app(&acme, &format!("shop-{name}")).await;
        if reason == SuspensionReason::Admin {
            let named = OrganizationRef::Id(heir.id);
            world.actions.suspend_organization(&Actor::system(), &named, None).await.expect("suspends");
        }
        world.move_money(acme.id, LedgerKind::Adjustment, "-1").await;
        assert!(delete(&world, &acme, to(&heir)).await.expect("goes"));
        let app = world.store.app(app.id).await.expect("is there");
        assert_eq!((app.status, app.suspended_reason), (AppStatus::Suspended, Some(reason)), "{name}");
        assert!(world.store.metering(app.id).await.expect("lists").iter().all(|row| row.ended_at.is_some()));
    }
    world.close().await;
}

#[tokio::test]
async fn an_heir_has_to_have_room() {
    let world = World::new("2026-11-22T10:00:00Z").await;
    let (acme, heir) = (world.organization("acme", "0").await, world.organization("heir", "0").await);
    let app = world.app(&acme, "shop").await;
    world.store.set_setting("limits.apps", "1").await.expect("sets");
    world.app(&heir, "other").await;
    let refused = delete(&world, &acme, to(&heir)).await;
    assert!(matches!(&refused, Err(Error::PlanLimitReached(why)) if why.contains("max_apps")), "{refused:?}");
    assert_eq!(world.store.app(app.id).await.expect("is there").organization_id, acme.id);
    world.store.set_setting("limits.apps", "2").await.expect("sets");
    assert!(delete(&world, &acme, to(&heir)).await.expect("goes"));
    world.close().await;
}

async fn queued(world: &World, app: AppId) -> DeploymentId {
    let id = DeploymentId::new();
    let new = NewDeployment {
        id,
        application_id: app,
        trigger: Trigger::Push,
        git_branch: None,
        git_commit: None,
        git_message: None,
        git_author: None,
        no_cache: false,
        description: "Deploy".to_owned(),
        parent_id: None,
        created_by: None,
    };
    world.store.create_deployment(&new).await.expect("queues");
    id
}
