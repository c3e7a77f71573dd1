//! Rollouts that are stopped on their way.

use std::time::Duration;

use skypanel_core::actions::Actor;
use skypanel_core::model::{AppRef, AppStatus, DeploymentStatus, ProcessType, Stage};
use skypanel_core::store::{Crash, Crashed};

use crate::world::{World, image, run};

#[test]
fn a_deployment_that_is_cancelled_in_mid_rollout_leaves_the_release_before_as_it_was() {
    run(async {
        let world = World::new().await;
        world.engine.join_swarm();
        let app = world.app("shop").await;
        let first = world.push(app.id).await;
        world.build(first, "one").await;
        let told = world.while_working(world.told(first, None)).await;
        assert!(told.contains("is live (v1"), "{told}");

        let second = world.push(app.id).await;
        world.build(second, "two").await;
        world.engine.swarm(|swarm| swarm.sicken(&image("two").to_string()));
        let runs = |code: &str| {
            let image = image(code).to_string();
            let images = world.engine.swarm(|swarm| swarm.images());
            images.len() == 1 && images["skypanel-shop--web"].ends_with(&image)
        };
        assert!(runs("one"));
        let told = world
            .while_working(async {
                while !runs("two") {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
                let cancelled = world.actions.cancel_deployment(&Actor::system(), &AppRef::Id(app.id), None).await;
                let cancelled: Vec<_> = cancelled.expect("cancels").iter().map(|cancelled| cancelled.id).collect();
                assert_eq!(cancelled, [second]);
                let told = world.told(second, None).await;
                world.until_idle().await;
                told
            })
            .await;
        for words in ["Launching v2", "Cancelled by", "The release that ran before goes on serving."] {
            assert!(told.contains(words), "{words}: {told}");
        }
        assert!(runs("one"), "the engine was told to go back");
        let store = world.store();
        let ended = store.deployment(second).await.expect("is there");
        assert_eq!((ended.status, ended.error_code.as_deref()), (DeploymentStatus::Cancelled, Some("CANCELLED")));
        let stages = store.stages(second).await.expect("are there");
        let stages: Vec<_> =
            stages.iter().map(|stage| (stage.stage, stage.finished_at.is_some(), stage.failed)).collect();
        assert_eq!(stages, [(Stage::Deploy, true, true)]);
        let now = store.app(app.id).await.expect("is there");
        assert_eq!((now.current_deployment_id, now.status), (Some(first), AppStatus::Running));
        let metered = store.metering(app.id).await.expect("lists");
        assert_eq!(metered.iter().filter(|row| row.ended_at.is_none()).count(), 1, "{metered:?}");
        world.close().await;
    });
}

#[test]
fn what_crashes_too_often_is_ended_by_a_job_and_started_by_a_restart() {
    run(async {
        let world = World::new().await;
        world.engine.join_swarm();
        let (app, store) = (world.app("shop").await, world.store());
        store.set_setting("health.max_restarts", "2").await.expect("sets");
        let release = world.push(app.id).await;
        world.build(release, "one").await;
        world.while_working(world.told(release, None)).await;
        let replicas = || world.engine.swarm(|swarm| swarm.replicas())["skypanel-shop--web"];
        let status = async || store.app(app.id).await.expect("is there").status;
        let open = async || {
            let metered = store.metering(app.id).await.expect("lists");
            metered.iter().filter(|row| row.ended_at.is_none()).count()
        };
        let crash = Crash {
            app: app.id,
            deployment: release,
            process: ProcessType::web(),
            replica: 1,
            what: "ended with exit status 1".to_owned(),
            then: "is started again",
            detail: None,
            told_as: "crash",
        };
        assert!(matches!(store.record_crash(&crash).await.expect("counts"), Crashed::Again(_)));
        assert_eq!(store.record_crash(&crash).await.expect("counts"), Crashed::GivenUp);
        world.while_working(world.until_idle()).await;
        assert_eq!((replicas(), status().await, open().await), (0, AppStatus::Failed, 0));

        let begun = world.actions.restart(&Actor::system(), &AppRef::Id(app.id)).await.expect("restarts");
        let told = world.while_working(world.told(begun.job.expect("is queued"), None)).await;
        assert!(told.contains("web: 1 running"), "{told}");
        assert_eq!((replicas(), status().await, open().await), (1, AppStatus::Running, 1));

        // A push that cannot be rolled out leaves what was given up as it was.
        for _ in 0..2 {
            store.record_crash(&crash).await.expect("counts");
        }
        world.while_working(world.until_idle()).await;
        assert_eq!(replicas(), 0);
        let second = world.push(app.id).await;
        world.build(second, "two").await;
        world.engine.swarm(|swarm| swarm.sicken(&image("two").to_string()));
        store.set_setting("health.start_seconds", "1").await.expect("sets");
        let told = world.while_working(world.told(second, None)).await;
        assert!(!told.contains("goes on serving"), "nothing serves: {told}");
        world.while_working(world.until_idle()).await;
        assert_eq!((replicas(), status().await, open().await), (0, AppStatus::Failed, 0));
        world.close().await;
    });
}
