//! What a worker that died left running in the engine.

use skypanel_core::actions::Actor;
use skypanel_core::model::{AppRef, DeploymentId, DeploymentStatus};

use crate::world::{World, run};

/// Containers of a deployment: its build's, its release command's and a task of it.
fn containers(world: &World, of: DeploymentId, name: &str) {
    for role in ["build", "release", "task"] {
        let labels = [("skypanel.deployment", of.to_string()), ("skypanel.role", role.to_owned())];
        world.engine.add(&format!("{name}-{role}"), &labels);
    }
}

#[test]
fn what_a_dead_worker_left_running_ends_before_the_deployment_goes_on() {
    run(async {
        let world = World::new().await;
        let (shop, blog) = (world.app("shop").await, world.app("blog").await);
        let first = world.push(shop.id).await;
        let other = world.push(blog.id).await;
        containers(&world, first, "first");
        containers(&world, other, "other");
        sqlx::query("DELETE FROM skypanel_jobs._private_jobs WHERE key = $1")
            .bind(format!("deploy:{other}"))
            .execute(world.database.pool())
            .await
            .expect("waits");
        world.interrupt().await;
        let told = world.while_working(world.told(first, None)).await;
        assert!(told.contains("Skypanel was interrupted"), "{told}");
        // What serves is the rollout's to end, and another's build goes on.
        assert_eq!(world.engine.containers(), ["first-task", "other-build", "other-release", "other-task"]);
        world.close().await;
    });
}

#[test]
fn a_build_that_was_cancelled_while_its_worker_was_dead_ends_too() {
    run(async {
        let world = World::new().await;
        let app = world.app("shop").await;
        let cancelled = world.push(app.id).await;
        assert!(world.store().advance_deployment(cancelled, DeploymentStatus::Building).await.expect("answers"));
        containers(&world, cancelled, "cancelled");
        world.actions.cancel_deployment(&Actor::system(), &AppRef::Id(app.id), None).await.expect("cancels");
        world.interrupt().await;
        let told = world.while_working(world.told(cancelled, None)).await;
        assert!(told.contains("Cancelled by"), "{told}");
        assert_eq!(world.engine.containers(), ["cancelled-task"]);
        world.close().await;
    });
}
