//! What transports show: logs in order, processes, and one-off processes with and without a terminal.

use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt as _;
use skypanel_core::console::{Console as _, LogQuery, OneOff, OneOffSession, Output, Terminal};
use skypanel_core::model::{AppStatus, Application};

use crate::task::command;
use crate::world::World;

const LIMIT: Duration = Duration::from_secs(20);

/// Everything the process writes, by stream, and its exit status.
async fn finish(what: &str, mut session: OneOffSession) -> (String, String, i32) {
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let read = async {
        while let Some(piece) = session.output.recv().await {
            match piece {
                Output::Stdout(bytes) => out.extend_from_slice(&bytes),
                Output::Stderr(bytes) => err.extend_from_slice(&bytes),
            }
        }
    };
    assert!(tokio::time::timeout(LIMIT, read).await.is_ok(), "the output of {what} ends");
    let exit = tokio::time::timeout(LIMIT, session.exit).await.expect("ends").expect("is told");
    (String::from_utf8_lossy(&out).into_owned(), String::from_utf8_lossy(&err).into_owned(), exit)
}

#[tokio::test(flavor = "multi_thread")]
async fn one_off_processes_run_in_the_current_release() {
    let mut world = World::new().await;
    let app = world.app().await;
    world.configure(&app, &[("GREETING", "hello")]).await;
    world.release(&app, &[("web", &command("web"))], &[("web", 1)]).await.expect("goes live");
    // Sessions end with their console.
    let console = world.console();
    let app = world.database.store().app(app.id).await.expect("is there");
    let start = async |line: &str, terminal: Option<Terminal>| {
        console.run(&app, OneOff { command: line.to_owned(), terminal }).await.expect("starts")
    };

    let (out, err, exit) = finish("a script", start("echo $GREETING; echo wrong >&2; exit 42", None).await).await;
    assert_eq!((out.as_str(), err.as_str(), exit), ("hello\n", "wrong\n", 42));

    // Input, and its end.
    let session = start("cat; echo end", None).await;
    session.input.send(Bytes::from_static(b"typed\n")).await.expect("is taken");
    let OneOffSession { input, output, resize, exit } = session;
    drop(input);
    let (never, _) = tokio::sync::mpsc::channel(1);
    let (out, _, status) = finish("cat", OneOffSession { input: never, output, resize, exit }).await;
    assert_eq!((out.as_str(), status), ("typed\nend\n", 0));

    // A terminal of the right size, which can be resized, and Ctrl-C.
    let terminal = Terminal { term: "xterm-256color".to_owned(), columns: 100, rows: 30 };
    let script = "stty size; echo $TERM; until [ \"$(stty size)\" = '20 90' ]; do sleep 0.05; done; echo resized; \
                  read; echo waiting; exec sleep 60";
    let mut session = start(script, Some(terminal)).await;
    let mut seen = String::new();
    let mut until = async |seen: &mut String, wanted: &str| {
        while !seen.contains(wanted) {
            let piece = tokio::time::timeout(LIMIT, session.output.recv()).await;
            match piece.expect("comes").expect("goes on") {
                Output::Stdout(bytes) | Output::Stderr(bytes) => seen.push_str(&String::from_utf8_lossy(&bytes)),
            }
        }
    };
    until(&mut seen, "30 100").await;
    until(&mut seen, "xterm-256color").await;
    session.resize.send((90, 20)).await.expect("is taken");
    until(&mut seen, "resized").await;
    session.input.send(Bytes::from_static(b"\n")).await.expect("is taken");
    // Now no child of bash is about to end: one that ends well in the moment of Ctrl-C makes bash go on.
    until(&mut seen, "waiting").await;
    session.input.send(Bytes::from_static(b"\x03")).await.expect("is taken");
    let (_, _, exit) = finish("what Ctrl-C ended", session).await;
    assert_eq!(exit, 130);

    // A client that goes away takes its process with it.
    let session = start("sleep 60", None).await;
    assert_eq!(world.containers(&[("skypanel.role", "run")]).await.len(), 1);
    let inspected = world.containers(&[("skypanel.role", "run")]).await.pop().expect("runs");
    let inspected = format!("{:?}", world.engine.inspect_container(&inspected, None).await.expect("is there"));
    assert!(!inspected.contains("GREETING"), "{inspected}");
    drop(session);
    let begun = std::time::Instant::now();
    while !world.containers(&[("skypanel.role", "run")]).await.is_empty() {
        assert!(begun.elapsed() < LIMIT);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    drop(console);
    world.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_ends_one_off_processes_too_and_what_runs_on_is_seen() {
    let mut world = World::new().await;
    let (app, other) = (world.app().await, world.app().await);
    for app in [&app, &other] {
        world.release(app, &[("web", &command("web"))], &[("web", 1)]).await.expect("goes live");
    }
    let console = world.console();
    let released = world.database.store().app(app.id).await.expect("is there");
    let one_off = || OneOff { command: "sleep 60".to_owned(), terminal: None };
    let session = console.run(&released, one_off()).await.expect("starts");
    let others = world.database.store().app(other.id).await.expect("is there");
    let of_other = console.run(&others, one_off()).await.expect("starts");
    assert!(
        world.deployer.running_apps().await.expect("lists").is_superset(&[app.slug.clone(), other.slug.clone()].into())
    );
    world.database.store().set_app_status(app.id, AppStatus::Stopped).await.expect("stops");
    world.deployer.stop(&app).await.expect("stops");
    assert_ne!(tokio::time::timeout(LIMIT, session.exit).await.expect("ends").expect("is told"), 0);
    let running = world.deployer.running_apps().await.expect("lists");
    assert!(!running.contains(&app.slug) && running.contains(&other.slug), "{running:?}");
    assert_eq!(world.containers(&[("skypanel.role", "run")]).await.len(), 1, "that of the other app");
    assert_eq!(console.run(&released, one_off()).await.expect_err("is stopped").code(), "CONFLICT");
    drop(of_other);
    drop(console);
    world.deployer.settle().await;
    world.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_has_only_so_many_one_off_processes_at_once() {
    let mut world = World::new().await;
    let (app, other) = (world.app().await, world.app().await);
    world.database.store().set_setting("run.max_per_app", "2").await.expect("is set");
    for app in [&app, &other] {
        world.release(app, &[("web", &command("web"))], &[("web", 1)]).await.expect("goes live");
    }
    let console = world.console();
    let run = async |app: &Application, line: &str| {
        let app = world.database.store().app(app.id).await.expect("is there");
        console.run(&app, OneOff { command: line.to_owned(), terminal: None }).await
    };
    let mut held = vec![run(&app, "sleep 60").await.expect("starts"), run(&app, "sleep 60").await.expect("starts")];
    let error = run(&app, "sleep 60").await.expect_err("is one too many");
    assert_eq!(error.code(), "PLAN_LIMIT_REACHED");
    let told = format!("{} has 2 one-off processes running, and may have 2 at the same time.", app.slug);
    assert!(error.to_string().starts_with(&told) && error.to_string().contains("run.max_per_app"), "{error}");
    assert_eq!(world.containers(&[("skypanel.role", "run")]).await.len(), 2, "nothing is left of the one refused");
    // Each app has its own, and one that ended makes room.
    drop(run(&other, "sleep 60").await.expect("starts"));
    drop(held.pop());
    let begun = std::time::Instant::now();
    while world.containers(&[("skypanel.role", "run")]).await.len() > 1 {
        assert!(begun.elapsed() < LIMIT);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    // Many in one moment, where one fits.
    let all = futures_util::future::join_all((0..5).map(|_| run(&app, "sleep 60"))).await;
    assert!(all.iter().filter(|run| run.is_ok()).count() <= 1);
    drop((held, all));
    drop(console);
    world.deployer.settle().await;
    assert_eq!(world.containers(&[("skypanel.role", "run")]).await, Vec::<String>::new());
    world.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn logs_come_in_order_and_go_on_with_the_next_release() {
    let mut world = World::new().await;
    let app = world.app().await;
    let (web, worker) = (command("web"), command("worker"));
    let processes = [("web", web.as_str()), ("worker", worker.as_str())];
    world.release(&app, &processes, &[("web", 2), ("worker", 1)]).await.expect("goes live");
    let console = world.console();

    let states = console.processes(&app).await.expect("lists");
    let shown: Vec<_> =
        states.iter().map(|state| format!("{}.{} {}", state.process, state.replica, state.state)).collect();
    assert_eq!(shown, ["web.1 running", "web.2 running", "worker.1 running"]);
    assert!(states.iter().all(|state| state.since.is_some()));

    let query = LogQuery { lines: 100, follow: false, process: None };
    let lines: Vec<_> = console.logs(&app, query).await.expect("reads").collect().await;
    let lines: Vec<_> = lines.into_iter().map(|line| line.expect("a line")).collect();
    assert!(lines.is_sorted_by_key(|line| line.at));
    let has = |process: &str, text: &str| {
        lines.iter().any(|line| line.process == process && line.text.as_ref() == text.as_bytes())
    };
    assert!(has("web.1", "serving v1 on 5000") && has("web.2", "serving v1 on 5000") && has("worker.1", "worked"));

    let query = LogQuery { lines: 1, follow: true, process: Some(crate::world::process("web")) };
    let mut follower = console.logs(&app, query).await.expect("reads");
    assert!(follower.next().await.expect("one is kept").expect("a line").process.starts_with("web."));
    world.release(&app, &processes, &[("web", 1), ("worker", 1)]).await.expect("goes live");
    let next = async {
        loop {
            let line = follower.next().await.expect("goes on").expect("a line");
            if line.text.as_ref() == b"serving v2 on 5000" {
                return line.process;
            }
        }
    };
    assert_eq!(tokio::time::timeout(LIMIT, next).await.expect("comes"), "web.1");
    drop((follower, console));
    world.close().await;
}
