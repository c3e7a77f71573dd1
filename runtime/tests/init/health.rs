//! `init health` against servers of every temper.

use std::{
    fs,
    io::{Read as _, Write as _},
    net::{TcpListener, TcpStream},
    os::unix::fs::symlink,
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use crate::harness::{App, Ended, Running, init};

/// What a loaded machine may add.
const SLACK: Duration = Duration::from_secs(5);

const OK: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok";

/// Serves every connection with `serve` until the test process ends.
struct Server {
    port: u16,
    connections: Arc<AtomicUsize>,
}

impl Server {
    fn on(address: &str, serve: impl Fn(TcpStream) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind(address).expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let connections = Arc::new(AtomicUsize::new(0));
        let (count, serve) = (Arc::clone(&connections), Arc::new(serve));
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                count.fetch_add(1, Ordering::SeqCst);
                let serve = Arc::clone(&serve);
                thread::spawn(move || serve(stream));
            }
        });
        Self { port, connections }
    }

    fn new(serve: impl Fn(TcpStream) + Send + Sync + 'static) -> Self {
        Self::on("0.0.0.0:0", serve)
    }

    /// Reads the request and answers with these bytes.
    fn answering(answer: &'static [u8]) -> Self {
        Self::new(move |mut stream| {
            read_request(&mut stream);
            // A probe that has seen enough may be gone.
            let _ = stream.write_all(answer);
        })
    }

    fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

fn read_request(stream: &mut TcpStream) -> String {
    let mut request = Vec::new();
    let mut byte = [0];
    while !request.ends_with(b"\r\n\r\n") && stream.read(&mut byte).is_ok_and(|read| read == 1) {
        request.push(byte[0]);
    }
    String::from_utf8(request).expect("the request is text")
}

/// A check with limits that make an unhealthy app known soon.
fn check(app: &App, port: u16, mode: &str) -> Command {
    let mut health = init();
    health.args(["health", "--marker"]).arg(app.path().join("marker"));
    health.env("PORT", port.to_string()).env("SKYPANEL_HEALTH", mode);
    health.env("SKYPANEL_HEALTH_START_MS", "400").env("SKYPANEL_HEALTH_TIMEOUT_MS", "300");
    health
}

fn run(command: &mut Command) -> (Ended, Duration) {
    let begun = Instant::now();
    let ended = Running::spawn(command).end();
    assert_eq!(ended.output.lines().count(), 1, "one line for the engine's log: {ended:?}");
    assert_eq!(ended.errors, "");
    (ended, begun.elapsed())
}

/// Runs a check in a fresh container and says whether it was healthy, and the line.
fn judged(port: u16, mode: &str) -> (bool, String) {
    let app = App::new();
    let (ended, _) = run(&mut check(&app, port, mode));
    let healthy = ended.code == Some(0);
    assert!(healthy || ended.code == Some(1), "{ended:?}");
    assert_eq!(app.path().join("marker").exists(), healthy, "the marker says the same");
    (healthy, ended.output.trim_end().to_owned())
}

fn free_port() -> u16 {
    TcpListener::bind("0.0.0.0:0").and_then(|listener| listener.local_addr()).expect("a port").port()
}

#[test]
fn auto_asks_for_health_and_takes_any_answer() {
    let server = Server::answering(OK);
    assert_eq!(judged(server.port, "auto"), (true, "healthy: GET /health answered 200".into()));
    assert_eq!(judged(server.port, ""), (true, "healthy: GET /health answered 200".into()));
    for (answer, words) in [
        (&b"HTTP/1.1 404 Not Found\r\n\r\n"[..], "GET /up answered 404"),
        (b"HTTP/1.0 500 Oh\r\n\r\n", "GET /up answered 500"),
        (b"SSH-2.0-other\r\n", "GET /up: the answer is not HTTP"),
        (b"HTTP/1.1 two hundred\r\n\r\n", "GET /up: the answer is not HTTP"),
        (b"", "GET /up: the connection was closed without an answer"),
    ] {
        let server = Server::answering(answer);
        let port = server.port;
        let line = format!("healthy: port {port} is open ({words})");
        assert_eq!(judged(port, "auto:/up"), (true, line));
    }
}

#[test]
fn http_is_strict() {
    for (answer, healthy, words) in [
        (OK, true, "healthy: GET /up?full=1 answered 200"),
        (b"HTTP/1.1 302 Found\r\nLocation: /\r\n\r\n", true, "answered 302"),
        (b"HTTP/1.1 404 Not Found\r\n\r\n", false, "answered 404, where 2xx or 3xx is healthy"),
        (b"HTTP/1.1 500 Oh\r\n\r\n", false, "answered 500, where 2xx or 3xx is healthy"),
        (b"HTTP/1.1 99 Low\r\n\r\n", false, "the answer is not HTTP"),
        (b"nonsense", false, "the answer is not HTTP"),
        (b"", false, "the connection was closed without an answer"),
    ] {
        let server = Server::answering(answer);
        let (judgement, line) = judged(server.port, "http:/up?full=1");
        assert_eq!(judgement, healthy, "{line}");
        assert!(line.contains(words), "{line}");
    }
}

#[test]
fn the_app_says_which_statuses_are_healthy() {
    let judged = |answer: &'static [u8], statuses: &str| {
        let (app, server) = (App::new(), Server::answering(answer));
        let (ended, _) = run(check(&app, server.port, "http:/up").env("SKYPANEL_HEALTH_STATUS", statuses));
        (ended.code == Some(0), ended.output)
    };
    assert!(judged(b"HTTP/1.1 401 No\r\n\r\n", "200-204,401").0);
    let (healthy, line) = judged(b"HTTP/1.1 302 Found\r\n\r\n", "200-204,401");
    assert!(!healthy && line.contains("GET /up answered 302, where 200-204,401 is healthy"), "{line}");
    let (healthy, line) = judged(OK, "ok");
    assert!(!healthy && line.starts_with("unhealthy: SKYPANEL_HEALTH_STATUS must be"), "{line}");
}

#[test]
fn a_failed_check_tells_what_was_answered() {
    for (answer, told) in [
        (
            &b"HTTP/1.1 503 Oh\r\nContent-Type: text/plain\r\n\r\nno \x1b[31mdatabase\r\n\0"[..],
            "healthy: no [31mdatabase\n",
        ),
        (b"HTTP/1.1 503 Oh\r\nTransfer-Encoding: chunked\r\n\r\n6\r\n{\"a\":1\r\n", "healthy: {\"a\":1\n"),
        (b"HTTP/1.1 503 Oh\r\n\r\n", "is healthy\n"),
    ] {
        let (healthy, line) = judged(Server::answering(answer).port, "http:/up");
        assert!(!healthy);
        assert!(format!("{line}\n").ends_with(told), "{line}");
    }
}

#[test]
fn health_may_be_asked_on_another_port_than_requests() {
    let app = App::new();
    // Nothing but the check has to reach it there.
    let server = Server::on("127.0.0.1:0", |mut stream| {
        read_request(&mut stream);
        let _ = stream.write_all(OK);
    });
    let elsewhere = |port: u16| {
        let mut health = check(&app, port, "http:/up");
        health.env("SKYPANEL_HEALTH_PORT", server.port.to_string());
        run(&mut health).0
    };
    let closed = free_port();
    let ended = elsewhere(closed);
    assert_eq!(ended.code, Some(1));
    assert!(ended.output.contains(&format!("nothing listens on port {closed}, where requests go")), "{ended:?}");
    let requests = Server::new(|_| {});
    let ended = elsewhere(requests.port);
    assert_eq!((ended.code, ended.output.as_str()), (Some(0), "healthy: GET /up answered 200\n"));
}

#[test]
fn tcp_only_connects() {
    let server = Server::new(|_| thread::sleep(SLACK));
    let line = format!("healthy: port {} is open", server.port);
    assert_eq!(judged(server.port, "tcp"), (true, line));
}

#[test]
fn ipv6_is_tried_as_well() {
    let server = Server::on("[::]:0", |mut stream| {
        read_request(&mut stream);
        let _ = stream.write_all(OK);
    });
    assert!(judged(server.port, "http:/").0);
}

#[test]
fn the_request_is_plain_http() {
    let (sender, receiver) = std::sync::mpsc::channel();
    let server = Server::new(move |mut stream| {
        let _ = sender.send(read_request(&mut stream));
        let _ = stream.write_all(OK);
    });
    assert!(judged(server.port, "http:/up").0);
    let request = receiver.recv_timeout(SLACK).expect("a request");
    assert!(request.starts_with("GET /up HTTP/1.1\r\nHost: localhost\r\n"), "{request}");
    assert!(request.contains("\r\nUser-Agent: Skypanel-Health/"), "{request}");

    let app = App::new();
    run(check(&app, server.port, "http:/up").env("SKYPANEL_HEALTH_HOST", "shop.example.org"));
    let request = receiver.recv_timeout(SLACK).expect("a request");
    assert!(request.contains("\r\nHost: shop.example.org\r\n"), "{request}");
}

#[test]
fn a_starting_app_is_ready_the_moment_it_listens() {
    let app = App::new();
    let port = free_port();
    let mut health = check(&app, port, "auto");
    let running = Running::spawn(health.env("SKYPANEL_HEALTH_START_MS", "60000"));
    thread::sleep(Duration::from_millis(500));
    let begun = Instant::now();
    let server = Server::on(&format!("0.0.0.0:{port}"), |mut stream| {
        read_request(&mut stream);
        let _ = stream.write_all(OK);
    });
    let ended = running.end();
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(begun.elapsed() < SLACK, "{:?}", begun.elapsed());
    assert_eq!(server.connections(), 1, "a healthy app is asked once");
}

#[test]
fn an_app_that_never_listens_is_given_up() {
    let app = App::new();
    let port = free_port();
    let (ended, took) = run(&mut check(&app, port, "auto"));
    assert_eq!(ended.code, Some(1));
    assert_eq!(ended.output, format!("unhealthy: not ready 400 ms after its start: nothing listens on port {port}\n"));
    assert!((Duration::from_millis(300)..SLACK).contains(&took), "{took:?}");
}

#[test]
fn an_app_on_loopback_only_is_told_so() {
    let server = Server::on("127.0.0.1:0", |mut stream| {
        read_request(&mut stream);
        let _ = stream.write_all(OK);
    });
    for mode in ["auto", "tcp"] {
        let (healthy, line) = judged(server.port, mode);
        assert!(!healthy);
        assert!(line.contains("of the loopback interface only"), "{line}");
        assert!(line.ends_with(&format!("bind 0.0.0.0:{}", server.port)), "{line}");
    }
}

#[test]
fn once_healthy_a_check_waits_out_its_interval() {
    let app = App::new();
    let server = Server::answering(OK);
    let steady = |interval: &str| {
        let mut health = check(&app, server.port, "http:/");
        health.env("SKYPANEL_HEALTH_INTERVAL_MS", interval);
        health
    };
    let (first, _) = run(&mut steady("60000"));
    assert_eq!(first.code, Some(0));

    let (later, took) = run(&mut steady("800"));
    assert_eq!(later.code, Some(0));
    assert!((Duration::from_millis(650)..SLACK).contains(&took), "{took:?}");
    assert_eq!(server.connections(), 2);

    let gone = check(&app, free_port(), "tcp").env("SKYPANEL_HEALTH_INTERVAL_MS", "0").output();
    let gone = gone.expect("the check runs");
    assert_eq!(gone.status.code(), Some(1), "no second chance once it was healthy");
    assert!(gone.stdout.starts_with(b"unhealthy: nothing listens on port"));
}

#[test]
fn slow_and_hostile_servers_are_bounded() {
    let silent = Server::new(|_stream| thread::sleep(SLACK * 4));
    let trickling = Server::new(|mut stream| {
        for byte in b"HTTP/1.1 2".iter().cycle() {
            if stream.write_all(&[*byte]).is_err() {
                return;
            }
            thread::sleep(Duration::from_millis(20));
        }
    });
    let slow_line = Server::new(|mut stream| {
        let _ = stream.write_all(b"HTTP/1.1 200");
        thread::sleep(SLACK * 4);
    });
    for (server, words) in
        [(&silent, "no answer in time"), (&trickling, "no answer in time"), (&slow_line, "no answer in time")]
    {
        let begun = Instant::now();
        let (healthy, line) = judged(server.port, "http:/");
        assert!(!healthy, "{line}");
        assert!(line.contains(words), "{line}");
        assert!(begun.elapsed() < SLACK, "{:?}", begun.elapsed());
    }
    let (healthy, line) = judged(silent.port, "auto");
    assert!(!healthy, "an app that hangs does not serve: {line}");
}

#[test]
fn endless_answers_are_cut_short() {
    let endless_line = Server::new(|mut stream| {
        let _ = stream.write_all(b"HTTP/1.1 200 ");
        while stream.write_all(&[b'x'; 4096]).is_ok() {}
    });
    let endless_headers = Server::new(|mut stream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n");
        while stream.write_all(b"X-More: and more\r\n").is_ok() {}
    });
    let begun = Instant::now();
    let (healthy, line) = judged(endless_line.port, "http:/");
    assert!(!healthy && line.contains("the answer is not HTTP"), "{line}");
    let (healthy, line) = judged(endless_headers.port, "http:/");
    assert!(healthy, "the status is known, the rest does not matter: {line}");
    assert!(begun.elapsed() < SLACK, "{:?}", begun.elapsed());
}

#[test]
fn the_marker_is_never_made_through_a_link() {
    let app = App::new();
    let server = Server::answering(OK);
    let target = app.path().join("target");
    symlink(&target, app.path().join("marker")).expect("a link");
    let (ended, _) = run(check(&app, server.port, "tcp").env("SKYPANEL_HEALTH_INTERVAL_MS", "0"));
    assert_eq!(ended.code, Some(0));
    assert!(!target.exists());
}

#[test]
fn a_container_without_a_place_for_the_marker_is_healthy_all_the_same() {
    let app = App::new();
    let server = Server::answering(OK);
    let mut health = init();
    health.args(["health", "--marker"]).arg(app.path().join("missing/marker"));
    let (ended, _) = run(health.env("PORT", server.port.to_string()));
    assert_eq!(ended.code, Some(0));
    assert!(ended.output.contains("no marker at"), "{}", ended.output);
}

#[test]
fn the_check_is_not_root() {
    let app = App::new();
    let server = Server::answering(OK);
    run(&mut check(&app, server.port, "tcp"));
    let owner = fs::metadata(app.path().join("marker")).expect("the marker");
    assert_eq!(std::os::unix::fs::MetadataExt::uid(&owner), 10001);
}

#[test]
fn mistaken_settings_are_named() {
    let app = App::new();
    for (name, value, words) in [
        ("PORT", "", "PORT must be a TCP port"),
        ("PORT", "0", "PORT must be a TCP port"),
        ("PORT", "70000", "PORT must be a TCP port"),
        ("SKYPANEL_HEALTH", "http", "SKYPANEL_HEALTH must be auto[:/path], http:/path or tcp"),
        ("SKYPANEL_HEALTH", "http:no-slash", "SKYPANEL_HEALTH must be"),
        ("SKYPANEL_HEALTH", "auto:/a b", "SKYPANEL_HEALTH must be"),
        ("SKYPANEL_HEALTH", "http:/a\r\nX: y", "SKYPANEL_HEALTH must be"),
        ("SKYPANEL_HEALTH", "tcp:/a", "SKYPANEL_HEALTH must be"),
        ("SKYPANEL_HEALTH_PORT", "many", "SKYPANEL_HEALTH_PORT must be a TCP port"),
        ("SKYPANEL_HEALTH_STATUS", "200-", "SKYPANEL_HEALTH_STATUS must be a list"),
        ("SKYPANEL_HEALTH_START_MS", "-1", "SKYPANEL_HEALTH_START_MS must be a whole number"),
    ] {
        let (ended, _) = run(check(&app, 5000, "auto").env(name, value));
        assert_eq!(ended.code, Some(1));
        assert!(ended.output.starts_with(&format!("unhealthy: {words}")), "{}", ended.output);
    }
}
