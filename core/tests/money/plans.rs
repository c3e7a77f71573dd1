//! Plans: made, edited and removed by admins; what a change would cost is told before it is made.

use std::collections::BTreeMap;

use skypanel_core::Error;
use skypanel_core::actions::{Actor, Scope};
use skypanel_core::model::{Money, Plan, PlanId};

use crate::world::{World, formation, money};

fn plan(name: &str) -> Plan {
    Plan {
        id: PlanId::new(),
        name: name.to_owned(),
        cpu_cores: "0.25".parse().expect("is a number"),
        ram_mb: 256,
        disk_gb: 5,
        max_replicas: 2,
        price_per_hour: money("0.0035"),
        features: BTreeMap::from([("support".to_owned(), serde_json::json!("community"))]),
        position: 0,
    }
}

#[tokio::test]
async fn admins_make_edit_and_remove_plans_but_not_one_in_use() {
    let world = World::new("2026-11-22T10:00:00Z").await;
    let organization = world.organization("acme", "0").await;
    let system = Actor::system();
    let nobody = Actor { scope: Scope::Read, ..Actor::system() };
    assert!(matches!(world.actions.create_plan(&nobody, plan("nano")).await, Err(Error::Forbidden(_))));
    let nano = world.actions.create_plan(&system, plan(" nano ")).await.expect("makes one");
    assert_eq!(world.store.plan(nano.id).await.expect("reads"), nano);
    assert_eq!(nano.name, "nano");
    assert!(matches!(world.actions.create_plan(&system, plan("nano")).await, Err(Error::Conflict(_))));
    let app = world.app(&organization, "shop").await;
    assert_eq!(app.plan_id, nano.id, "new apps get the first");
    let dearer = Plan { price_per_hour: money("1"), ..nano.clone() };
    world.actions.edit_plan(&system, dearer).await.expect("edits");
    assert_eq!(world.store.app(app.id).await.expect("reads").price_per_hour, money("0.0035"));
    assert!(matches!(world.actions.delete_plan(&system, nano.id).await, Err(Error::Conflict(_))));
    world.store.delete_app(app.id).await.expect("deletes");
    world.actions.delete_plan(&system, nano.id).await.expect("is not in use");
    assert!(matches!(world.store.plan(nano.id).await, Err(Error::NotFound(_))));
    let (audited,): (i64,) = sqlx::query_as("SELECT count(*) FROM paas_audit_log WHERE action LIKE 'plan.%'")
        .fetch_one(world.database.pool())
        .await
        .expect("counts");
    assert_eq!(audited, 3);
    world.close().await;
}

#[tokio::test]
async fn what_a_plan_may_not_be_is_told_field_by_field() {
    let world = World::new("2026-11-22T10:00:00Z").await;
    let wrong = Plan {
        name: "<b>".to_owned(),
        cpu_cores: "0.001".parse().expect("is a number"),
        ram_mb: 0,
        max_replicas: 0,
        price_per_hour: Money::from_millionths(-1),
        features: BTreeMap::from([("support".to_owned(), serde_json::json!("\0"))]),
        ..plan("x")
    };
    let Err(Error::InvalidFields(fields)) = world.actions.create_plan(&Actor::system(), wrong).await else {
        panic!("is refused")
    };
    let fields: Vec<&str> = fields.iter().map(|field| field.field.as_str()).collect();
    assert_eq!(fields, ["name", "cpu_cores", "ram_mb", "max_replicas", "price_per_hour", "features"]);
    world.close().await;
}

#[tokio::test]
async fn costs_are_told_before_and_after_and_nothing_changes() {
    let world = World::new("2026-11-22T10:00:00Z").await;
    let organization = world.organization("acme", "0").await;
    let app = world.running_app(&organization, "shop").await;
    let standard = world.store.plans().await.expect("lists").into_iter().find(|plan| plan.name == "standard");
    let standard = standard.expect("is there");
    let change = world.actions.cost_of_scaling(&app, &formation("worker=1")).await.expect("tells");
    assert_eq!((change.before, change.after), (money("0.0069"), money("0.0138")));
    let change = world.actions.cost_of_plan(&app, &standard).await.expect("tells");
    assert_eq!((change.before, change.after), (money("0.0069"), money("0.0347")));
    let refused = world.actions.cost_of_scaling(&app, &formation("web=2")).await;
    assert!(matches!(refused, Err(Error::PlanLimitReached(_))));
    assert!(world.store.formation(app.id).await.expect("reads").is_empty());

    world.store.change_plan(app.id, standard.id).await.expect("changes");
    world.scale(app.id, "web=3").await;
    let app = world.store.app(app.id).await.expect("reads");
    let hobby = world.store.plans().await.expect("lists").into_iter().find(|plan| plan.name == "hobby");
    let hobby = hobby.expect("is there");
    assert!(matches!(world.actions.cost_of_plan(&app, &hobby).await, Err(Error::PlanLimitReached(_))));
    assert!(matches!(world.store.change_plan(app.id, hobby.id).await, Err(Error::PlanLimitReached(_))));
    world.close().await;
}
