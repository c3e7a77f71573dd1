//! `init` as process 1 of a PID namespace, as it is in a container.

use std::{fs, process::Command};

use crate::harness::{App, Running, signal};

fn spawn(app: &App, flags: &[&str], line: &str) -> Running {
    let start = app.start(flags);
    let mut unshare = Command::new("unshare");
    unshare.args(["--pid", "--fork", "--mount-proc", "--kill-child"]);
    unshare.arg(start.get_program()).args(start.get_args()).args(["--", line]);
    Running::spawn(&mut unshare)
}

/// The pid, out here, of the namespace's process 1.
fn process_one(unshare: &Running) -> u32 {
    let pid = unshare.pid();
    let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"));
    children.expect("the kernel lists children").trim().parse().expect("one child")
}

#[test]
fn zombies_are_reaped() {
    let app = App::new();
    // Twenty orphans end; what is left of them would show as state Z.
    let line = "echo $PPID; for i in {1..20}; do (sleep 0.05 &); done; sleep 0.5
        cat /proc/[0-9]*/stat | grep -c ') Z '; ls -d /proc/[0-9]* | wc -l";
    let ended = spawn(&app, &[], line).end();
    let lines: Vec<&str> = ended.output.lines().collect();
    assert_eq!(lines[..2], ["1", "0"], "init is process 1 and leaves no zombie");
    let processes: u32 = lines[2].parse().expect("a number");
    assert!(processes <= 5, "{processes} processes are left");
    assert_eq!(ended.code, Some(0));
}

#[test]
fn signals_reach_the_app_through_process_one() {
    let app = App::new();
    let line = "trap 'echo got HUP' HUP; trap 'echo got TERM; exit 6' TERM
        echo ready; while :; do sleep 0.02; done";
    let mut running = spawn(&app, &["--routed"], line);
    assert_eq!(running.line(), "ready");
    let init = process_one(&running);
    signal(init, "HUP");
    assert_eq!(running.line(), "got HUP");
    signal(init, "TERM");
    signal(init, "TERM");
    assert_eq!(running.line(), "got TERM");
    assert_eq!(running.end().code, Some(6));
}

#[test]
fn an_app_that_ignores_signals_by_default_is_stopped() {
    let app = App::new();
    // As process 1 itself, a program without a handler would never see SIGTERM.
    let mut running = spawn(&app, &[], "echo ready; exec sleep 60");
    assert_eq!(running.line(), "ready");
    signal(process_one(&running), "TERM");
    assert_eq!(running.end().code, Some(143));
}

#[test]
fn the_end_of_the_app_ends_everything() {
    let app = App::new();
    // The helper holds stdout: this only ends when the kernel ends the namespace.
    let ended = spawn(&app, &[], "trap '' TERM; sleep 60 & exit 9").end();
    assert_eq!(ended.code, Some(9));
}
