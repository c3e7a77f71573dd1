//! Interruptions: whatever dies, a deployment ends in one clear state, nothing is left over, and the app serves
//! throughout. These run alone.

use std::time::Duration;

use skypanel_e2e::{App, COMMAND_LIMIT, Engine, PUSH_LIMIT, Running, SETTLE_LIMIT, until, until_some};

const FINAL: [&str; 3] = ["succeeded", "failed", "cancelled"];

#[test]
fn a_client_that_goes_away_stops_nothing() {
    let app = App::probe("client");
    app.push().live();
    slow_build(&app);
    app.version("two");
    let mut push = app.start_push(&["skypanel", "main"]);
    push.wait_for("building for a while", PUSH_LIMIT);
    push.kill();
    until("the release is live", PUSH_LIMIT, || app.try_get("/").is_ok_and(|page| page.text() == "two"));
    until("the branch has moved", SETTLE_LIMIT, || {
        let head = app.repository.ask(&app.user, &["rev-parse", "HEAD"]);
        app.repository.ask(&app.user, &["ls-remote", "skypanel", "refs/heads/main"]).starts_with(&head)
    });
    assert_eq!(last_status(&app), "succeeded");
}

#[test]
fn killed_while_building_it_ends_the_deployment_after_its_restart() {
    killed_at("kill-build", slow_build, |_, push| push.wait_for("building for a while", PUSH_LIMIT));
}

#[test]
fn killed_while_packing_the_slug_it_ends_the_deployment_after_its_restart() {
    let big = |app: &App| {
        app.repository.write("bin/pre_compile", "#!/bin/sh\nhead -c 150000000 /dev/urandom > noise\n");
    };
    killed_at("kill-slug", big, |app, push| {
        push.wait_for("Compressing", PUSH_LIMIT);
        until("the slug is being written", SETTLE_LIMIT, || last_status(app) == "packaging");
    });
}

#[test]
fn killed_while_rolling_out_it_ends_the_deployment_after_its_restart() {
    let slow_start = |app: &App| app.repository.write("Procfile", "web: sleep 3; exec python3 app.py\n");
    killed_at("kill-roll", slow_start, |app, push| {
        push.wait_for("Launching v2", PUSH_LIMIT);
        until("the new task is there", SETTLE_LIMIT, || Engine::of(&app.instance).tasks(&app.slug, "web").len() == 2);
    });
}

#[test]
fn killed_while_idle_apps_serve_on_and_routes_follow_again() {
    let app = App::probe("kill-idle");
    app.push().live();
    let load = app.load("/", 2, Duration::from_millis(20));
    app.instance.kill();
    let engine = Engine::of(&app.instance);
    assert_eq!(engine.tasks(&app.slug, "web").len(), 1);
    app.instance.start();
    app.version("two");
    app.push().live();
    app.wait_for_page("two");
    let served = load.stop();
    assert!(served.requests > 50 && served.failures.is_empty(), "{served:?}");
}

#[test]
fn stopped_properly_it_leaves_apps_serving_and_starts_again() {
    let app = App::probe("stop-start");
    app.push().live();
    let load = app.load("/", 2, Duration::from_millis(20));
    app.instance.stop();
    app.instance.start();
    let served = load.stop();
    assert!(served.requests > 20 && served.failures.is_empty(), "{served:?}");
    assert_eq!(app.command("ps", &[]).success().out().matches("web.1").count(), 1);
}

#[test]
fn no_request_fails_while_three_releases_roll() {
    let app = App::probe("rolling");
    app.push().live();
    let load = app.load("/slow?ms=30", 6, Duration::from_millis(5));
    for version in ["two", "three", "four"] {
        app.version(version);
        app.push().live();
    }
    app.wait_for_page("four");
    until("the old tasks are gone", SETTLE_LIMIT, || Engine::of(&app.instance).tasks(&app.slug, "web").len() == 1);
    let served = load.stop();
    assert!(served.requests > 200, "{} requests", served.requests);
    assert!(
        served.failures.is_empty(),
        "{} of {} failed: {:?}",
        served.failures.len(),
        served.requests,
        served.failures
    );
    assert_eq!(served.bodies, ["one", "two", "three", "four"]);
}

#[test]
fn a_crashed_process_comes_back_by_itself() {
    let app = App::probe("comeback");
    app.push().live();
    let engine = Engine::of(&app.instance);
    let before = engine.tasks(&app.slug, "web")[0]["Id"].clone();
    let _ = app.try_get("/crash");
    until("a new process serves", PUSH_LIMIT, || {
        let tasks = engine.tasks(&app.slug, "web");
        tasks.iter().any(|task| task["Id"] != before) && app.try_get("/").is_ok_and(|page| page.status == 200)
    });
}

#[test]
fn a_build_can_be_cancelled() {
    let app = App::probe("cancel");
    app.push().live();
    app.repository.write("bin/pre_compile", "#!/bin/sh\necho building for a while\nexec sleep 600\n");
    app.version("two");
    let mut push = app.start_push(&["skypanel", "main"]);
    push.wait_for("building for a while", PUSH_LIMIT);
    let _ = app.command("builds:cancel", &[]).success();
    let finished = push.finish(COMMAND_LIMIT);
    assert!(!finished.ok() && finished.err().to_lowercase().contains("cancelled"), "{finished:?}");
    assert_eq!(last_status(&app), "cancelled");
    assert_no_build_is_left(&app);
    assert_eq!(app.page("/"), "one");
}

fn slow_build(app: &App) {
    app.repository.write("bin/pre_compile", "#!/bin/sh\necho building for a while\nsleep 4\n");
}

/// Kills Skypanel at a moment of the second push, starts it again, and checks what the brief of every interruption is.
#[track_caller]
fn killed_at(name: &str, prepare: impl FnOnce(&App), moment: impl FnOnce(&App, &mut Running)) {
    let app = App::probe(name);
    app.push().live();
    let load = app.load("/", 2, Duration::from_millis(25));
    prepare(&app);
    app.version("two");
    let mut push = app.start_push(&["skypanel", "main"]);
    moment(&app, &mut push);
    app.instance.kill();
    let told = push.finish(COMMAND_LIMIT);
    assert!(!told.ok(), "the pusher is told that the connection is lost: {told:?}");
    app.instance.start();

    let status = until_some("the deployment has ended", PUSH_LIMIT, || {
        let status = last_status(&app);
        FINAL.contains(&status.as_str()).then_some(status)
    });
    let page = if status == "succeeded" { "two" } else { "one" };
    app.wait_for_page(page);
    let engine = Engine::of(&app.instance);
    until("one task runs", SETTLE_LIMIT, || engine.tasks(&app.slug, "web").len() == 1);
    assert_no_build_is_left(&app);
    let label = format!("skypanel.app={}", app.slug);
    // One network; and one secret, of the config vars that run.
    for kind in ["network", "secret"] {
        until(&format!("one {kind} is left"), SETTLE_LIMIT, || engine.list(kind, &[&label]).len() == 1);
    }
    // What was pushed was lost with the process that received it, so the branch stays where it was.
    let tip = app.repository.ask(&app.user, &["ls-remote", "skypanel", "refs/heads/main"]);
    let before = app.repository.ask(&app.user, &["rev-parse", "HEAD~1"]);
    assert!(tip.starts_with(&before), "{tip} is not {before}");
    let unfinished =
        app.instance.query("SELECT id FROM paas_deployments WHERE status NOT IN ('succeeded', 'failed', 'cancelled')");
    assert_eq!(unfinished, Vec::<String>::new());

    // Served by the old release, by the new one, or by both in turn, but always.
    let served = load.stop();
    assert!(served.requests > 20 && served.failures.is_empty(), "{served:?}");

    app.version("three");
    app.push().live();
    app.wait_for_page("three");
}

/// Build containers, half-written blobs and the objects of cut pushes are gone, and sources but for those that can be
/// deployed again: the newest and what is live.
#[track_caller]
fn assert_no_build_is_left(app: &App) {
    let engine = Engine::of(&app.instance);
    until("no build container is left", SETTLE_LIMIT, || engine.list("container", &["skypanel.role=build"]).is_empty());
    let data = &app.instance.data_dir;
    for (directory, pattern) in [("blobs", ".*"), ("blobs", "tmp*"), ("repositories", "tmp_objdir-*")] {
        until(&format!("no {pattern} is left in {directory}"), SETTLE_LIMIT, || {
            let mut find = std::process::Command::new("find");
            find.arg(data.join(directory)).args(["-type", "f", "-path", &format!("*/{pattern}*")]);
            // A directory that was never made holds nothing.
            skypanel_e2e::run(&mut find, COMMAND_LIMIT).out().is_empty()
        });
    }
    until("sources are left that can be deployed again, and no others", SETTLE_LIMIT, || {
        let mut find = std::process::Command::new("find");
        find.arg(data.join("blobs/sources")).args(["-type", "f", "-printf", "%f\n"]);
        let found = skypanel_e2e::run(&mut find, COMMAND_LIMIT);
        let mut left: Vec<String> = found.out().lines().map(|name| name.replace(".tar.zst", "")).collect();
        left.sort();
        let kept = "SELECT DISTINCT source_id::text FROM paas_deployments WHERE source_id IS NOT NULL ORDER BY 1";
        left == app.instance.query(kept)
    });
    let sql = format!(
        "SELECT count(DISTINCT source_id) FROM paas_deployments d JOIN paas_applications a ON a.id = application_id
         WHERE slug = '{}'",
        app.slug
    );
    let kept: u32 = app.instance.query(&sql)[0].parse().expect("is a number");
    assert!(kept <= 2, "{kept} sources of the app are kept");
}

#[track_caller]
fn last_status(app: &App) -> String {
    let sql = format!(
        "SELECT d.status FROM paas_deployments d JOIN paas_applications a ON a.id = application_id
         WHERE slug = '{}' ORDER BY d.created_at DESC LIMIT 1",
        app.slug
    );
    app.instance.query(&sql).pop().unwrap_or_default()
}
