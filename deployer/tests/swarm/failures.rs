//! Releases that go wrong: the pusher learns why, and what ran before goes on serving.

use std::time::Duration;

use skypanel_core::store::TakenBack;
use skypanel_deployer::DeployError;

use crate::task::{brief, command};
use crate::world::World;

async fn fails(
    world: &World,
    app: &skypanel_core::model::Application,
    processes: &[(&str, &str)],
    formation: &[(&str, u32)],
) -> String {
    let error = world.release(app, processes, formation).await.err().expect("does not go live");
    assert!(matches!(error, DeployError::Rollout(_)), "{error:?}");
    assert_eq!(error.code(), "DEPLOY_FAILED");
    error.to_string()
}

/// Serves only where it has more memory than the smallest plan gives.
fn hungry() -> String {
    format!(
        "{{ read limit < /sys/fs/cgroup/memory/memory.limit_in_bytes || read limit < /sys/fs/cgroup/memory.max; }} \
         2>/dev/null; [ \"$limit\" -gt 600000000 ] || exit 7; {}",
        command("web")
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_smaller_plan_that_an_app_crashes_on_is_taken_back_with_its_price() {
    let mut world = World::new().await;
    world.settings.health_start_seconds = 5;
    let app = world.app().await;
    let store = world.database.store().clone();
    skypanel_core::jobs::Jobs::connect(store.pool().clone()).await.expect("has a queue");
    let plans = store.plans().await.expect("lists");
    let plan = |name: &str| plans.iter().find(|plan| plan.name == name).expect("is there").id;
    store.change_plan(app.id, plan("standard")).await.expect("changes");
    store.begin_rollout(app.id).await.expect("begins");
    let command = hungry();
    let live = world.release(&app, &[("web", &command)], &[("web", 1)]).await.expect("goes live");
    store.complete_rollout(app.id).await.expect("completes");

    store.change_plan(app.id, plan("hobby")).await.expect("changes");
    let rollout = store.begin_rollout(app.id).await.expect("begins");
    let rolled = world
        .with_release(&rollout.app, &live, &[("web", 1)], async |release| world.deployer.rollout(&release).await)
        .await;
    let error = rolled.expect_err("crashes");
    assert!(error.to_string().contains("crashed with exit status 7"), "{error}");
    assert_eq!(store.take_back_rollout(app.id).await.expect("takes back"), TakenBack::Terms);
    let now = store.app(app.id).await.expect("is there");
    assert_eq!((now.plan_id, now.price_per_hour.to_string().as_str()), (plan("standard"), "$0.0347"));
    let metered = store.metering(app.id).await.expect("lists");
    assert!(metered.iter().all(|row| row.plan_id == plan("standard")), "it was never cheaper: {metered:?}");
    world.until(&app, |status, _| status == 200).await;
    let service = world.engine.inspect_service(&format!("skypanel-{}--web", app.slug), None).await.expect("is there");
    let limits = service.spec.and_then(|spec| spec.task_template?.resources?.limits).expect("has limits");
    assert_eq!(limits.memory_bytes, Some(1024 << 20), "what runs has the limits that are paid for");
    world.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_release_before_serves_on_and_the_failure_is_told() {
    let mut world = World::new().await;
    world.settings.health_start_seconds = 3;
    let app = world.app().await;
    world.configure(&app, &[("DATABASE", "db.example")]).await;
    let web = command("web");

    // The first release of all: nothing may be left of it.
    let crash = command("crash");
    let text = fails(&world, &app, &[("web", &crash)], &[("web", 1)]).await;
    assert!(text.contains("web.1 crashed with exit status 3."), "{text}");
    assert!(text.contains("about to crash") && text.contains("no database at db.example"), "{text}");
    let services = services(&world, &app).await;
    assert_eq!(services, Vec::<(String, Option<i64>)>::new());

    world.release(&app, &[("web", &web)], &[("web", 1)]).await.expect("goes live");
    assert_eq!(world.get(&app).await, (200, " v2 web.1".to_owned()));
    let crashed = fails(&world, &app, &[("web", &crash)], &[("web", 1)]).await;
    assert!(crashed.contains("crashed with exit status 3"), "{crashed}");
    assert_eq!(world.get(&app).await, (200, " v2 web.1".to_owned()));

    let deaf = command("deaf");
    let begun = std::time::Instant::now();
    let text = fails(&world, &app, &[("web", &deaf)], &[("web", 1)]).await;
    assert!(text.contains("nothing listens on port 5000"), "{text}");
    println!("told after {:?}", begun.elapsed());
    assert!(text.contains("forgot to listen"), "{text}");
    assert_eq!(world.get(&app).await, (200, " v2 web.1".to_owned()));

    // One bad process type stops the whole release, and none of its types stays.
    let text = fails(&world, &app, &[("web", &web), ("worker", "exit 0")], &[("web", 1), ("worker", 1)]).await;
    assert!(text.contains("worker.1 ended by itself (exit status 0)"), "{text}");
    world.until(&app, |status, body| (status, body) == (200, " v2 web.1")).await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(world.get(&app).await, (200, " v2 web.1".to_owned()));
    let services = self::services(&world, &app).await;
    assert_eq!(services, [(format!("skypanel-{}--web", app.slug), Some(1))]);

    // And the next good one goes live as ever.
    world.release(&app, &[("web", &web)], &[("web", 1)]).await.expect("goes live");
    assert_eq!(world.get(&app).await, (200, " v6 web.1".to_owned()));
    world.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_release_that_ends_right_after_its_first_success_is_not_called_live() {
    let mut world = World::new().await;
    let app = world.app().await;
    let web = command("web");
    // The engine itself goes back while it watches its update, and restarts the task later. A route that is long in
    // coming makes sure that the task ends between its first success and the release's.
    for (before, lifetime_ms) in [(None, 0), (None, 100), (Some(" v3 web.1"), 100), (Some(" v3 web.1"), 1_000)] {
        if before.is_some() && lifetime_ms == 100 {
            world.release(&app, &[("web", &web)], &[("web", 1)]).await.expect("goes live");
        }
        let lifetime = Duration::from_millis(lifetime_ms);
        let agent = world.pause().await;
        let begun = std::time::Instant::now();
        let text = fails(&world, &app, &[("web", &brief(lifetime))], &[("web", 1)]).await;
        println!("{lifetime:?}: told after {:?}: {text}", begun.elapsed());
        assert!(text.contains("web.1 crashed with exit status 5.") && text.contains("served for"), "{text}");
        world.resume(agent);
        let Some(before) = before else {
            assert_eq!(services(&world, &app).await, Vec::<(String, Option<i64>)>::new());
            continue;
        };
        // It is the release before for good, and not its last breath.
        world.until(&app, |status, body| (status, body) == (200, before)).await;
        tokio::time::sleep(Duration::from_secs(5)).await;
        assert_eq!(world.get(&app).await, (200, before.to_owned()));
    }
    world.release(&app, &[("web", &web)], &[("web", 1)]).await.expect("goes live");
    assert_eq!(world.get(&app).await, (200, " v6 web.1".to_owned()));
    world.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rollout_that_was_cut_short_is_taken_up_again() {
    let mut world = World::new().await;
    let app = world.app().await;
    let web = command("web");
    world.release(&app, &[("web", &web)], &[("web", 1)]).await.expect("goes live");
    let prepared = world.deployment(&app, &[("web", &web)]).await;
    for cut_ms in [30, 200, 600] {
        let cut = Duration::from_millis(cut_ms);
        // What a killed worker leaves: a rollout that stopped anywhere.
        let _ = tokio::time::timeout(cut, world.roll(&app, &prepared, &[("web", 1)])).await;
    }
    world.roll(&app, &prepared, &[("web", 1)]).await.expect("goes live");
    assert_eq!(world.get(&app).await, (200, " v2 web.1".to_owned()));

    // The same with one that can only fail: the release before comes back.
    world.settings.health_start_seconds = 3;
    let crash = command("crash");
    let prepared = world.deployment(&app, &[("web", &crash)]).await;
    let _ = tokio::time::timeout(Duration::from_millis(150), world.roll(&app, &prepared, &[("web", 1)])).await;
    let error = world.roll(&app, &prepared, &[("web", 1)]).await.expect_err("fails").to_string();
    println!("{error}");
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(world.get(&app).await, (200, " v2 web.1".to_owned()));

    // Cancelled by its owner.
    let prepared = world.deployment(&app, &[("web", &web)]).await;
    prepared.cancel.cancel();
    let error = world.roll(&app, &prepared, &[("web", 1)]).await.expect_err("is cancelled");
    assert!(matches!(error, DeployError::Cancelled), "{error}");
    assert_eq!(world.get(&app).await, (200, " v2 web.1".to_owned()));
    world.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_engine_that_goes_away_in_mid_rollout_comes_back_to_the_release_before() {
    let mut world = World::new().await;
    let app = world.app().await;
    world.release(&app, &[("web", &command("web"))], &[("web", 1)]).await.expect("goes live");
    let app = world.database.store().app(app.id).await.expect("is there");
    let line = Line::new();
    let up = line.carry();
    let deployer = world.deployer_at(&line.path());
    let prepared = world.deployment(&app, &[("web", &command("deaf"))]).await;
    let cut = async {
        tokio::time::sleep(Duration::from_millis(1_500)).await;
        drop(up);
        tokio::time::sleep(Duration::from_secs(3)).await;
        line.carry()
    };
    let rollout = world.with_release(&app, &prepared, &[("web", 1)], async |release| deployer.rollout(&release).await);
    let (rolled, _up) = tokio::join!(rollout, cut);
    let text = rolled.expect_err("fails").to_string();
    println!("{text}");
    assert!(text.contains("the Docker engine cannot be reached") && text.contains("try again"), "{text}");
    world.until(&app, |status, body| (status, body) == (200, " v1 web.1")).await;
    let fingerprints = world.containers(&[("skypanel.deployment", &prepared.id.to_string())]).await;
    println!("{} of the new release's containers are ending", fingerprints.len());
    tokio::time::sleep(Duration::from_secs(4)).await;
    assert_eq!(world.get(&app).await, (200, " v1 web.1".to_owned()));
    world.close().await;
}

/// A line to the engine that can be cut, as when the engine stops.
struct Line(tempfile::TempDir);

impl Line {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("makes a directory"))
    }

    fn path(&self) -> std::path::PathBuf {
        self.0.path().join("engine.sock")
    }

    /// Carries connections until what this answers is dropped, and cuts all of them then.
    fn carry(&self) -> tokio::task::JoinSet<()> {
        let _ = std::fs::remove_file(self.path());
        let listener = tokio::net::UnixListener::bind(self.path()).expect("binds");
        let mut carrier = tokio::task::JoinSet::new();
        carrier.spawn(async move {
            let mut connections = tokio::task::JoinSet::new();
            while let Ok((mut near, _)) = listener.accept().await {
                connections.spawn(async move {
                    let mut far = tokio::net::UnixStream::connect("/var/run/docker.sock").await.expect("connects");
                    let _ = tokio::io::copy_bidirectional(&mut near, &mut far).await;
                });
            }
        });
        carrier
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn processes_that_the_new_release_lacks_are_removed() {
    let mut world = World::new().await;
    let app = world.app().await;
    let (web, worker) = (command("web"), command("worker"));
    let both = [("web", web.as_str()), ("worker", worker.as_str())];
    world.release(&app, &both, &[("web", 1), ("worker", 2)]).await.expect("goes live");
    let name = |process: &str| format!("skypanel-{}--{process}", app.slug);
    assert_eq!(services(&world, &app).await, [(name("web"), Some(1)), (name("worker"), Some(2))]);
    world.release(&app, &both, &[("web", 1), ("worker", 0)]).await.expect("goes live");
    assert_eq!(services(&world, &app).await, [(name("web"), Some(1)), (name("worker"), Some(0))]);
    world.release(&app, &both[..1], &[("web", 1)]).await.expect("goes live");
    assert_eq!(services(&world, &app).await, [(name("web"), Some(1))]);
    world.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_of_an_earlier_version_keeps_its_name() {
    let mut world = World::new().await;
    let app = world.app().await;
    let web = command("web");
    world.release(&app, &[("web", &web)], &[("web", 1)]).await.expect("goes live");
    let new = format!("skypanel-{}--web", app.slug);
    let old = format!("skypanel-{}-web", app.slug);
    let made = world.engine.inspect_service(&new, None).await.expect("is there").spec.expect("has one");
    world.engine.delete_service(&new).await.expect("is removed");
    let made = bollard::models::ServiceSpec { name: Some(old.clone()), ..made };
    world.engine.create_service(made, None).await.expect("is made");
    world.release(&app, &[("web", &web)], &[("web", 1)]).await.expect("goes live");
    assert_eq!(services(&world, &app).await, [(old, Some(1))]);
    assert_eq!(world.get(&app).await, (200, " v2 web.1".to_owned()));
    world.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_network_that_is_not_the_app_s_own_is_not_joined() {
    let mut world = World::new().await;
    let (app, other) = (world.app().await, world.app().await);
    let web = command("web");
    world.release(&other, &[("web", &web)], &[("web", 1)]).await.expect("goes live");
    let theirs = world
        .engine
        .inspect_network(&format!("skypanel-{}", other.slug), None::<bollard::query_parameters::InspectNetworkOptions>)
        .await
        .expect("is there");
    let taken = bollard::models::NetworkCreateRequest {
        name: format!("skypanel-{}", app.slug),
        driver: Some("overlay".to_owned()),
        attachable: Some(true),
        labels: theirs.labels,
        ..Default::default()
    };
    let taken = world.engine.create_network(taken).await.expect("is made").id;
    let text = world.release(&app, &[("web", &web)], &[("web", 1)]).await.err().expect("does not go live").to_string();
    world.engine.remove_network(&taken).await.expect("is removed");
    assert!(text.contains("belongs to something else"), "{text}");
    world.release(&app, &[("web", &web)], &[("web", 1)]).await.expect("goes live");
    world.close().await;
}

async fn services(world: &World, app: &skypanel_core::model::Application) -> Vec<(String, Option<i64>)> {
    let label = vec![format!("skypanel.app={}", app.slug)];
    let options =
        bollard::query_parameters::ListServicesOptionsBuilder::new().filters(&[("label", label)].into()).build();
    let mut found: Vec<_> = world
        .engine
        .list_services(Some(options))
        .await
        .expect("lists")
        .into_iter()
        .filter_map(|service| {
            let spec = service.spec?;
            Some((spec.name?, spec.mode?.replicated?.replicas))
        })
        .collect();
    found.sort();
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn what_goes_wrong_with_live_processes_is_told_to_their_people() {
    let mut world = World::new().await;
    world.settings.health_interval_seconds = 1;
    world.settings.health_timeout_seconds = 1;
    world.settings.health_retries = 2;
    let app = world.app().await;
    let store = world.database.store().clone();
    // One stops to answer, the other ends; both have been live before.
    let web = format!("(sleep 4; kill -STOP $$) & {}", command("web"));
    let worker = "sleep 4; exit 3";
    world.release(&app, &[("web", &web), ("worker", worker)], &[("web", 1), ("worker", 1)]).await.expect("goes live");
    let begun = std::time::Instant::now();
    let told = loop {
        let events = store.app_events(app.id, None, 100).await.expect("reads");
        let told: Vec<(String, String)> = events.into_iter().map(|event| (event.kind, event.message)).collect();
        if ["health", "crash"].iter().all(|kind| told.iter().any(|(told, _)| told == kind)) {
            break told;
        }
        assert!(begun.elapsed() < Duration::from_secs(60), "only this was told: {told:?}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    };
    let of = |kind: &str| {
        let messages: Vec<&str> =
            told.iter().filter(|(told, _)| told == kind).map(|(_, message)| message.as_str()).collect();
        assert_eq!(messages.len(), 1, "each replica is told of once in a while: {told:?}");
        messages[0]
    };
    assert!(of("health").starts_with("web.1 failed its health checks and is replaced: "), "{told:?}");
    assert_eq!(of("crash"), "worker.1 ended with exit status 3 and is started again");
    world.close().await;
}
