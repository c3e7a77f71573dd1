//! What workers do to the store, so that apps of a test have releases and logs.

use std::collections::BTreeMap;

use skypanel_core::model::{
    AppId, AppStatus, Artifact, DeploymentId, DeploymentStatus, NewDeployment, ProcessType, Sha256Digest, Trigger,
};

use crate::world::World;

/// Queues a deployment as a push does.
pub(crate) async fn push(world: &World, app: AppId, commit: &str) -> DeploymentId {
    let new = NewDeployment {
        id: DeploymentId::new(),
        application_id: app,
        trigger: Trigger::Push,
        git_branch: Some("main".to_owned()),
        git_commit: Some(commit.repeat(40)),
        git_message: Some("Say hello".to_owned()),
        git_author: Some("Ada <ada@example.com>".to_owned()),
        no_cache: false,
        description: format!("Deploy {}", commit.repeat(7)),
        parent_id: None,
        created_by: Some(world.users["developer"].id),
    };
    let actor = world.actor("developer").await;
    world.actions.begin(&actor, &skypanel_core::model::AppRef::Id(app), &new).await.expect("queues");
    new.id
}

/// Brings a queued deployment live, with a `web`, a `worker` and a `release` process.
pub(crate) async fn go_live(world: &World, id: DeploymentId) {
    let store = world.store();
    let app = store.deployment(id).await.expect("is there").application_id;
    assert!(store.advance_deployment(id, DeploymentStatus::Building).await.expect("answers"));
    let processes: BTreeMap<ProcessType, String> = [("web", "serve"), ("worker", "work"), ("release", "migrate")]
        .into_iter()
        .map(|(name, command)| (name.parse().expect("is a type"), command.to_owned()))
        .collect();
    let (image, slug) = (Sha256Digest::of(b"image"), Some(Sha256Digest::of(b"slug")));
    let artifact = Artifact { image, slug, bytes: 4711, buildpack: "python".to_owned(), processes };
    store.set_artifact(id, &artifact).await.expect("stores");
    let version = store.assign_version(id, 0).await.expect("numbers");
    store.report_app_status(app, AppStatus::Deploying).await.expect("reports");
    assert!(store.complete_deployment(id).await.expect("answers"));
    store.report_app_status(app, AppStatus::Running).await.expect("reports");
    let log = world.actions.streams.writer(id.into()).await.expect("opens");
    log.step(&format!("Launching {version}")).await;
    log.detail("gr\u{fc}n").await;
    log.close(true).await.expect("closes");
}

/// An app of `acme` that runs a release.
pub(crate) async fn running(world: &World, slug: &str) -> AppId {
    let app = world.app(slug).await.id;
    let id = push(world, app, "1").await;
    go_live(world, id).await;
    app
}

/// Jobs in the queue, as `task state`.
pub(crate) async fn queued(world: &World) -> Vec<String> {
    let rows: Vec<(String,)> = sqlx::query_as("SELECT task_identifier FROM skypanel_jobs.jobs ORDER BY id")
        .fetch_all(world.store().pool())
        .await
        .expect("answers");
    rows.into_iter().map(|(task,)| task).collect()
}

/// Actions in the audit log, oldest first.
pub(crate) async fn audited(world: &World) -> Vec<String> {
    let rows: Vec<(String,)> =
        sqlx::query_as("SELECT action FROM paas_audit_log WHERE target_kind = 'app' ORDER BY id")
            .fetch_all(world.store().pool())
            .await
            .expect("answers");
    rows.into_iter().map(|(action,)| action).collect()
}
