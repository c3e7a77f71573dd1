//! Failures that need a platform setting changed. They run alone.

use skypanel_e2e::{App, COMMAND_LIMIT, Instance, SETTLE_LIMIT, until, until_some};

use crate::failures::refused_while_the_old_release_serves;

#[test]
fn the_build_runs_out_of_memory() {
    let app = App::probe("memory");
    let mut limit = None;
    refused_while_the_old_release_serves(&app, "The build ran out of memory: it may use 128 MB", || {
        limit = Some(app.instance.set("build.memory_mb", "128"));
        app.repository.write("bin/pre_compile", "#!/usr/bin/env python3\nprint(len(b'x' * (600 << 20)))\n");
    });
}

#[test]
fn the_build_runs_out_of_time() {
    let app = App::probe("time");
    let mut limit = None;
    refused_while_the_old_release_serves(&app, "The build ran out of time: it may take 10 seconds", || {
        limit = Some(app.instance.set("build.timeout_seconds", "10"));
        app.repository.write("bin/pre_compile", "#!/bin/sh\necho patience\nsleep 300\n");
    });
}

#[test]
fn the_slug_is_too_big() {
    let app = App::probe("big-slug");
    let mut limit = None;
    refused_while_the_old_release_serves(&app, "The slug is too big: it may have 1 MB", || {
        limit = Some(app.instance.set("slug.max_mb", "1"));
        app.repository
            .write("bin/pre_compile", "#!/bin/sh\nmkdir -p assets && head -c 5000000 /dev/urandom > assets/noise\n");
    });
}

#[test]
fn a_slug_of_zeros_does_not_fill_the_disk() {
    let app = App::probe("zeros");
    let mut limit = None;
    refused_while_the_old_release_serves(&app, "The slug is too big: it may have 1 MB", || {
        limit = Some(app.instance.set("slug.max_mb", "1"));
        app.repository.write("bin/pre_compile", "#!/bin/sh\ntruncate -s 2G zeros\n");
    });
}

#[test]
fn the_web_process_never_listens() {
    let app = App::probe("deaf");
    let mut limit = None;
    let output = refused_while_the_old_release_serves(&app, "healthy", || {
        limit = Some(app.instance.set("health.start_seconds", "5"));
        app.repository.write("Procfile", "web: echo 'warming up for long'; exec sleep 600\n");
    });
    assert!(output.contains("warming up for long"), "the app's last lines are shown:\n{output}");
}

#[test]
fn the_pack_is_over_the_limit() {
    let app = App::probe("big-pack");
    app.push().live();
    let limit = app.instance.set("git.max_pack_mb", "1");
    let mut noise = vec![0; 3 << 20];
    std::io::Read::read_exact(&mut std::fs::File::open("/dev/urandom").expect("random numbers"), &mut noise)
        .expect("random numbers");
    app.repository.write("noise", noise);
    app.commit("Too much");
    let push = app.push();
    assert!(!push.0.ok() && push.output().contains(" !     The push is larger than 1 MB."), "{push:?}");
    assert_eq!(app.page("/"), "one");
    drop(limit);
    app.push().live();
}

#[test]
fn creating_apps_can_be_switched_off() {
    let instance = Instance::attach();
    let _off = instance.set("git.allow_app_creation", "false");
    let app = App::probe("switched-off");
    let push = app.push();
    assert!(!push.0.ok() && push.output().contains("creating apps is switched off"), "{push:?}");
}

#[test]
fn an_app_that_runs_out_of_memory_again_and_again_is_given_up_until_a_push() {
    let app = App::probe("hungry");
    let _few = app.instance.set("health.max_restarts", "2");
    app.repository.write("Procfile", "web: python3 app.py & sleep 4; exec tail /dev/zero\n");
    app.commit("Eat");
    app.push().live();
    let system = || app.command("logs", &["--source", "system", "-n", "50"]).success().out();
    until("it is given up", COMMAND_LIMIT, || app.command("apps:info", &[]).success().out().contains("Given up: web"));
    let ps = app.command("ps", &[]).success().out();
    assert!(ps.contains("web.1: failed") && ps.contains("used more memory than the 512 MB of its plan"), "{ps}");
    until("the log tells of it", SETTLE_LIMIT, || system().contains("is not started any more"));
    let told = system();
    for words in ["web.1 used more memory than the 512 MB of its plan", "web crashed 2 times in a row", "ps:restart"] {
        assert!(told.contains(words), "{words}: {told}");
    }
    let page = until_some("the edge answers for it", SETTLE_LIMIT, || {
        app.try_get("/").ok().filter(|page| page.status == 503 && page.text().contains("has failed"))
    });
    assert!(page.text().contains("ps:restart"), "{page:?}");

    app.repository.write("Procfile", "web: python3 app.py\n");
    app.version("well");
    app.push().live();
    app.wait_for_page("well");
    let info = app.command("apps:info", &[]).success().out();
    assert!(info.contains("running") && !info.contains("Given up"), "{info}");
}
