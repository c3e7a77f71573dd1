//! Whose turn it is to build.

use skypanel_core::actions::RepositoryDeploy;
use skypanel_core::model::{AppId, AppRef, DeploymentId, DeploymentStatus, NewDeployment, Trigger};
use skypanel_core::store::Turn;

use crate::world::{World, pushed};

async fn limited(places: i32) -> World {
    let world = World::new().await;
    sqlx::query("UPDATE organizations SET max_concurrent_builds = $1")
        .bind(places)
        .execute(world.pool())
        .await
        .expect("limits");
    world
}

impl World {
    async fn turn(&self, deployment: DeploymentId) -> Turn {
        self.store().take_turn(deployment, true).await.expect("answers")
    }

    /// Deployments in the queue that may be taken at once.
    async fn called(&self) -> Vec<DeploymentId> {
        let rows: Vec<(DeploymentId,)> = sqlx::query_as(
            "SELECT (jobs.payload ->> 'deployment')::uuid FROM skypanel_jobs._private_jobs AS jobs
             WHERE jobs.key LIKE 'deploy:%' AND jobs.run_at <= now() ORDER BY jobs.id",
        )
        .fetch_all(self.pool())
        .await
        .expect("lists");
        rows.into_iter().map(|(id,)| id).collect()
    }
}

/// Deployments that are fetched are `building` while that lasts, so that cannot be what counts.
#[tokio::test]
async fn fetched_deployments_do_not_wait_for_each_other() {
    let world = limited(1).await;
    let other = world.app_named("blog").await;
    let mut deployments = Vec::new();
    for app in [world.app.id, other.id] {
        let set = "UPDATE paas_applications SET git_url = 'https://git.example.test/acme/shop.git' WHERE id = $1";
        sqlx::query(set).bind(app).execute(world.pool()).await.expect("sets");
        let what = RepositoryDeploy::default();
        let started = world.actions.deploy_from_repository(&world.developer, &AppRef::Id(app), what).await;
        deployments.push(started.expect("queues").deployment);
    }
    for deployment in &deployments {
        let begun = world.store().advance_deployment(*deployment, DeploymentStatus::Building).await;
        assert!(begun.expect("answers"));
    }
    assert_eq!(world.turn(deployments[0]).await, Turn::Now);
    world.store().end_build(deployments[0]).await.expect("ends");
    assert_eq!(world.turn(deployments[1]).await, Turn::Now);
    world.close().await;
}

#[tokio::test]
async fn places_go_to_those_who_asked_first_and_they_are_called() {
    let world = limited(1).await;
    let mut waiting = Vec::new();
    for slug in ["a", "b", "c"] {
        world.clock.advance(std::time::Duration::from_secs(1));
        let app = world.app_named(&format!("app-{slug}")).await.id;
        waiting.push((app, world.push(app).await.expect("queues")));
    }
    let [(_, a), (_, b), (app_c, c)] = waiting[..] else { panic!("are three") };
    assert_eq!(world.turn(a).await, Turn::Now);
    assert_eq!(world.turn(c).await, Turn::Later { again: false });
    assert_eq!(world.turn(b).await, Turn::Later { again: false });
    assert_eq!(world.turn(b).await, Turn::Later { again: true });
    assert_eq!(world.called().await, [a], "those who wait have no worker");
    let status = world.store().deployment(b).await.expect("is there").status;
    assert_eq!(status, DeploymentStatus::Queued);

    // At the end of its build, and not only of its rollout.
    assert!(world.store().advance_deployment(a, DeploymentStatus::Packaging).await.expect("answers"));
    world.store().end_build(a).await.expect("ends");
    assert_eq!(world.called().await, [a, b], "the next is called, and only the next");
    assert_eq!(world.turn(c).await, Turn::Later { again: true }, "even if another is quicker");
    assert_eq!(world.turn(b).await, Turn::Now);

    // A newer push takes the place of one that waits.
    world.clock.advance(std::time::Duration::from_secs(1));
    let newer = world.push(app_c).await.expect("queues");
    let old = world.store().deployment(c).await.expect("is there");
    assert_eq!((old.status, old.error_code.as_deref()), (DeploymentStatus::Cancelled, Some("SUPERSEDED")));
    assert_eq!(world.turn(newer).await, Turn::Later { again: false });
    // So does whoever cancels what is built.
    world.actions.cancel_deployment(&world.developer, &world.app_of(b).await, Some(b)).await.expect("cancels");
    assert_eq!(world.turn(newer).await, Turn::Now);
    assert_eq!(world.turn(c).await, Turn::Now, "it has ended, which its worker is to see");
    world.close().await;
}

#[tokio::test]
async fn a_rollback_waits_for_the_build_that_was_asked_for_before() {
    let world = limited(1).await;
    let release = world.release(world.app.id).await;
    let blog = world.app_named("blog").await.id;
    let building = world.push(blog).await.expect("queues");
    assert_eq!(world.turn(building).await, Turn::Now);
    world.clock.advance(std::time::Duration::from_secs(1));
    let waits = world.push(world.app.id).await.expect("queues");
    world.clock.advance(std::time::Duration::from_secs(1));
    let back = NewDeployment { trigger: Trigger::Config, parent_id: Some(release), ..pushed(world.app.id) };
    world.actions.begin(&world.developer, &world.shop, &back).await.expect("queues");
    let turn_of_it = || world.store().take_turn(back.id, false);
    assert_eq!(world.turn(waits).await, Turn::Later { again: false });
    assert_eq!(turn_of_it().await.expect("answers"), Turn::Later { again: false });
    world.store().end_build(building).await.expect("ends");
    assert_eq!(world.turn(waits).await, Turn::Now);
    assert_eq!(turn_of_it().await.expect("answers"), Turn::Now, "it is behind that in the app's queue");
    world.close().await;
}

impl World {
    async fn app_of(&self, deployment: DeploymentId) -> AppRef {
        let app: AppId = self.store().deployment(deployment).await.expect("is there").application_id;
        AppRef::Id(app)
    }
}
