//! Every way in which a push can fail that needs no change of settings: it is refused, its last lines say why, and
//! the release before serves on. The others are in `limits`.

use std::time::Duration;

use skypanel_e2e::{App, Engine, SETTLE_LIMIT, until};

/// A release serves; what `break_it` commits is refused for `reason`; the release goes on serving, and a mended push
/// goes live.
#[track_caller]
pub(crate) fn refused_while_the_old_release_serves(app: &App, reason: &str, break_it: impl FnOnce()) -> String {
    app.push().live();
    assert_eq!(app.page("/"), "one");
    let tasks =
        || Engine::of(&app.instance).tasks(&app.slug, "web").iter().map(|task| task["Id"].clone()).collect::<Vec<_>>();
    let before = tasks();
    assert_eq!(before.len(), 1, "one task runs");
    let load = app.load("/", 2, Duration::from_millis(20));
    break_it();
    app.commit("Broken");
    let output = app.push().refused_for(reason);
    let last = output.lines().rfind(|line| line.starts_with(" !     ")).unwrap_or_default();
    assert_eq!(last, " !     The release that ran before goes on serving.");
    assert_eq!(app.page("/"), "one");
    assert!(tasks().contains(&before[0]), "the old release's task is left alone");
    until("the failed one's are gone", SETTLE_LIMIT, || tasks() == before);
    let served = load.stop();
    assert!(served.failures.is_empty() && served.bodies == ["one"], "the old release served throughout: {served:?}");
    let sql = format!(
        "SELECT d.status FROM paas_deployments d JOIN paas_applications a ON a.id = application_id
         WHERE slug = '{}' ORDER BY d.created_at",
        app.slug
    );
    assert_eq!(app.instance.query(&sql), ["succeeded", "failed"]);
    output
}

#[test]
fn no_buildpack_fits() {
    let app = App::probe("no-buildpack");
    let output = refused_while_the_old_release_serves(&app, "No buildpack fits this app", || {
        for file in ["app.py", "worker.py", "Procfile"] {
            app.repository.remove(file);
        }
    });
    for looked_for in ["requirements.txt", "package.json", "go.mod", "Gemfile", "composer.json", "pom.xml", "Procfile"]
    {
        assert!(output.contains(looked_for), "{looked_for} is not among what was looked for:\n{output}");
    }
}

#[test]
fn a_python_dependency_is_not_found() {
    let app = App::probe("no-wheel");
    refused_while_the_old_release_serves(
        &app,
        "'skypanel-e2e-no-such-package' was not found on the package index",
        || {
            app.repository.write("requirements.txt", "skypanel-e2e-no-such-package==1.0\n");
        },
    );
}

#[test]
fn a_node_dependency_is_not_found() {
    let app = App::probe("no-module");
    refused_while_the_old_release_serves(&app, "was not found on the registry", || {
        app.repository.remove("app.py");
        app.repository.write(
            "package.json",
            r#"{"name": "x", "version": "1.0.0", "dependencies": {"@skypanel-e2e/no-such-package": "^1.0.0"}}"#,
        );
    });
}

#[test]
fn a_hook_of_the_app_fails() {
    let app = App::probe("hook-fails");
    let output = refused_while_the_old_release_serves(&app, "bin/pre_compile", || {
        app.repository.write("bin/pre_compile", "#!/bin/sh\necho 'the licence has run out'\nexit 3\n");
    });
    assert!(output.contains("the licence has run out"), "{output}");
    assert!(output.contains("exit status 3"), "{output}");
}

#[test]
fn the_release_command_fails() {
    let app = App::probe("release-fails");
    let reason = "The release command failed with exit status 7: echo migrating";
    let output = refused_while_the_old_release_serves(&app, reason, || {
        app.repository.write(
            "Procfile",
            "release: echo migrating; echo 'table users is locked' >&2; exit 7\nweb: python3 app.py\n",
        );
    });
    for part in ["\n       migrating\n", "\n       table users is locked\n"] {
        assert!(output.contains(part), "{part:?} is not in:\n{output}");
    }
}

#[test]
fn the_web_process_crashes_at_its_start() {
    let app = App::probe("crashes");
    let output = refused_while_the_old_release_serves(&app, "crashed with exit status 9", || {
        app.repository.write("Procfile", "web: echo 'DATABASE_URL is not set' >&2; exit 9\n");
    });
    assert!(output.contains("DATABASE_URL is not set"), "the app's last lines are shown:\n{output}");
}

#[test]
fn the_command_of_a_process_does_not_exist() {
    let app = App::probe("not-found");
    refused_while_the_old_release_serves(&app, "crashed with exit status 127", || {
        app.repository.write("Procfile", "web: ./no-such-program\n");
    });
}

#[test]
fn the_procfile_is_wrong() {
    let app = App::probe("procfile");
    refused_while_the_old_release_serves(&app, "Procfile", || {
        app.repository.write("Procfile", "web: python3 app.py\nworker - python3 worker.py\n");
    });
}

#[test]
fn the_first_push_fails_and_the_next_goes_live() {
    let app = App::probe("second-try");
    app.repository.write("Procfile", "web: exit 1\n");
    app.commit("Broken from the start");
    app.push().refused_for("crashed with exit status 1");
    let page = app.get("/");
    assert!(page.status == 404 || page.status == 503, "nothing serves: {page:?}");
    app.repository.write("Procfile", "web: python3 app.py\n");
    app.version("mended");
    app.push().live();
    app.wait_for_page("mended");
}

/// What is missing is outside of the source, so that there is nothing to push.
#[test]
fn a_config_var_is_missing_and_the_same_source_is_deployed_again() {
    let app = App::probe("again");
    let web = "[ -n \"$COLOUR\" ] || { echo 'COLOUR is not set' >&2; exit 9; }; exec python3 app.py";
    app.repository.write("Procfile", format!("web: {web}\n"));
    app.commit("Read the colour");
    let output = app.push().refused_for("crashed with exit status 9");
    assert!(output.contains("COLOUR is not set"), "{output}");
    let _ = app.command("config:set", &["COLOUR=blue"]).success();
    let again = app.command("deploy:again", &[]).success();
    assert!(again.text().contains(" again") && again.text().contains("is live (v2"), "{again:?}");
    app.wait_for_page("one");
    assert_eq!(app.page("/env?name=COLOUR"), "blue");

    // Live by now: it is built from nothing, while it serves.
    let again = app.command("deploy:again", &["v2", "--no-cache"]).success();
    assert!(again.text().contains("is live (v3"), "{again:?}");
    assert_eq!(app.page("/"), "one");
    let _ = app.command("rollback", &["v2"]).success();
    app.command("deploy:again", &["v4"]).says(1, "built nothing");
}
