//! The `release` process, and leftovers of an interrupted Skypanel.

use skypanel_deployer::DeployError;

use crate::task::command;
use crate::world::World;

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
    let prepared = world.deployment(&app, &[("web", &web), ("release", "sleep 60")]).await;
    world
        .with_release(&app, &prepared, &[], async |release| {
            let cut = std::time::Duration::from_millis(1_500);
            let run = Box::pin(world.deployer.run_release_process(&release));
            // Forgotten, as by a process that was killed: nothing removes the container.
            let mut run = std::mem::ManuallyDrop::new(run);
            let _ = tokio::time::timeout(cut, &mut *run).await;
        })
        .await;
    assert_eq!(world.containers(&[("skypanel.role", "release")]).await.len(), 1);

    world.deployer.remove_leftovers(world.database.store()).await.expect("cleans up");
    assert_eq!(world.containers(&[("skypanel.role", "release")]).await, Vec::<String>::new());
    assert_eq!(world.containers(&[("skypanel.app", gone.slug.as_str())]).await, Vec::<String>::new());
    assert_eq!(world.get(&app).await, (200, "hello v1 web.1".to_owned()));
    // Its secret is in use and stays.
    world.release(&app, &[("web", &web)], &[("web", 2)]).await.expect("goes live");
    assert_eq!(world.get(&app).await.0, 200);
    world.close().await;
}
