//! The `release` process, and leftovers of an interrupted Skypanel.

use std::time::{Duration, Instant};

use bollard::query_parameters::ListNetworksOptionsBuilder;
use skypanel_core::model::{Application, DeploymentId};
use skypanel_deployer::DeployError;

use crate::task::command;
use crate::world::{Prepared, World};

#[tokio::test(flavor = "multi_thread")]
async fn the_release_process_runs_once_with_config_and_tells_its_failure() {
    let mut world = World::new().await;
    let app = world.app().await;
    world.configure(&app, &[("GREETING", "good morning")]).await;
    let web = command("web");

    let script = "echo \"$GREETING from $DYNO\"; printf 'no end of line' >&2";
    let prepared = world.deployment(&app, &[("web", &web), ("release", script)]).await;
    world
        .with_release(&app, &prepared, &[("web", 1)], async |release| {
            world.deployer.run_release_process(&release).await.expect("goes well");
        })
        .await;
    let log = world.log_of(&prepared).await;
    assert!(log.contains("       good morning from release.1\n"), "{log}");
    assert!(log.contains("       no end of line\n"), "{log}");
    assert_eq!(world.containers(&[("skypanel.role", "release")]).await, Vec::<String>::new());

    let failing = "echo migrating; exit 7";
    let prepared = world.deployment(&app, &[("web", &web), ("release", failing)]).await;
    let error = world
        .with_release(&app, &prepared, &[], async |release| world.deployer.run_release_process(&release).await)
        .await
        .expect_err("fails");
    assert_eq!(error.code(), "RELEASE_FAILED");
    assert!(error.to_string().contains("The release command failed with exit status 7"), "{error}");
    assert!(world.log_of(&prepared).await.contains("       migrating\n"));

    world.settings.release_timeout_seconds = 1;
    let prepared = world.deployment(&app, &[("web", &web), ("release", "sleep 60")]).await;
    let error = world
        .with_release(&app, &prepared, &[], async |release| world.deployer.run_release_process(&release).await)
        .await
        .expect_err("takes too long");
    assert!(error.to_string().contains("did not end within 1 s"), "{error}");

    world.settings.release_timeout_seconds = 60;
    let prepared = world.deployment(&app, &[("web", &web), ("release", "sleep 60")]).await;
    let error = world
        .with_release(&app, &prepared, &[], async |release| {
            let cancel = async {
                tokio::time::sleep(std::time::Duration::from_secs(1)).await;
                prepared.cancel.cancel();
            };
            tokio::join!(world.deployer.run_release_process(&release), cancel).0
        })
        .await
        .expect_err("is cancelled");
    assert!(matches!(error, DeployError::Cancelled), "{error}");
    assert_eq!(world.containers(&[("skypanel.role", "release")]).await, Vec::<String>::new());
    world.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn leftovers_go_and_what_runs_stays() {
    let mut world = World::new().await;
    let (app, gone) = (world.app().await, world.app().await);
    let web = command("web");
    for app in [&app, &gone] {
        world.configure(app, &[("GREETING", "hello")]).await;
        world.release(app, &[("web", &web)], &[("web", 1)]).await.expect("goes live");
    }
    // An app whose row went while its services stayed, and a release process that a crash left.
    world.database.store().delete_app(gone.id).await.expect("is deleted");
    let prepared = leave_release_process(&world, &app).await;
    assert_eq!(world.containers(&[("skypanel.role", "release")]).await.len(), 1);

    // The hourly clean-up leaves alone what runs; who tries the deployment again ends what is left of it.
    world.deployer.remove_orphans(world.database.store()).await.expect("cleans up");
    assert_eq!(world.containers(&[("skypanel.app", gone.slug.as_str())]).await, Vec::<String>::new());
    let begun = Instant::now();
    // Swarm tells of it for a moment longer.
    while networks(&world, &gone).await > 0 {
        assert!(begun.elapsed() < Duration::from_secs(20), "its network goes, too");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!((networks(&world, &app).await, world.get(&app).await.0), (1, 200));
    world.deployer.end_release_process_of(DeploymentId::new()).await.expect("finds none");
    assert_eq!(world.containers(&[("skypanel.role", "release")]).await.len(), 1);
    world.deployer.end_release_process_of(prepared.id).await.expect("ends it");
    assert_eq!(world.containers(&[("skypanel.role", "release")]).await, Vec::<String>::new());

    leave_release_process(&world, &app).await;
    world.deployer.remove_leftovers(world.database.store()).await.expect("cleans up");
    assert_eq!(world.containers(&[("skypanel.role", "release")]).await, Vec::<String>::new());
    assert_eq!(world.containers(&[("skypanel.app", gone.slug.as_str())]).await, Vec::<String>::new());
    assert_eq!(world.get(&app).await, (200, "hello v1 web.1".to_owned()));
    // Its secret is in use and stays.
    world.release(&app, &[("web", &web)], &[("web", 2)]).await.expect("goes live");
    assert_eq!(world.get(&app).await.0, 200);
    world.close().await;
}

/// Begins a release process as by a process that was killed then: nothing removes the container.
async fn leave_release_process(world: &World, app: &Application) -> Prepared {
    let prepared = world.deployment(app, &[("web", &command("web")), ("release", "sleep 60")]).await;
    world
        .with_release(app, &prepared, &[], async |release| {
            let cut = Duration::from_millis(1_500);
            let run = Box::pin(world.deployer.run_release_process(&release));
            let mut run = std::mem::ManuallyDrop::new(run);
            let _ = tokio::time::timeout(cut, &mut *run).await;
        })
        .await;
    prepared
}

async fn networks(world: &World, app: &Application) -> usize {
    let wanted = vec![format!("skypanel.app_id={}", app.id)];
    let options = ListNetworksOptionsBuilder::new().filters(&[("label", wanted)].into()).build();
    world.engine.list_networks(Some(options)).await.expect("lists").len()
}
