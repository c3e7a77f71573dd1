//! Processes that end again and again, or for their memory, in the real Swarm.

use std::time::{Duration, Instant};

use skypanel_core::model::{AppStatus, Application, ProcessType};
use skypanel_core::store::StartAgainNow;
use sqlx::Row as _;

use crate::task::{command, sickening};
use crate::world::World;

/// Longest that anything here takes on a loaded machine.
const LIMIT: Duration = Duration::from_secs(90);

fn process(name: &str) -> ProcessType {
    name.parse().expect("is a type")
}

impl World {
    /// Events of an app of these kinds, oldest first.
    async fn told(&self, app: &Application, kinds: &[&str]) -> Vec<String> {
        let events = self.database.store().app_events(app.id, None, 100).await.expect("reads");
        let of_kind = events.into_iter().rev().filter(|event| kinds.contains(&event.kind.as_str()));
        of_kind.map(|event| event.message).collect()
    }

    async fn until_told(&self, app: &Application, kind: &str, words: &str) -> String {
        let begun = Instant::now();
        loop {
            let told = self.told(app, &[kind]).await;
            if let Some(found) = told.iter().find(|message| message.contains(words)) {
                return found.clone();
            }
            assert!(begun.elapsed() < LIMIT, "{words}: {:?}", self.told(app, &["crash", "health", "recover"]).await);
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    /// Does what the worker does with the starts that are due; answers how many the engine would not have made.
    async fn start_due(&self, app: &Application) -> usize {
        let mut started = 0;
        let due = sqlx::query(
            "DELETE FROM skypanel_jobs._private_jobs AS jobs USING skypanel_jobs._private_tasks AS tasks
             WHERE tasks.id = jobs.task_id AND tasks.identifier = 'start_again' AND jobs.run_at <= now()
             RETURNING jobs.payload ->> 'process' AS process",
        )
        .fetch_all(self.database.pool())
        .await
        .expect("takes");
        for row in &due {
            let process = process(row.get("process"));
            let Some(standing) = self.deployer.standing(app, &process).await.expect("looks") else { continue };
            let now = self.database.store().may_start_again(app.id, &process).await.expect("answers");
            assert_eq!(now, StartAgainNow::Yes);
            self.deployer.start_again(standing).await.expect("starts");
            started += 1;
        }
        started
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_loop_is_started_after_pauses_and_given_up_while_the_rest_serves() {
    let mut world = World::new().await;
    let app = world.app().await;
    let store = world.database.store().clone();
    store.set_setting("health.max_restarts", "4").await.expect("sets");
    let (web, worker) = (command("web"), "sleep 2.5; exit 3");
    world.release(&app, &[("web", &web), ("worker", worker)], &[("web", 1), ("worker", 1)]).await.expect("goes live");
    let serving = world.containers(&[("skypanel.app", app.slug.as_str()), ("skypanel.process", "web")]).await;
    let begun = Instant::now();
    let mut starts = Vec::new();
    while store.given_up(app.id).await.expect("lists").is_empty() {
        if world.start_due(&app).await > 0 {
            starts.push(begun.elapsed());
        }
        assert!(begun.elapsed() < LIMIT, "{starts:?}, {:?}", world.told(&app, &["crash"]).await);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    // Three crashes with the engine's own two restarts between them, then one after our pause of 8 s.
    assert!(begun.elapsed() > Duration::from_secs(3 * 2 + 2 * 2 + 8 + 2), "{:?}: {starts:?}", begun.elapsed());
    assert_eq!(starts.len(), 1, "the engine makes the first two starts itself: {starts:?}");
    let told = world.told(&app, &["give_up"]).await;
    assert!(told[0].starts_with("worker crashed 4 times in a row within "), "{told:?}");
    assert!(told[0].contains("worker.1 ended with exit status 3."), "{told:?}");
    let now = store.app(app.id).await.expect("is there");
    assert_eq!(now.status, AppStatus::Failed);
    let after = world.containers(&[("skypanel.app", app.slug.as_str()), ("skypanel.process", "web")]).await;
    assert_eq!(after, serving, "what serves was left alone");
    assert_eq!(world.get(&app).await.0, 200);
    let states = skypanel_core::console::Console::processes(&world.console(), &now).await.expect("lists");
    let shown: Vec<_> = states.iter().map(|state| (state.process.as_str(), state.state.as_str())).collect();
    assert_eq!(shown, [("web", "running"), ("worker", "failed")]);
    world.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_told_to_stop_has_not_crashed() {
    let mut world = World::new().await;
    let app = world.app().await;
    let (web, worker) = (command("web"), "sleep 600");
    let types = [("web", web.as_str()), ("worker", worker), ("clock", "sleep 4; exit 3")];
    world.release(&app, &types[..2], &[("web", 1), ("worker", 3)]).await.expect("goes live");
    world.release(&app, &types, &[("web", 1), ("worker", 0), ("clock", 1)]).await.expect("goes live");
    // What happens is told in the order in which it happened.
    world.until_told(&app, "crash", "clock.1 ended with exit status 3").await;
    let begun = Instant::now();
    while !world.containers(&[("skypanel.process", "worker"), ("skypanel.app", app.slug.as_str())]).await.is_empty() {
        assert!(begun.elapsed() < LIMIT, "the workers are still there");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    world.until_told(&app, "recover", "clock.1").await;
    let told = world.told(&app, &["crash", "health"]).await;
    assert!(told.iter().all(|message| message.starts_with("clock.1 ")), "{told:?}");
    world.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn running_out_of_memory_reads_so() {
    let mut world = World::new().await;
    let app = world.app().await;
    let eat = "x=x; while :; do x=$x$x; done";
    let worker = format!("sleep 2.5; {eat}");
    // A child that is killed leaves the rest running.
    let web = format!("(sleep 2.5; {eat}) & {}", command("web"));
    world.release(&app, &[("web", &web), ("worker", &worker)], &[("web", 1), ("worker", 1)]).await.expect("goes live");
    let told = world.until_told(&app, "crash", "worker.1").await;
    assert_eq!(told, "worker.1 used more memory than the 512 MB of its plan, was killed for that and is started again");
    let told = world.until_told(&app, "crash", "web.1").await;
    assert!(
        told.starts_with("A process of web.1 was killed, for the replica used more memory than the 512 MB"),
        "{told}"
    );
    world.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_health_check_tells_the_answer_and_the_recovery() {
    let mut world = World::new().await;
    world.settings.health_interval_seconds = 1;
    world.settings.health_retries = 2;
    let app = world.app().await;
    sqlx::query("UPDATE paas_applications SET health_check_path = '/up' WHERE id = $1")
        .bind(app.id)
        .execute(world.database.pool())
        .await
        .expect("sets");
    let web = sickening(Duration::from_secs(4));
    world.release(&app, &[("web", &web)], &[("web", 1)]).await.expect("goes live");
    let told = world.until_told(&app, "health", "web.1").await;
    assert_eq!(
        told,
        "web.1 failed its health checks and is replaced: GET /up answered 503, where 2xx or 3xx is healthy: no [31mdatabase"
    );
    let told = world.until_told(&app, "recover", "web.1").await;
    assert!(told.starts_with("web.1 is healthy again, "), "{told}");
    world.close().await;
}
