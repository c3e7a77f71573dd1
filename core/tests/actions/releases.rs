//! Releases that meet other changes of their app.

use std::collections::BTreeMap;

use skypanel_core::actions::{AppSettings, ConfigChanges};
use skypanel_core::model::{DeploymentStatus, Formation, Trigger};

use crate::world::World;

fn setting(name: &str) -> ConfigChanges {
    let set = BTreeMap::from([(name.parse().expect("is a name"), b"1".to_vec().into())]);
    ConfigChanges { set, ..ConfigChanges::default() }
}

#[tokio::test]
async fn what_changes_during_a_first_release_is_rolled_out_behind_it() {
    let world = World::new().await;
    let (actions, developer, shop) = (&world.actions, &world.developer, &world.shop);
    let path = |path: &str| AppSettings { health_check_path: Some(path.to_owned()), ..AppSettings::default() };
    let two: Formation = [("web".parse().expect("is a type"), 2)].into();

    // Before anything is begun, what begins reads it.
    assert_eq!(actions.change_config(developer, shop, &setting("A")).await.expect("changes").deployment, None);
    let first = world.push(world.app.id).await.expect("queues");
    assert_eq!(actions.edit_app(developer, shop, &path("/a")).await.expect("changes").1, None);

    world.roll_out(first).await;
    let config = actions.change_config(developer, shop, &setting("B")).await.expect("changes");
    let config = world.store().deployment(config.deployment.expect("is released")).await.expect("is there");
    assert_eq!((config.trigger, config.parent_id), (Trigger::Config, None), "what will be live is not known yet");
    assert!(actions.move_to_plan(developer, shop, "standard", false).await.expect("moves").begun.job.is_some());
    assert!(actions.scale(developer, shop, &two, false).await.expect("scales").begun.job.is_some());
    assert!(actions.edit_app(developer, shop, &path("/b")).await.expect("changes").1.is_some());
    assert_eq!(world.queued("deploy", "deployment").await, [first, config.id].map(|id| id.to_string()));
    assert_eq!(world.queued("apply", "app").await.len(), 3);

    // What stands still gets it when it starts.
    actions.stop(developer, shop).await.expect("stops");
    assert_eq!(actions.change_config(developer, shop, &setting("C")).await.expect("changes").deployment, None);
    world.close().await;
}

#[tokio::test]
async fn a_running_release_is_cancelled_for_its_people_at_once() {
    let world = World::new().await;
    let release = world.release(world.app.id).await;
    let running = world.push(world.app.id).await.expect("queues");
    world.roll_out(running).await;
    world.actions.cancel_deployment(&world.developer, &world.shop, Some(running)).await.expect("cancels");
    assert!(!world.store().advance_deployment(running, DeploymentStatus::Deploying).await.expect("answers"));
    assert!(!world.store().complete_deployment(running).await.expect("answers"), "its worker comes too late");
    let app = world.store().app(world.app.id).await.expect("is there");
    assert_eq!(app.current_deployment_id, Some(release));
    let again = world.actions.cancel_deployment(&world.developer, &world.shop, Some(running)).await.expect("answers");
    assert!(again.is_empty(), "it has ended");
    world.close().await;
}
