//! `--tty`: a real terminal, made by script(1), with Ctrl-C, Ctrl-Z and job control.

use std::{io::Write as _, process::Command};

use crate::harness::{App, Running, signal};

struct Session {
    running: Running,
}

impl Session {
    fn start(app: &App, command: &[&str]) -> Self {
        let start = app.start(&["--tty"]);
        let words: Vec<String> = std::iter::once(start.get_program())
            .chain(start.get_args())
            .map(|word| word.to_str().expect("a UTF-8 argument").to_owned())
            .chain(command.iter().map(ToString::to_string))
            .map(|word| format!("'{}'", word.replace('\'', r"'\''")))
            .collect();
        let mut script = Command::new("script");
        script.args(["-q", "-e", "-c", &words.join(" "), "/dev/null"]).env("SHELL", "/bin/sh");
        Self { running: Running::spawn(script.env("TERM", "dumb")) }
    }

    fn press(&mut self, keys: &str) {
        let stdin = self.running.child().stdin.as_mut().expect("stdin is a pipe");
        stdin.write_all(keys.as_bytes()).expect("the terminal reads");
    }
}

#[test]
fn ctrl_c_reaches_the_command() {
    let app = App::new();
    let line = "trap 'echo got INT; exit 5' INT; test -t 0 && echo ready; while :; do sleep 0.02; done";
    let mut session = Session::start(&app, &["--", line]);
    session.running.wait_for("ready");
    session.press("\x03");
    session.running.wait_for("got INT");
    assert_eq!(session.running.end().code, Some(5));
}

#[test]
fn the_size_is_there_from_the_start() {
    let app = App::new();
    let session = Session::start(&app, &["--size", "97x31", "--", "stty size"]);
    let ended = session.running.end();
    assert_eq!((ended.code, ended.output.trim()), (Some(0), "31 97"));
}

#[test]
fn ctrl_c_ends_a_program_without_a_handler() {
    let app = App::new();
    let mut session = Session::start(&app, &["--exec", "--", "sh", "-c", "echo ready; exec sleep 60"]);
    session.running.wait_for("ready");
    session.press("\x03");
    assert_eq!(session.running.end().code, Some(130));
}

#[test]
fn an_interactive_shell_has_job_control() {
    let app = App::new();
    let mut session = Session::start(&app, &["--", "bash --norc --noprofile -i"]);
    session.press("PS1=; set -o | grep monitor\n");
    session.running.wait_for("monitor        \ton");
    // The quotes tell the job's own output from the echo of what was typed.
    session.press("sh -c 'echo be\"\"gun; exec sleep 60'\n");
    session.running.wait_for("begun");
    session.press("\x1a");
    session.running.wait_for("Stopped");
    // `exit` would refuse as long as bash has not seen the end of the stopped job.
    session.press("kill -KILL %1; exec sh -c 'exit 3'\n");
    assert_eq!(session.running.end().code, Some(3));
}

#[test]
fn ctrl_z_without_a_shell_stops_nothing() {
    let app = App::new();
    let line = "trap 'echo went on' CONT; echo ready; for i in {1..20}; do sleep 0.05; done; exit 7";
    let mut session = Session::start(&app, &["--", line]);
    session.running.wait_for("ready");
    session.press("\x1a");
    session.running.wait_for("went on");
    assert_eq!(session.running.end().code, Some(7));
}

#[test]
fn sigterm_hangs_up_an_interactive_shell() {
    let app = App::new();
    let mut session = Session::start(&app, &["--", "bash --norc --noprofile -i"]);
    session.press("PS1=; echo init is $PPID\n");
    let init = loop {
        let line = session.running.line();
        if let Some(pid) = line.strip_prefix("init is ").and_then(|pid| pid.parse().ok()) {
            break pid;
        }
    };
    signal(init, "TERM");
    assert_eq!(session.running.end().code, Some(129), "an interactive shell ignores SIGTERM");
}

#[test]
fn without_a_terminal_the_flag_is_harmless() {
    let app = App::new();
    let mut running = Running::spawn(app.start(&["--tty"]).args(["--", "cat; exit 2"]));
    let stdin = running.child().stdin.as_mut().expect("stdin is a pipe");
    stdin.write_all(b"through a pipe\n").expect("the command reads");
    let ended = running.end();
    assert_eq!((ended.code, ended.output.as_str()), (Some(2), "through a pipe\n"));
}
