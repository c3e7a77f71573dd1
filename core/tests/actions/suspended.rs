//! A suspended organisation: nothing of it starts, whichever way somebody tries.

use skypanel_core::actions::{AppSettings, ArchiveDeploy, NewApp, RepositoryDeploy};
use skypanel_core::model::{AppStatus, DeploymentStatus, SuspensionReason};
use skypanel_core::{Error, Result};

use crate::world::{World, pushed};

#[track_caller]
fn refused<T: std::fmt::Debug>(result: Result<T>) {
    match result {
        Err(Error::Forbidden(words)) => assert!(words.contains("suspended the organisation \"acme\""), "{words}"),
        other => panic!("not refused: {other:?}"),
    }
}

async fn suspend(world: &World) {
    world.actions.suspend_organization(&world.admin, &world.organization(), None).await.expect("suspends");
}

#[tokio::test]
async fn what_stood_still_does_not_start() {
    let world = World::new().await;
    let (actions, developer, shop) = (&world.actions, &world.developer, &world.shop);
    world.release(world.app.id).await;
    let second = world.release(world.app.id).await;
    actions.stop(developer, shop).await.expect("stops");
    let fresh = world.app_named("fresh").await;
    let deployments = world.store().releases(world.app.id, 9).await.expect("lists").len();
    suspend(&world).await;
    assert_eq!(
        (world.status(world.app.id).await, world.status(fresh.id).await),
        (AppStatus::Stopped, AppStatus::Inactive)
    );

    refused(actions.start(developer, shop).await);
    refused(actions.start(&world.admin, shop).await);
    refused(actions.rollback(developer, shop, None).await);
    for app in [world.app.id, fresh.id] {
        refused(world.push(app).await);
        refused(world.store().create_deployment(&pushed(app)).await);
        let set = "UPDATE paas_applications SET git_url = 'https://git.example.test/acme/shop.git' WHERE id = $1";
        sqlx::query(set).bind(app).execute(world.pool()).await.expect("sets");
        let app = skypanel_core::model::AppRef::Id(app);
        refused(actions.deploy_from_repository(developer, &app, RepositoryDeploy::default()).await);
        let archive = ArchiveDeploy { file: archive(), description: None, no_cache: false };
        refused(actions.deploy_from_archive(developer, &app, archive).await);
    }
    // Whoever found the organisation before it was suspended is refused all the same.
    let new = NewApp { settings: AppSettings::default(), ..NewApp::default() };
    refused(actions.create_app(developer, &new).await);
    // A worker that takes what was queued before asks as well.
    refused(world.store().ensure_may_run(world.acme.id).await);
    assert_eq!(world.store().releases(world.app.id, 9).await.expect("lists").len(), deployments);
    assert_eq!(world.status(world.app.id).await, AppStatus::Stopped);

    actions.resume_organization(&world.admin, &world.organization()).await.expect("resumes");
    assert_eq!(world.status(world.app.id).await, AppStatus::Stopped, "it was stopped before");
    let started = actions.start(developer, shop).await.expect("starts").app;
    assert_eq!((started.status, started.current_deployment_id), (AppStatus::Running, Some(second)));
    world.push(fresh.id).await.expect("deploys");
    world.close().await;
}

/// Between a push and the word of its worker an app is not known to do anything.
#[tokio::test]
async fn a_first_deployment_that_was_queued_before_does_not_go_live() {
    let world = World::new().await;
    let deployment = world.push(world.app.id).await.expect("queues");
    suspend(&world).await;
    let app = world.store().app(world.app.id).await.expect("is there");
    assert_eq!((app.status, app.suspended_reason), (AppStatus::Suspended, Some(SuspensionReason::Admin)));
    for status in [AppStatus::Building, AppStatus::Deploying, AppStatus::Running] {
        assert!(!world.store().report_app_status(app.id, status).await.expect("answers"), "{status} does not count");
    }
    assert!(!world.store().complete_deployment(deployment).await.expect("answers"), "it was cancelled");
    assert_eq!(world.status(app.id).await, AppStatus::Suspended);
    world.actions.resume_organization(&world.admin, &world.organization()).await.expect("resumes");
    assert_eq!(world.status(app.id).await, AppStatus::Inactive, "as it was");
    world.close().await;
}

/// The job that stops an app waits behind its build, so that has to end.
#[tokio::test]
async fn a_stop_and_a_suspension_cancel_what_is_being_deployed() {
    let world = World::new().await;
    let (actions, app) = (&world.actions, world.app.id);
    let release = world.release(app).await;
    let begin = async || {
        let deployment = world.push(app).await.expect("queues");
        assert!(world.store().advance_deployment(deployment, DeploymentStatus::Building).await.expect("builds"));
        deployment
    };
    let ended = async |deployment, why: &str| {
        assert!(!world.store().advance_deployment(deployment, DeploymentStatus::Packaging).await.expect("answers"));
        assert!(!world.store().complete_deployment(deployment).await.expect("answers"));
        let ended = world.store().deployment(deployment).await.expect("is there");
        assert_eq!(ended.status, DeploymentStatus::Cancelled);
        assert!(ended.error.as_deref().is_some_and(|error| error.contains(why)), "{:?}", ended.error);
        assert_eq!(world.store().app(app).await.expect("is there").current_deployment_id, Some(release));
    };
    let stopped = begin().await;
    actions.stop(&world.developer, &world.shop).await.expect("stops");
    ended(stopped, "the app was stopped").await;

    // A push to an app that is stopped is built, but not while its organisation is suspended.
    let pushed = begin().await;
    suspend(&world).await;
    assert_eq!(world.status(app).await, AppStatus::Stopped);
    ended(pushed, "suspended the organisation").await;
    actions.resume_organization(&world.admin, &world.organization()).await.expect("resumes");
    actions.start(&world.developer, &world.shop).await.expect("starts");
    let held = begin().await;
    suspend(&world).await;
    assert_eq!(world.status(app).await, AppStatus::Suspended);
    ended(held, "suspended the organisation").await;
    actions.resume_organization(&world.admin, &world.organization()).await.expect("resumes");
    assert_eq!(world.status(app).await, AppStatus::Running);
    world.close().await;
}

/// Who starts something holds off a suspension until that is committed, which then finds it.
#[tokio::test]
async fn a_start_at_the_same_time_is_held_or_refused() {
    let world = World::new().await;
    world.release(world.app.id).await;
    for round in 0..10 {
        world.actions.stop(&world.developer, &world.shop).await.expect("stops");
        let (started, ()) = tokio::join!(world.actions.start(&world.developer, &world.shop), suspend(&world));
        let status = world.status(world.app.id).await;
        match started {
            Ok(_) => assert_eq!(status, AppStatus::Suspended, "round {round}"),
            Err(Error::Forbidden(_)) => assert!(matches!(status, AppStatus::Stopped | AppStatus::Suspended)),
            Err(other) => panic!("round {round}: {other}"),
        }
        world.actions.resume_organization(&world.admin, &world.organization()).await.expect("resumes");
    }
    world.close().await;
}

pub(crate) fn archive() -> std::fs::File {
    use std::io::Seek as _;
    let mut archive = tar::Builder::new(tempfile::tempfile().expect("makes a file"));
    let mut header = tar::Header::new_gnu();
    header.set_size(5);
    header.set_mode(0o644);
    archive.append_data(&mut header, "index.html", &b"hello"[..]).expect("adds");
    let mut file = archive.into_inner().expect("ends");
    file.rewind().expect("rewinds");
    file
}
