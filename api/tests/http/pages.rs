//! Health, the pages of the edge, the start page, and what is none of them.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use serde_json::Value;
use skypanel_api::{Api, ApiOptions};
use skypanel_core::blob::LocalBlobs;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::serving::{Serving, actions, options, request, request_head};

const BROWSER: &str = "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8\r\n";

#[tokio::test(flavor = "multi_thread")]
async fn health_says_what_fails() {
    let serving = Serving::start().await;
    let (head, body) = request(serving.api, "GET", "/api/health", "").await;
    let report: Value = serde_json::from_slice(&body).expect("is JSON");
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    assert_eq!((&report["status"], &report["checks"]["database"]["status"]), (&"ok".into(), &"ok".into()));
    assert_eq!(report["checks"]["blobs"]["status"], "ok");
    assert_eq!(report["version"], env!("CARGO_PKG_VERSION"));

    std::fs::remove_dir_all(serving.directory.path()).expect("takes the blobs away");
    tokio::time::sleep(Duration::from_millis(2_100)).await;
    let (head, body) = request(serving.api, "GET", "/api/health", "").await;
    let report: Value = serde_json::from_slice(&body).expect("is JSON");
    assert!(head.starts_with("HTTP/1.1 503"), "{head}");
    assert_eq!((&report["status"], &report["checks"]["blobs"]["status"]), (&"degraded".into(), &"failed".into()));
    assert_eq!(report["checks"]["database"]["status"], "ok");
    let (head, ready) = request(serving.api, "GET", "/api/health/ready", "").await;
    let ready: Value = serde_json::from_slice(&ready).expect("is JSON");
    assert!(head.starts_with("HTTP/1.1 503"), "{head}");
    assert_eq!((&ready["ready"], &ready["checks"]["blobs"]["status"]), (&false.into(), &"failed".into()));
    let (head, _) = request(serving.api, "GET", "/api/health/live", "").await;
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    let text = String::from_utf8_lossy(&body).into_owned();
    assert!(!text.contains(&*serving.directory.path().to_string_lossy()), "it is public: {text}");

    // Closed at once; what is waited for here is the connection that live streams listen on.
    let closing = serving.database.pool().close();
    tokio::time::timeout(Duration::from_millis(100), closing).await.expect_err("is listened on");
    tokio::time::sleep(Duration::from_millis(2_100)).await;
    let (_, body) = request(serving.api, "GET", "/api/health", "").await;
    let report: Value = serde_json::from_slice(&body).expect("is JSON");
    assert_eq!(report["checks"]["database"]["status"], "failed");
    serving.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_api_answers_errors_in_one_form() {
    let serving = Serving::start().await;
    for (method, path, status, code) in [
        ("GET", "/api", 404, "NOT_FOUND"),
        ("GET", "/api/no/such", 404, "NOT_FOUND"),
        ("DELETE", "/api/paas/apps", 405, "METHOD_NOT_ALLOWED"),
        ("DELETE", "/api/paas/nothing", 404, "NOT_FOUND"),
        ("POST", "/api/health", 405, "METHOD_NOT_ALLOWED"),
    ] {
        let (head, body) = request(serving.api, method, path, "").await;
        assert!(head.starts_with(&format!("HTTP/1.1 {status}")), "{method} {path}: {head}");
        let error: Value = serde_json::from_slice(&body).expect("is JSON");
        assert_eq!(error["code"], code);
        assert!(error["error"].as_str().is_some_and(|text| text.ends_with('.')), "{error}");
        assert!(error.get("details").is_some());
        let time = error["timestamp"].as_str().expect("is text");
        assert!(chrono::DateTime::parse_from_rfc3339(time).is_ok(), "{time}");
    }
    serving.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_edge_has_a_kind_page_for_every_method_and_client() {
    let serving = Serving::start().await;
    for (path, status, words) in [
        ("/_edge/unknown", 404, "There is no app here"),
        ("/_edge/stopped/hello", 503, "hello is stopped"),
        ("/_edge/suspended/hello", 503, "hello is suspended"),
        ("/_edge/starting/hello", 503, "hello is starting"),
        ("/_edge/failed/hello", 503, "hello has failed"),
        ("/_edge/stopped/%3Cscript%3E", 503, "This app is stopped"),
        ("/nothing", 404, "There is nothing here"),
    ] {
        for method in ["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "BREW"] {
            if path == "/nothing" && method == "GET" {
                // The dashboard has a page of its own for that.
                continue;
            }
            let (head, body) = request(serving.api, method, path, BROWSER).await;
            assert!(head.starts_with(&format!("HTTP/1.1 {status}")), "{method} {path}: {head}");
            assert!(head.contains("content-type: text/html"), "{head}");
            assert!(head.contains("content-security-policy: default-src 'none'"), "{head}");
            assert!(head.contains("cache-control: no-store"), "{head}");
            assert_eq!(head.contains("retry-after: "), path.contains("starting"), "{head}");
            let body = String::from_utf8(body).expect("is text");
            assert!(body.contains(words) && body.starts_with("<!doctype html>"), "{body}");
            assert!(!body.contains("<script") && !body.contains("http:") && !body.contains(" style="), "{body}");
        }
        let (head, body) = request(serving.api, "GET", path, "Accept: */*\r\n").await;
        assert!(head.contains("content-type: text/plain"), "{head}");
        let body = String::from_utf8(body).expect("is text");
        assert!(body.starts_with(words) && !body.contains('<'), "{body}");
        let (head, body) = request(serving.api, "HEAD", path, "Accept: */*\r\n").await;
        assert!(head.starts_with(&format!("HTTP/1.1 {status}")) && body.is_empty(), "{head}");
    }
    let upload = "Accept: text/html\r\nContent-Length: 5\r\n\r\nhello";
    let (head, _) = request(serving.api, "POST", "/_edge/unknown", upload).await;
    assert!(head.starts_with("HTTP/1.1 404"), "{head}");
    serving.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_start_page_says_how_to_push() {
    let serving = Serving::start().await;
    let (head, body) = request(serving.api, "GET", "/", "").await;
    let body = String::from_utf8(body).expect("is text");
    assert!(head.starts_with("HTTP/1.1 200") && head.contains("text/html"), "{head}");
    for part in ["ssh://git@paas.example:2222/my-app.git", "/api/health", env!("CARGO_PKG_VERSION")] {
        assert!(body.contains(part), "{part}: {body}");
    }
    serving.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_in_use_or_open_to_all_is_refused_with_the_setting_to_change() {
    let serving = Serving::start().await;
    let taken = TcpListener::bind("127.0.0.1:0").await.expect("binds").local_addr().expect("has an address");
    let _held = TcpListener::bind(taken).await.expect("binds");
    let blobs = std::sync::Arc::new(LocalBlobs::open(serving.directory.path()).expect("opens"));
    let free = SocketAddr::from(([127, 0, 0, 1], 0));
    for (listen, image_listen, setting) in [
        (taken, free, "SKYPANEL_API_LISTEN"),
        (free, taken, "SKYPANEL_IMAGE_LISTEN"),
        (free, SocketAddr::from(([0, 0, 0, 0], 0)), "SKYPANEL_IMAGE_LISTEN"),
        (SocketAddr::from(([192, 0, 2, 1], 0)), free, "SKYPANEL_API_LISTEN"),
    ] {
        let options = ApiOptions { listen, image_listen, ..options() };
        let outcome = Api::bind(actions(serving.database.store(), blobs.clone()).await, options).await;
        let error = outcome.expect_err("cannot bind").to_string();
        assert!(error.contains(setting), "{error}");
    }
    serving.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn huge_heads_are_refused_and_idle_connections_do_not_hold_up_the_end() {
    let serving = Serving::start().await;
    let huge = format!("X-Padding: {}\r\n", "x".repeat(100_000));
    let mut stream = TcpStream::connect(serving.api).await.expect("connects");
    let _ = stream.write_all(request_head("GET", "/", &huge).as_bytes()).await;
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    assert!(answer.is_empty() || answer.starts_with(b"HTTP/1.1 431"), "{}", String::from_utf8_lossy(&answer));
    // One that says nothing, and one that stops in its head.
    let _silent = TcpStream::connect(serving.api).await.expect("connects");
    let mut halting = TcpStream::connect(serving.api).await.expect("connects");
    halting.write_all(b"GET / HTTP/1.1\r\nHost:").await.expect("writes");
    tokio::time::sleep(Duration::from_millis(100)).await;
    let started = Instant::now();
    serving.stop().await;
    assert!(started.elapsed() < Duration::from_secs(15), "{:?}", started.elapsed());
}
