//! Config vars: they reach the app byte by byte, one change is one rollout, and their values are nowhere to be read.

use serde_json::Value;
use skypanel_e2e::{App, Connection, Engine};

#[test]
fn a_change_rolls_the_app_once_and_reaches_it() {
    let app = App::probe("config");
    app.push().live();
    let set = app.command("config:set", &["GREETING=hello", "COLOUR=blue"]).success();
    assert!(set.text().contains("v2"), "{set:?}");
    assert_eq!((app.page("/env?name=GREETING"), app.page("/env?name=COLOUR")), ("hello".to_owned(), "blue".to_owned()));
    assert_eq!(versions(&app), 2, "two vars at once are one release");

    let _ = app.command("config:set", &["GREETING=hello"]).success();
    assert_eq!(versions(&app), 2, "a change of nothing is no release");
    let config = app.command("config", &[]).success();
    assert!(config.out().contains("GREETING") && config.out().contains("COLOUR"), "{config:?}");
    assert!(!config.text().contains("hello") && !config.text().contains("blue"), "{config:?}");

    let _ = app.command("config:unset", &["GREETING"]).success();
    assert_eq!(app.get("/env?name=GREETING").status, 404);
    assert_eq!(app.page("/env?name=COLOUR"), "blue");
    let unset = app.command("config:unset", &["GREETING"]);
    assert!(unset.ok() || unset.err().contains("GREETING"), "{unset:?}");
    assert_eq!(versions(&app), 3);
}

#[test]
fn vars_set_before_the_first_push_count_from_it_on() {
    let app = App::probe("before");
    let _ = app.user.command(&format!("apps:create {}", app.slug)).success();
    let _ = app.command("config:set", &["EARLY=bird"]).success();
    app.push().live();
    assert_eq!(app.page("/env?name=EARLY"), "bird");
}

#[test]
fn a_rollback_runs_with_the_vars_of_today() {
    let app = App::probe("vars-back");
    app.push().live();
    app.version("two");
    app.push().live();
    let _ = app.command("config:set", &["SEASON=winter"]).success();
    let _ = app.command("rollback", &["v1"]).success();
    app.wait_for_page("one");
    assert_eq!(app.page("/env?name=SEASON"), "winter");
}

#[test]
fn names_that_are_ours_or_no_names_are_refused() {
    let app = App::probe("reserved");
    app.push().live();
    for key in ["PORT", "DYNO", "PS", "HOME"] {
        app.command("config:set", &[&format!("{key}=1")]).says(1, "is set by Skypanel itself");
    }
    for pair in ["lower=1", "1A=1", "A-B=1", "=1", "NOVALUE"] {
        let answer = app.command("config:set", &[pair]);
        assert_eq!(answer.status, Some(1), "{answer:?}");
        assert!(answer.err().starts_with(" !     "), "{answer:?}");
    }
    assert_eq!(versions(&app), 1);
}

#[test]
fn values_keep_every_byte_at_build_and_at_run_time() {
    let app = App::probe("bytes");
    app.repository.write("bin/pre_compile", "#!/bin/sh\nprintf %s \"$CERTIFICATE\" | sha256sum > built-with\n");
    app.commit("Use a var at build time");
    let _ = app.user.command(&format!("apps:create {}", app.slug)).success();
    let certificate = "-----BEGIN KEY-----\nline two\t'single' \"double\" $HOME `id` \\ back\n-----END KEY-----";
    let unicode = "Grüße 你好 🚀 = #; ";
    let _ = app
        .command("config:set", &[&format!("CERTIFICATE={certificate}"), &format!("UNICODE={unicode}"), "EMPTY="])
        .success();
    app.push().live();
    assert_eq!(app.page("/env?name=CERTIFICATE"), certificate);
    assert_eq!(app.page("/env?name=UNICODE"), unicode);
    assert_eq!(app.page("/env?name=EMPTY"), "");
    assert_eq!(app.run("printenv UNICODE").success().out(), format!("{unicode}\n"));
    let built = app.run(r#"test "$(printf %s "$CERTIFICATE" | sha256sum)" = "$(cat built-with)""#);
    assert!(built.ok(), "the build had the same value: {built:?}");
}

#[test]
fn a_value_is_in_no_inspection_log_or_answer() {
    let app = App::probe("secret");
    app.push().live();
    let secret = format!("s3cr3t-{}", app.slug);
    let mut said = app.command("config:set", &[&format!("TOKEN={secret}")]).success().text();
    assert_eq!(app.page("/env?name=TOKEN"), secret, "the app itself has it");
    app.repository.write("Procfile", "release: true\nweb: python3 app.py\nworker: python3 worker.py\n");
    app.version("with a release command");
    said += &app.push().live();
    app.repository.write("Procfile", "web: exit 5\n");
    app.commit("Broken");
    said += &app.push().refused();
    for command in ["config", "apps:info", "releases", "ps", "logs"] {
        said += &app.command(command, &[]).success().text();
    }
    for (command, word) in [("config:set", "BAD-NAME"), ("config:unset", "TOKEN"), ("config", "TOKEN")] {
        let refused = app.command(command, &[&format!("{word}={secret}")]);
        assert_eq!(refused.status, Some(1), "{refused:?}");
        said += &refused.text();
    }
    for path in ["/", "/api/health"] {
        let mut api = Connection::open(app.instance.api_port).expect("the API listens");
        said += &api.get("localhost", path).expect("the API answers").text();
    }
    assert!(!said.contains(&secret), "a value was told:\n{said}");

    let engine = Engine::of(&app.instance);
    let mut seen = 0;
    for kind in ["container", "service", "secret", "network", "volume"] {
        for id in engine.list(kind, &[]) {
            let inspected = Engine::inspect(kind, &id);
            seen += usize::from(inspected != Value::Null);
            assert!(!inspected.to_string().contains(&secret), "{kind} {id} shows it: {inspected}");
        }
    }
    assert!(seen > 3, "only {seen} objects were looked at");
    let task = &engine.tasks(&app.slug, "web")[0];
    let logs = Engine::docker(&["logs", task["Id"].as_str().unwrap_or_default()]).text();
    assert!(!logs.contains(&secret), "{logs}");
    let log = app.instance.log();
    assert!(!contains(&log, secret.as_bytes()), "Skypanel's log holds it");
    let mut grep = std::process::Command::new("grep");
    grep.args(["--recursive", "--files-with-matches", "--text", "--fixed-strings", &secret])
        .arg(&app.instance.data_dir);
    let found = skypanel_e2e::run(&mut grep, skypanel_e2e::COMMAND_LIMIT).out();
    assert_eq!(found, "", "it is readable in Skypanel's own files");
}

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    haystack.windows(needle.len()).any(|window| window == needle)
}

fn versions(app: &App) -> usize {
    let sql = format!(
        "SELECT version FROM paas_deployments d JOIN paas_applications a ON a.id = application_id
         WHERE slug = '{}' AND version IS NOT NULL",
        app.slug
    );
    app.instance.query(&sql).len()
}
