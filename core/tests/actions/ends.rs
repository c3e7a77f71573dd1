//! How deployments and destructions end: everything that follows is there with the end, or nothing is.

use chrono::TimeDelta;
use skypanel_core::actions::RepositoryDeploy;
use skypanel_core::jobs::Destroy;
use skypanel_core::model::{AppStatus, DeploymentId, DeploymentStatus};
use skypanel_core::store::JobState;

use crate::suspended::archive;
use crate::world::World;

impl World {
    /// Queues a deployment of a repository elsewhere, whose host wants to know how it goes.
    async fn fetched(&self) -> DeploymentId {
        sqlx::query("UPDATE paas_applications SET git_url = 'https://git.example.test/acme/shop.git'")
            .execute(self.pool())
            .await
            .expect("connects");
        let what = RepositoryDeploy::default();
        let started = self.actions.deploy_from_repository(&self.developer, &self.shop, what).await;
        started.expect("queues").deployment
    }

    /// Kinds of the app's events, oldest first.
    async fn events(&self) -> Vec<String> {
        let rows: Vec<(String,)> =
            sqlx::query_as("SELECT kind FROM paas_events ORDER BY id").fetch_all(self.pool()).await.expect("lists");
        rows.into_iter().map(|(kind,)| kind).collect()
    }

    async fn reports(&self, deployment: DeploymentId) -> usize {
        let all = self.queued("report_status", "deployment").await;
        all.iter().filter(|reported| **reported == deployment.to_string()).count()
    }
}

#[tokio::test]
async fn success_is_one_step_with_all_that_tells_of_it() {
    let world = World::new().await;
    let deployment = world.fetched().await;
    assert_eq!(world.reports(deployment).await, 1, "it waits");
    world.roll_out(deployment).await;
    assert!(world.store().complete_deployment(deployment).await.expect("answers"));
    let app = world.store().app(world.app.id).await.expect("is there");
    assert_eq!((app.status, app.current_deployment_id), (AppStatus::Running, Some(deployment)));
    assert_eq!(world.events().await, ["release"]);
    assert_eq!(world.reports(deployment).await, 2);
    assert!(!world.store().complete_deployment(deployment).await.expect("answers"), "once");
    assert_eq!((world.events().await.len(), world.reports(deployment).await), (1, 2));
    world.close().await;
}

#[tokio::test]
async fn failure_is_one_step_with_all_that_tells_of_it() {
    let world = World::new().await;
    let why = Some(("BUILD_FAILED", "It does not compile."));
    let first = world.fetched().await;
    assert!(world.store().report_app_status(world.app.id, AppStatus::Building).await.expect("reports"));
    assert!(world.store().finish_deployment(first, DeploymentStatus::Failed, why).await.expect("ends"));
    assert_eq!(world.status(world.app.id).await, AppStatus::Failed);
    assert_eq!((world.events().await, world.reports(first).await), (vec!["failure".to_owned()], 2));

    let release = world.release(world.app.id).await;
    let second = world.fetched().await;
    world.roll_out(second).await;
    assert_eq!(world.status(world.app.id).await, AppStatus::Deploying);
    assert!(world.store().finish_deployment(second, DeploymentStatus::Failed, why).await.expect("ends"));
    let app = world.store().app(world.app.id).await.expect("is there");
    assert_eq!((app.status, app.current_deployment_id), (AppStatus::Running, Some(release)), "the one before serves");
    assert!(!world.store().finish_deployment(second, DeploymentStatus::Failed, why).await.expect("answers"), "once");
    assert_eq!(world.reports(second).await, 2);

    world.actions.stop(&world.developer, &world.shop).await.expect("stops");
    let third = world.fetched().await;
    assert!(world.store().finish_deployment(third, DeploymentStatus::Failed, why).await.expect("ends"));
    assert_eq!(world.status(world.app.id).await, AppStatus::Stopped);
    world.close().await;
}

#[tokio::test]
async fn the_host_hears_of_a_deployment_that_its_people_cancel() {
    let world = World::new().await;
    let waiting = world.fetched().await;
    world.actions.cancel_deployment(&world.developer, &world.shop, Some(waiting)).await.expect("cancels");
    assert_eq!(world.reports(waiting).await, 2);
    let superseded = world.fetched().await;
    let newer = world.fetched().await;
    assert_eq!((world.reports(superseded).await, world.reports(newer).await), (2, 1));
    let pushed = world.push(world.app.id).await.expect("queues");
    assert_eq!((world.reports(newer).await, world.reports(pushed).await), (2, 0), "a push has no host");
    world.close().await;
}

#[tokio::test]
async fn an_archive_is_queued_with_the_time_that_receiving_it_took() {
    let world = World::new().await;
    let archive = skypanel_core::actions::ArchiveDeploy { file: archive(), description: None, no_cache: false };
    // Whatever fails has to fail before anything is queued.
    sqlx::query("ALTER TABLE paas_deployment_stages ADD CHECK (stage <> 'receive')")
        .execute(world.pool())
        .await
        .expect("breaks");
    world.actions.deploy_from_archive(&world.developer, &world.shop, archive).await.expect_err("fails");
    assert!(world.store().unfinished_deployments(world.app.id).await.expect("lists").is_empty());
    assert!(world.queued("deploy", "deployment").await.is_empty());
    world.close().await;
}

#[tokio::test]
async fn sessions_that_are_over_are_forgotten() {
    use skypanel_core::actions::Login;
    let world = World::new().await;
    let log_in =
        |password| Login { email: "dev@x.io", password, code: None, user_agent: None, address: None, request_id: None };
    let left = async || -> (i64, i64, i64) {
        sqlx::query_as(
            "SELECT (SELECT count(*) FROM user_sessions), (SELECT count(*) FROM user_refresh_tokens),
                    (SELECT count(*) FROM auth_failures)",
        )
        .fetch_one(world.pool())
        .await
        .expect("counts")
    };
    world.actions.log_in(log_in("wrong")).await.expect_err("is refused");
    let ended = world.actions.log_in(log_in(crate::world::PASSWORD)).await.expect("logs in");
    world.actions.log_out(ended.refresh.as_str(), None, None).await.expect("logs out");
    let open = world.actions.log_in(log_in(crate::world::PASSWORD)).await.expect("logs in");
    let open = world.actions.refresh_session(open.refresh.as_str(), None, None).await.expect("goes on");
    world.actions.log_in(log_in("wrong")).await.expect_err("is refused");
    let (_, _, failures) = left().await;
    assert!(failures > 0);
    world.store().drop_old_sessions().await.expect("drops");
    assert_eq!(left().await, (2, 3, failures), "nothing is old");

    world.clock.set(world.clock.now() + TimeDelta::days(8));
    world.store().drop_old_sessions().await.expect("drops");
    assert_eq!(left().await, (1, 2, 0), "the one that goes on, with what was exchanged for it");
    world.actions.refresh_session(open.refresh.as_str(), None, None).await.expect("goes on");
    world.clock.set(world.clock.now() + TimeDelta::days(365));
    world.store().drop_old_sessions().await.expect("drops");
    assert_eq!(left().await, (0, 0, 0));
    world.close().await;
}

#[tokio::test]
async fn a_refresh_token_that_comes_back_ends_its_session_however_late() {
    use skypanel_core::actions::Login;
    let world = World::new().await;
    let password = crate::world::PASSWORD;
    let login = Login { email: "dev@x.io", password, code: None, user_agent: None, address: None, request_id: None };
    let stolen = world.actions.log_in(login).await.expect("logs in").refresh;
    let mut last = world.actions.refresh_session(stolen.as_str(), None, None).await.expect("goes on").refresh;
    for _ in 0..8 {
        world.clock.set(world.clock.now() + TimeDelta::days(10));
        world.store().drop_old_sessions().await.expect("drops");
        last = world.actions.refresh_session(last.as_str(), None, None).await.expect("goes on").refresh;
    }
    world.actions.refresh_session(stolen.as_str(), None, None).await.expect_err("was used already");
    world.actions.refresh_session(last.as_str(), None, None).await.expect_err("the session has ended");
    world.close().await;
}

#[tokio::test]
async fn a_destruction_that_used_its_tries_up_has_failed_until_it_begins_anew() {
    let world = World::new().await;
    let slug = world.app.slug.clone();
    let destroyed = world.actions.destroy_app(&world.owner, &world.shop, slug.as_str()).await.expect("begins");
    let job = destroyed.job.expect("has a job");
    let state = async || {
        let operation = world.actions.operation(&world.owner, job).await.expect("is there");
        (operation.state(), operation.outcome())
    };
    assert_eq!(state().await, (JobState::Queued, None));
    sqlx::query("UPDATE skypanel_jobs._private_jobs SET attempts = max_attempts, last_error = 'see the log'")
        .execute(world.pool())
        .await
        .expect("uses them up");
    assert_eq!(state().await, (JobState::Done, Some(false)));
    assert_eq!(world.status(world.app.id).await, AppStatus::Deleting);

    for _ in 0..2 {
        world.actions.jobs.add_if_missing(Destroy { app: world.app.id, slug: slug.clone() }).await.expect("adds");
        assert_eq!(state().await, (JobState::Queued, None));
    }
    assert_eq!(world.queued("destroy", "slug").await, [slug.as_str()]);
    world.close().await;
}
