//! An agent that is killed in mid-flood loses nothing and stores nothing twice.

use std::time::Duration;

use crate::agent;
use crate::task::Task;
use crate::world::{World, texts};

const LINES: u32 = 300_000;

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_agent_loses_no_line_and_repeats_none() {
    let mut world = World::new().await;
    let (app, other) = (world.app().await, world.app().await);
    world.start(&app, "web.1", &Task::Counts { per_second: 30_000, lines: LINES }).await;
    world.start(&other, "web.1", &Task::Counts { per_second: 100, lines: 800 }).await;
    let database = world.database.url();
    let start = || agent::start(&world.installation, world.directory(), &database);
    let mut running = start();
    let limit = Duration::from_secs(100);
    // The first time before any position was written down.
    for lines in [1, 20_000, 60_000, 120_000, 200_000] {
        world.until(app.id, limit, |records| records.len() >= lines).await;
        running.kill().expect("is killed");
        running.wait().expect("has ended");
        running = start();
    }
    world.until(app.id, limit, |records| records.len() >= LINES as usize).await;
    world.until(other.id, limit, |records| records.len() >= 800).await;
    // Whatever would come twice would come now.
    tokio::time::sleep(Duration::from_secs(1)).await;
    running.kill().expect("is killed");
    running.wait().expect("has ended");
    for (app, count) in [(app.id, LINES), (other.id, 800)] {
        let lines = texts(&world.records(app).await);
        let lines: Vec<&String> = lines.iter().filter(|line| line.starts_with("line ")).collect();
        let numbers: Vec<u32> = lines.iter().map(|line| line[5..13].parse().expect("is a number")).collect();
        assert_eq!(numbers.len(), count as usize);
        assert!(numbers.iter().copied().eq(0..count), "in order, each once");
    }
    world.close().await;
}
