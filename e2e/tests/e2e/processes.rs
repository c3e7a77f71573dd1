//! Process types, scaling, restarts, one-off processes and logs.

use std::time::Duration;

use skypanel_e2e::{App, COMMAND_LIMIT, Connection, Engine, Running, SETTLE_LIMIT, until, until_some};

#[test]
fn process_types_are_services_and_scale_within_the_plan() {
    let app = App::probe("scale");
    app.push().live();
    let engine = Engine::of(&app.instance);
    assert_eq!(engine.tasks(&app.slug, "web").len(), 1, "web runs once by itself");
    assert_eq!(engine.tasks(&app.slug, "worker").len(), 0, "other types run when they are scaled");

    let too_many = app.command("ps:scale", &["web=2"]);
    assert_eq!(too_many.status, Some(1), "{too_many:?}");
    assert!(too_many.err().contains("hobby") && too_many.err().contains('1'), "{too_many:?}");
    let unknown = app.command("ps:scale", &["clock=1"]);
    assert!(unknown.status == Some(1) && unknown.err().contains("clock"), "{unknown:?}");

    let _ = app.command("ps:scale", &["web=1", "worker=1"]).success();
    assert_eq!(engine.tasks(&app.slug, "worker").len(), 1);
    let service = Engine::service(&app.slug, "worker");
    assert_eq!(service["Spec"]["Mode"]["Replicated"]["Replicas"], 1, "{service}");
    assert_eq!(service["Spec"]["EndpointSpec"]["Mode"], "dnsrr", "{service}");
    let ps = app.command("ps", &[]).success().out();
    assert!(ps.contains("web.1") && ps.contains("worker.1"), "{ps}");

    let _ = app.command("ps:scale", &["worker=0"]).success();
    until("the worker is gone", SETTLE_LIMIT, || engine.tasks(&app.slug, "worker").is_empty());
    assert_eq!(app.page("/"), "one");
}

#[test]
fn a_restart_makes_new_processes_without_a_failed_request() {
    let app = App::probe("restart");
    app.push().live();
    let engine = Engine::of(&app.instance);
    let before = engine.tasks(&app.slug, "web")[0]["Id"].clone();
    let load = app.load("/", 2, Duration::from_millis(20));
    let _ = app.command("ps:restart", &[]).success();
    until("the old process is gone", SETTLE_LIMIT, || {
        engine.tasks(&app.slug, "web").iter().all(|task| task["Id"] != before)
    });
    let served = load.stop();
    assert!(served.requests > 10 && served.failures.is_empty(), "{served:?}");
}

#[test]
fn a_stopped_app_says_so_and_starts_again() {
    let app = App::probe("stop");
    app.push().live();
    let _ = app.command("ps:stop", &[]).success();
    let page = until_some("the edge answers for the stopped app", SETTLE_LIMIT, || {
        app.try_get("/").ok().filter(|page| page.status == 503)
    });
    assert!(page.text().to_lowercase().contains("stopped"), "{page:?}");
    let engine = Engine::of(&app.instance);
    until("its processes have ended", SETTLE_LIMIT, || engine.tasks(&app.slug, "web").is_empty());

    app.version("two");
    let output = app.push().live();
    assert!(output.contains("ps:start"), "a push does not start it: {output}");
    assert_eq!(app.get("/").status, 503);
    let _ = app.command("ps:start", &[]).success();
    app.wait_for_page("two");
}

#[test]
fn an_unknown_host_gets_our_404() {
    let app = App::probe("hosts");
    app.push().live();
    for host in ["nobody.localhost", "localhost", "example.com", "127.0.0.1"] {
        let mut connection = Connection::open(app.instance.http_port).expect("the edge listens");
        let page = connection.get(host, "/some/path").expect("the edge answers");
        assert_eq!(page.status, 404, "{host}: {page:?}");
        assert!(page.text().contains("There is no app here"), "{host}: {page:?}");
    }
    assert_eq!(app.page("/"), "one");
}

#[test]
fn a_destroyed_app_leaves_nothing() {
    let app = App::probe("destroy");
    app.push().live();
    let engine = Engine::of(&app.instance);
    let wrong = app.command("apps:destroy", &["--confirm", "another-name"]);
    assert!(!wrong.ok(), "{wrong:?}");
    assert_eq!(app.page("/"), "one");
    let _ = app.destroy().success();
    until("everything of it is gone", SETTLE_LIMIT, || engine.of_app(&app.slug).is_empty());
    until("the edge has forgotten it", SETTLE_LIMIT, || app.get("/").status == 404);
    app.command("ps", &[]).says(1, "There is no app");
}

#[test]
fn the_release_command_runs_once_before_the_rollout_with_the_new_slug_and_vars() {
    let app = App::probe("release");
    app.push().live();
    let _ = app.command("config:set", &["SCHEMA=7"]).success();
    app.repository.write("Procfile", "release: echo \"release says $(cat VERSION) $SCHEMA\"\nweb: python3 app.py\n");
    app.version("two");
    let output = app.push().live();
    assert_eq!(output.matches("release says two 7").count(), 1, "{output}");
    let (release, launch) = (output.find("release says"), output.find("Launching v"));
    assert!(release.is_some() && release < launch, "it runs before the rollout: {output}");
}

#[test]
fn one_off_processes_have_status_streams_and_input_of_their_own() {
    let app = App::probe("run");
    app.push().live();
    let finished = app.run("cat VERSION; echo complaint >&2; exit 42");
    assert_eq!(finished.status, Some(42), "{finished:?}");
    assert_eq!((finished.out(), finished.err()), ("one".to_owned(), "complaint\n".to_owned()));
    assert_eq!(app.run("./no-such-program").status, Some(127));
    assert_eq!(app.run("kill -KILL $$").status, Some(137));

    let mut cat = Running::start(&mut app.user.ssh(&["-T"], &format!("run --app={} sha256sum", app.slug)));
    let input = vec![b'x'; 1 << 20];
    cat.type_in(&input);
    cat.close_input();
    let sum = cat.finish(COMMAND_LIMIT).success().out();
    // SHA-256 of 2^20 times the letter x.
    let expected = local_sum(&input);
    assert!(sum.starts_with(&expected), "{sum} is not {expected}");
    let no_containers =
        || Engine::of(&app.instance).list("container", &[&format!("skypanel.app={}", app.slug), "skypanel.role=run"]);
    until("the one-off containers are gone", SETTLE_LIMIT, || no_containers().is_empty());
}

#[test]
fn a_one_off_process_has_the_clients_terminal() {
    let app = App::probe("terminal");
    app.push().live();
    let script = r#"test -t 0 && echo "size $(stty size) $TERM"; trap 'echo "now $(stty size)"; test "$(stty size)" = "12 44" && exit 5' WINCH; while :; do sleep 0.1; done"#;
    let mut terminal = Terminal::start(&app, script);
    terminal.0.wait_for("size 31 97 xterm-256color", COMMAND_LIMIT);
    terminal.resize();
    terminal.0.wait_for("now 12 44", COMMAND_LIMIT);
    assert_eq!(terminal.0.finish(COMMAND_LIMIT).status, Some(5));

    let mut terminal = Terminal::start(&app, "echo ready; sleep 300; echo not reached");
    terminal.0.wait_for("ready", COMMAND_LIMIT);
    terminal.0.type_in(b"\x03");
    let finished = terminal.0.finish(COMMAND_LIMIT);
    assert_eq!(finished.status, Some(130), "Ctrl-C ends the remote process: {finished:?}");

    let mut terminal = Terminal::start(&app, "bash");
    terminal.0.wait_for("$", COMMAND_LIMIT);
    terminal.0.type_in(b"echo $((6 * 7)) and $DYNO\n");
    terminal.0.wait_for("42 and run.", COMMAND_LIMIT);
    terminal.0.type_in(b"exit 3\n");
    assert_eq!(terminal.0.finish(COMMAND_LIMIT).status, Some(3));
}

#[test]
fn logs_show_the_newest_lines_and_follow() {
    let app = App::probe("logs");
    app.push().live();
    let _ = app.command("ps:scale", &["worker=1"]).success();
    for number in 0..5 {
        assert_eq!(app.get(&format!("/line-{number}")).status, 404);
    }
    let lines = until_some("the requests are in the log", SETTLE_LIMIT, || {
        let logs = app.command("logs", &["-n", "500"]).success().out();
        logs.contains("/line-4").then_some(logs)
    });
    assert!(lines.contains("web.1") && lines.contains("worker.1"), "{lines}");
    let few = app.command("logs", &["-n", "3"]).success().out();
    assert_eq!(few.trim_end().lines().count(), 3, "{few}");

    let mut tail = Running::start(&mut app.ssh(&["-T"], "logs", &["-t", "-n", "1"]));
    tail.wait_for("turn", COMMAND_LIMIT);
    assert_eq!(app.get("/while-following").status, 404);
    tail.wait_for("/while-following", COMMAND_LIMIT);
    assert!(tail.runs(), "it goes on until the client ends it");
}

/// `ssh -t` in a pseudo-terminal of 97 columns and 31 rows, made by util-linux's `script`.
struct Terminal(Running, std::path::PathBuf, #[expect(dead_code, reason = "removed when dropped")] tempfile::TempDir);

impl Terminal {
    #[track_caller]
    fn start(app: &App, line: &str) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let resize = directory.path().join("resize");
        let fifo = std::process::Command::new("mkfifo").arg(&resize).status();
        assert!(fifo.is_ok_and(|status| status.success()), "a fifo is made");
        let mut words: Vec<String> = app.user.ssh_words();
        words.extend(["-t".to_owned(), "git@127.0.0.1".to_owned(), "--".to_owned()]);
        words.push(format!("run --app={} {line}", app.slug));
        let quoted: Vec<String> = words.iter().map(|word| format!("'{}'", word.replace('\'', r"'\''"))).collect();
        let command = format!(
            "stty cols 97 rows 31; (read -r _ < '{}'; stty -F /dev/tty cols 44 rows 12) & exec {}",
            resize.display(),
            quoted.join(" ")
        );
        let mut script = std::process::Command::new("script");
        script.args(["--quiet", "--return", "--flush", "--command", &command, "/dev/null"]);
        script.env("TERM", "xterm-256color").env("SHELL", "/bin/bash");
        Self(Running::start(&mut script), resize, directory)
    }

    fn resize(&self) {
        std::fs::write(&self.1, "now\n").expect("the reader is there");
    }
}

fn local_sum(input: &[u8]) -> String {
    let mut sum = Running::start(&mut std::process::Command::new("sha256sum"));
    sum.type_in(input);
    sum.close_input();
    sum.finish(COMMAND_LIMIT).success().out().chars().take(64).collect()
}
