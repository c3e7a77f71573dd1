//! Releases that go well: live through the edge, rolled without a lost request, stopped, started, scaled.

use std::time::{Duration, Instant};

use skypanel_core::model::AppStatus;

use crate::load::{self, Load};
use crate::task::command;
use crate::world::World;

#[tokio::test(flavor = "multi_thread")]
async fn a_release_is_live_when_its_rollout_returns() {
    let mut world = World::new().await;
    let app = world.app().await;
    assert_eq!(load::get(world.edge, "nobody.localhost").await.expect("answers"), (503, "/_edge/unknown".to_owned()));
    world.until(&app, |_, body| body == format!("/_edge/starting/{}", app.slug)).await;

    world.configure(&app, &[("GREETING", "a secret greeting")]).await;
    let web = command("web");
    for version in 1..=3 {
        let began = std::time::Instant::now();
        world.release(&app, &[("web", &web)], &[("web", 1)]).await.expect("goes live");
        println!("rollout {version}: {} ms", began.elapsed().as_millis());
        // At once, without a second try.
        assert_eq!(world.get(&app).await, (200, format!("a secret greeting v{version} web.1")));
    }
    for container in world.containers(&[("skypanel.role", "task")]).await {
        let inspected = format!("{:?}", world.engine.inspect_container(&container, None).await.expect("is there"));
        assert!(!inspected.contains("a secret greeting"), "{inspected}");
    }

    let store = world.database.store();
    store.set_app_status(app.id, AppStatus::Stopped).await.expect("is set");
    world.deployer.stop(&app).await.expect("stops");
    world.until(&app, |status, body| status == 503 && body == format!("/_edge/stopped/{}", app.slug)).await;
    store.set_app_status(app.id, AppStatus::Suspended).await.expect("is set");
    world.until(&app, |_, body| body == format!("/_edge/suspended/{}", app.slug)).await;
    store.set_app_status(app.id, AppStatus::Running).await.expect("is set");
    world.release(&app, &[("web", &web)], &[("web", 2)]).await.expect("goes live again");
    world.until(&app, |_, body| body.ends_with("web.2")).await;
    world.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_request_is_lost_while_releases_roll() {
    let mut world = World::new().await;
    let app = world.app().await;
    let web = command("web");
    world.release(&app, &[("web", &web)], &[("web", 2)]).await.expect("goes live");
    let host = world.host(&app);
    let loads = [Load::start(world.edge, &host, 10, true), Load::start(world.edge, &host, 4, false)];
    for _ in 0..3 {
        world.release(&app, &[("web", &web)], &[("web", 2)]).await.expect("goes live");
    }
    // Until the last of the old tasks has drained and gone.
    tokio::time::sleep(std::time::Duration::from_secs(4)).await;
    for (load, keep) in loads.into_iter().zip([true, false]) {
        let (answered, failures) = load.stop().await;
        println!("kept alive: {keep}: {answered} answered");
        assert!(failures.is_empty(), "{} of {answered}: {:?}", failures.len(), &failures[..failures.len().min(5)]);
        assert!(answered > 1_000, "{answered}");
    }
    world.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_edge_tells_of_each_request_and_of_no_header_but_its_id() {
    let mut world = World::new().await;
    let app = world.app().await;
    world.release(&app, &[("web", &command("web"))], &[("web", 1)]).await.expect("goes live");
    let address = format!("http://{}/cart?item=1", world.edge);
    let host = format!("Host: {}", world.host(&app));
    let headers = ["--header", &host, "--header", "X-Request-Id: abc-1", "--header", "Authorization: Basic hunter2"];
    let mut curl = std::process::Command::new("curl");
    let answered = curl.args(["--silent", "--fail", "--max-time", "10"]).args(headers).arg(address).status();
    assert!(answered.expect("runs").success());
    let edge = world.containers(&[("skypanel.role", "edge")]).await.pop().expect("runs");
    let begun = Instant::now();
    let told: serde_json::Value = loop {
        let output = std::process::Command::new("docker").args(["logs", &edge]).output().expect("runs");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(!text.contains("hunter2"), "{text}");
        if let Some(line) = text.lines().find(|line| line.contains("/cart?item=1")) {
            break serde_json::from_str(line).expect("is JSON");
        }
        assert!(begun.elapsed() < Duration::from_secs(10), "{text}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    let mut fields: Vec<&str> = told.as_object().expect("is one").keys().map(String::as_str).collect();
    fields.sort_unstable();
    assert_eq!(
        fields,
        [
            "ClientHost",
            "DownstreamContentSize",
            "DownstreamStatus",
            "OriginDuration",
            "Overhead",
            "RequestHost",
            "RequestMethod",
            "RequestPath",
            "RouterName",
            "level",
            "msg",
            "request_X-Request-Id",
            "time",
        ]
    );
    assert_eq!(told["RouterName"], format!("app-{}@file", app.slug));
    assert_eq!((&told["DownstreamStatus"], &told["request_X-Request-Id"]), (&200.into(), &"abc-1".into()));
    world.close().await;
}
