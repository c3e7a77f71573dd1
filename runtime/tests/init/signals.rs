//! Signals: what reaches the app, and when.

use std::time::{Duration, Instant};

use crate::harness::{App, Running};

/// An app that tells of every signal and stops, with success, at SIGTERM.
const TELLTALE: &str = "
for name in HUP INT QUIT USR1 USR2 WINCH; do trap \"echo got $name\" $name; done
trap 'echo got TERM; exit 0' TERM
echo ready
while :; do sleep 0.02; done";

const DRAIN: Duration = Duration::from_millis(700);

/// What a loaded machine may add.
const SLACK: Duration = Duration::from_secs(5);

fn started(app: &App, flags: &[&str], line: &str) -> Running {
    let drain = DRAIN.as_millis().to_string();
    let mut running = Running::spawn(app.start(flags).env("SKYPANEL_DRAIN_MS", drain).args(["--", line]));
    assert_eq!(running.line(), "ready");
    running
}

#[test]
fn signals_are_passed_on() {
    let app = App::new();
    let mut running = started(&app, &["--routed"], TELLTALE);
    for name in ["HUP", "USR1", "USR2", "WINCH", "INT", "QUIT"] {
        running.signal(name);
        assert_eq!(running.line(), format!("got {name}"));
    }
    running.signal("TERM");
    assert_eq!(running.line(), "got TERM");
    assert_eq!(running.end().code, Some(0));
}

#[test]
fn an_unrouted_process_is_stopped_at_once() {
    let app = App::new();
    let mut running = Running::spawn(app.start(&[]).env("SKYPANEL_DRAIN_MS", "3600000").args(["--", TELLTALE]));
    assert_eq!(running.line(), "ready");
    running.signal("TERM");
    assert_eq!(running.line(), "got TERM");
    assert_eq!(running.end().code, Some(0));
}

#[test]
fn a_routed_process_serves_on_while_it_drains() {
    let app = App::new();
    let line = TELLTALE.replace("sleep 0.02", "sleep 0.02; echo serving");
    let mut running = started(&app, &["--routed"], &line);
    let begun = Instant::now();
    running.signal("TERM");
    while begun.elapsed() < DRAIN / 2 {
        assert_eq!(running.line(), "serving");
    }
    running.wait_for("got TERM");
    let drained = begun.elapsed();
    assert!((DRAIN..DRAIN + SLACK).contains(&drained), "{drained:?}");
    assert_eq!(running.end().code, Some(0));
}

#[test]
fn a_second_sigterm_ends_the_drain() {
    let app = App::new();
    let mut running =
        Running::spawn(app.start(&["--routed"]).env("SKYPANEL_DRAIN_MS", "3600000").args(["--", TELLTALE]));
    assert_eq!(running.line(), "ready");
    running.signal("TERM");
    std::thread::sleep(Duration::from_millis(200));
    assert!(running.child().try_wait().expect("a status").is_none(), "it drains");
    running.signal("TERM");
    assert_eq!(running.line(), "got TERM");
    assert_eq!(running.end().code, Some(0));
}

#[test]
fn an_app_that_ends_while_it_drains_ends_the_container() {
    let app = App::new();
    let mut running = Running::spawn(
        app.start(&["--routed"])
            .env("SKYPANEL_DRAIN_MS", "3600000")
            .args(["--", "trap 'exit 4' USR1; echo ready; while :; do sleep 0.02; done"]),
    );
    assert_eq!(running.line(), "ready");
    running.signal("TERM");
    running.signal("USR1");
    assert_eq!(running.end().code, Some(4));
}

#[test]
fn a_server_behind_a_shell_may_finish() {
    let app = App::new();
    // The shell dies of SIGTERM at once, the server it runs has a last request to answer.
    app.file("server", "trap 'sleep 0.4; echo answered; exit 0' TERM\necho ready\nwhile :; do sleep 0.02; done");
    let running = started(&app, &[], "bash ./server; true");
    running.signal("TERM");
    let ended = running.end();
    assert_eq!((ended.code, ended.output.as_str()), (Some(143), "answered\n"));
}

#[test]
fn what_a_clean_exit_leaves_behind_is_not_waited_for() {
    let app = App::new();
    // Ready when the helper is deaf to the signal and its id is known.
    let line = "trap 'echo $helper; exit 0' TERM
        bash -c 'trap : TERM; touch deaf; while :; do sleep 0.1; done' & helper=$!
        until [ -e deaf ]; do sleep 0.02; done
        echo ready
        while :; do sleep 0.02; done";
    let mut running = started(&app, &[], line);
    running.signal("TERM");
    let helper = running.line().parse().expect("a pid");
    // The helper holds stdout and, without a PID namespace, lives on; it ends with this test.
    assert_eq!(running.exit_code(), Some(0));
    crate::harness::signal(helper, "KILL");
}

#[test]
fn a_crash_is_not_mistaken_for_a_stop() {
    let app = App::new();
    let line = "sleep 600 & helper=$!; echo ready; echo $helper; sleep 0.1; kill -SEGV $$";
    let mut running = started(&app, &[], line);
    let helper = running.line().parse().expect("a pid");
    assert_eq!(running.exit_code(), Some(139), "init does not wait for the helper");
    crate::harness::signal(helper, "KILL");
}
