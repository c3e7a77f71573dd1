//! Deployments that meet each other.

use std::collections::BTreeMap;

use skypanel_core::actions::{Actor, ConfigChanges};
use skypanel_core::model::{AppRef, AppStatus, Application, DeploymentId, DeploymentStatus};

use crate::world::{World, image, run};

async fn configure(world: &World, app: &Application) -> DeploymentId {
    let set = BTreeMap::from([("GREETING".parse().expect("is a name"), b"hello".to_vec().into())]);
    let wanted = ConfigChanges { set, ..ConfigChanges::default() };
    let changed = world.actions.change_config(&Actor::system(), &AppRef::Id(app.id), &wanted).await.expect("changes");
    changed.deployment.expect("is released")
}

#[test]
fn a_change_of_config_vars_runs_the_code_that_is_live_when_its_turn_comes() {
    run(async {
        let world = World::new().await;
        let app = world.app("shop").await;
        let first = world.push(app.id).await;
        world.go_live(first, "one").await;
        // Asked for while the second push is being built.
        let second = world.push(app.id).await;
        let change = configure(&world, &app).await;
        let asked = world.store().deployment(change).await.expect("is there");
        assert_eq!(asked.parent_id, Some(first));
        world.go_live(second, "two").await;
        // An earlier try began with what was live then.
        let old = world.store().deployment(first).await.expect("is there").artifact().expect("is kept");
        world.store().set_artifact(change, &old).await.expect("stores");

        let told = world.while_working(world.told(change, None)).await;
        let change = world.store().deployment(change).await.expect("is there");
        assert_eq!((change.image_digest, change.parent_id), (Some(image("two")), Some(second)), "{told}");
        world.close().await;
    });
}

#[test]
fn a_change_of_config_vars_behind_a_first_release_that_failed_has_nothing_to_run() {
    run(async {
        let world = World::new().await;
        let app = world.app("shop").await;
        let first = world.push(app.id).await;
        world.store().report_app_status(app.id, AppStatus::Building).await.expect("reports");
        let change = configure(&world, &app).await;
        let why = Some(("BUILD_FAILED", "It does not compile."));
        world.store().finish_deployment(first, DeploymentStatus::Failed, why).await.expect("ends");

        let told = world.while_working(world.told(change, None)).await;
        assert!(told.contains("Nothing was released yet"), "{told}");
        assert_eq!(world.store().deployment(change).await.expect("is there").status, DeploymentStatus::Cancelled);
        assert_eq!(world.store().app(app.id).await.expect("is there").status, AppStatus::Failed);
        world.close().await;
    });
}
