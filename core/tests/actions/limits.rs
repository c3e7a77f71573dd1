//! How many deployments an organisation may have within an hour.

use skypanel_core::Error;
use skypanel_core::model::DeploymentId;

use crate::world::World;

async fn limit(world: &World, most: i32) {
    sqlx::query("UPDATE organizations SET max_deployments_per_hour = $1")
        .bind(most)
        .execute(world.pool())
        .await
        .expect("limits");
}

#[track_caller]
fn refused(pushed: &skypanel_core::Result<DeploymentId>) {
    assert!(matches!(pushed, Err(Error::TooMany { .. })), "{pushed:?}");
}

#[tokio::test]
async fn a_destroyed_app_gives_no_deployments_back() {
    let world = World::new().await;
    limit(&world, 2).await;
    for slug in ["one", "two"] {
        let app = world.app_named(slug).await.id;
        world.push(app).await.expect("queues");
        world.store().delete_app(app).await.expect("deletes");
    }
    refused(&world.push(world.app.id).await);
    world.clock.advance(std::time::Duration::from_hours(1));
    world.push(world.app.id).await.expect("queues");
    world.close().await;
}

#[tokio::test]
async fn a_rollback_is_neither_limited_nor_counted() {
    let world = World::new().await;
    limit(&world, 2).await;
    world.release(world.app.id).await;
    world.release(world.app.id).await;
    refused(&world.push(world.app.id).await);
    for _ in 0..2 {
        world.actions.rollback(&world.developer, &world.shop, None).await.expect("queues");
    }
    limit(&world, 3).await;
    world.push(world.app.id).await.expect("queues");
    refused(&world.push(world.app.id).await);
    world.close().await;
}
