//! What happens to apps, and what their deployments write, are lines of their logs, each once.

use std::time::Duration;

use skypanel_core::logs::{LogLevel, LogRecord, LogSource, RELEASE_STEP};
use skypanel_core::model::{Application, DeploymentId, DeploymentStatus, NewDeployment, Trigger};
use skypanel_core::stream::Streams;
use skypanel_observer::logs::EmbeddedLogs;

use crate::agent;
use crate::world::{World, texts};

const LIMIT: Duration = Duration::from_secs(30);

fn of(records: &[LogRecord], source: LogSource) -> Vec<String> {
    let records: Vec<LogRecord> = records.iter().filter(|record| record.source == source).cloned().collect();
    texts(&records)
}

async fn deployment(world: &World, app: &Application) -> DeploymentId {
    let new = NewDeployment {
        id: DeploymentId::new(),
        application_id: app.id,
        trigger: Trigger::Push,
        git_branch: None,
        git_commit: None,
        git_message: None,
        git_author: None,
        no_cache: false,
        description: "Deploy 1a2b3c4".to_owned(),
        parent_id: None,
        created_by: None,
    };
    world.database.store().create_deployment(&new).await.expect("is created");
    new.id
}

#[tokio::test(flavor = "multi_thread")]
async fn events_and_builds_are_lines_each_once() {
    let mut world = World::new().await;
    let app = world.app().await;
    let store = world.database.store().clone();
    let streams = Streams::connect(world.database.pool().clone()).await.expect("connects");
    store.record_event(app.id, None, "scale", "Scaled to web=2").await.expect("is recorded");
    let id = deployment(&world, &app).await;
    let log = streams.writer(id.into()).await.expect("opens");
    log.step("Node.js").await;
    world.collect();
    world.until(app.id, LIMIT, |records| !of(records, LogSource::Build).is_empty()).await;
    // Whoever comes after goes on where it was, within a line.
    log.write("       half ").await;
    world.stop().await;
    log.write("a line\n").await;
    world.collect();
    log.step(RELEASE_STEP).await;
    log.detail("migrated").await;
    log.error("It failed.").await;
    log.close(false).await.expect("closes");
    let failure = Some(("BUILD_FAILED", "It failed.\nIts last lines: x"));
    store.finish_deployment(id, DeploymentStatus::Failed, failure).await.expect("ends");
    let right = |records: &[LogRecord]| {
        of(records, LogSource::Build).iter().any(|line| line.contains("It failed."))
            && of(records, LogSource::System).len() == 2
    };
    let records = world.until(app.id, LIMIT, right).await;
    assert_eq!(
        of(&records, LogSource::Build),
        ["-----> Node.js", "       half a line", "-----> Running the release command", " !     It failed."]
    );
    assert_eq!(of(&records, LogSource::Release), ["       migrated"]);
    assert_eq!(of(&records, LogSource::System), ["Scaled to web=2", "Deploy 1a2b3c4 failed: It failed."]);
    let levels: Vec<_> =
        records.iter().filter(|record| record.source == LogSource::System).map(|record| record.level).collect();
    assert_eq!(levels, [Some(LogLevel::Info), Some(LogLevel::Error)]);
    // It holds a connection of the database's pool.
    drop(streams);
    world.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_agents_and_a_kill_make_no_event_twice() {
    let world = World::new().await;
    let app = world.app().await;
    let store = world.database.store().clone();
    let database = world.database.url();
    let other = tempfile::tempdir().expect("makes a directory");
    let start = || agent::start(&world.installation, world.directory(), &database);
    let mut first = start();
    store.record_event(app.id, None, "start", "Event 0").await.expect("is recorded");
    world.until(app.id, LIMIT, |records| !records.is_empty()).await;
    // Another node's, which has to wait: it would write to a store of its own.
    let mut second = agent::start(&world.installation, other.path(), &database);
    for number in 1..300 {
        store.record_event(app.id, None, "start", &format!("Event {number}")).await.expect("is recorded");
    }
    world.until(app.id, LIMIT, |records| records.len() > 50).await;
    for agent in [&mut second, &mut first] {
        agent.kill().expect("is killed");
        agent.wait().expect("has ended");
    }
    let elsewhere = EmbeddedLogs::reader(&other.path().join("logs"));
    assert_eq!(elsewhere.apps().expect("lists"), []);
    let mut third = start();
    world.until(app.id, LIMIT, |records| records.iter().any(|record| &record.text[..] == b"Event 299")).await;
    third.kill().expect("is killed");
    third.wait().expect("has ended");
    let lines = texts(&world.records(app.id).await);
    let wanted: Vec<String> = (0..300).map(|number| format!("Event {number}")).collect();
    assert_eq!(lines, wanted);
    world.close().await;
}
