//! The edge as it is seen from beside it.

use std::time::{Duration, Instant};

use bollard::query_parameters::{StartContainerOptions, StopContainerOptionsBuilder};
use skypanel_core::console::{Console as _, Edge};

use crate::world::World;

#[tokio::test(flavor = "multi_thread")]
async fn whether_the_edge_serves_is_seen() {
    let world = World::new().await;
    let console = world.console();
    assert_eq!(console.edge().await.expect("serves"), Edge::Serves);
    // A host that has no agent has no edge either.
    let apart = tempfile::tempdir().expect("makes a directory");
    assert_eq!(world.console_of(apart.path()).edge().await.expect("is fine"), Edge::Absent);

    let edge = world.containers(&[("skypanel.role", "edge")]).await.pop().expect("runs");
    let options = StopContainerOptionsBuilder::new().t(0).build();
    world.engine.stop_container(&edge, Some(options)).await.expect("stops");
    let error = console.edge().await.expect_err("is down").to_string();
    assert!(error.contains("The edge does not serve"), "{error}");
    world.engine.start_container(&edge, None::<StartContainerOptions>).await.expect("starts");
    let begun = Instant::now();
    while console.edge().await.is_err() {
        assert!(begun.elapsed() < Duration::from_secs(30), "does not serve again");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    world.close().await;
}

/// One reload costs time for each app: one for each file would let a host with a thousand apps do nothing else for minutes.
#[tokio::test(flavor = "multi_thread")]
async fn routes_that_change_together_are_read_once() {
    const MANY: usize = 20;
    let starts = |status, body: &str| status == 503 && body.starts_with("/_edge/starting/");
    let mut world = World::new().await;
    let first = world.app().await;
    world.until(&first, starts).await;
    let agent = world.pause().await;
    let mut apps = Vec::new();
    for _ in 0..MANY {
        apps.push(world.app().await);
    }
    let before = world.reloads().await;
    world.resume(agent);
    for app in &apps {
        world.until(app, starts).await;
    }
    let reloads = world.reloads().await - before;
    assert!(reloads <= 1, "{reloads} reloads for {MANY} routes");
    world.close().await;
}
