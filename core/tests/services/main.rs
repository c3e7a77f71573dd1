//! Whether services beside Skypanel can be used is found out by using them.

#[path = "../certificates/mod.rs"]
mod certificates;
mod stand_ins;

use chrono::{DateTime, Utc};
use skypanel_core::mail::MailServer;
use skypanel_core::probes::{ask_loki, check_loki, check_prometheus};
use skypanel_core::settings::Settings;

use crate::certificates::certified;
use crate::stand_ins::{Manners, StandIn};

const LOGIN: Option<(&str, &str)> = Some(("paas", "s3cr3t-word"));

fn settings(values: &[(&str, &str)]) -> Settings {
    let mut settings = Settings::default();
    for (key, value) in values {
        settings.set(key, value).expect("is a value");
    }
    settings
}

/// Settings for a mail server on loopback, by the name in its certificate.
fn mail(port: u16, security: &str, password: &str) -> Settings {
    settings(&[
        ("smtp.host", "localhost"),
        ("smtp.port", &port.to_string()),
        ("smtp.security", security),
        ("smtp.user", "paas"),
        ("smtp.password", password),
        ("smtp.from", "Skypanel <paas@example.com>"),
    ])
}

fn server(settings: &Settings) -> MailServer {
    MailServer::of(settings).expect("is described").expect("is set")
}

#[tokio::test]
async fn mail_is_tried_up_to_the_login_and_encrypted_as_told() {
    let (tls, authority) = certified("localhost");
    for (security, is_wrapped) in [("starttls", false), ("tls", true)] {
        let host =
            StandIn::mail(Manners { tls: Some(tls.clone()), is_wrapped, login: LOGIN, ..Manners::default() }).await;
        let trusted = server(&mail(host.port, security, "s3cr3t-word")).trusting(authority.as_bytes()).expect("is one");
        let seen = trusted.check().await.expect("works");
        assert!(seen.contains("encrypted; the login was accepted"), "{seen}");
        let heard = host.heard();
        assert_eq!(heard.iter().any(|line| line == "STARTTLS"), !is_wrapped, "{heard:?}");
        assert!(heard.iter().any(|line| line.starts_with("AUTH PLAIN")), "{heard:?}");
        assert!(heard.iter().any(|line| line == "NOOP"), "{heard:?}");
        assert!(heard[0].starts_with("EHLO example.com"), "{heard:?}");
        assert!(!heard.iter().any(|line| line.starts_with("MAIL")), "sends nothing: {heard:?}");

        // Nobody here knows that authority: what is secret is not sent.
        let host =
            StandIn::mail(Manners { tls: Some(tls.clone()), is_wrapped, login: LOGIN, ..Manners::default() }).await;
        let error = server(&mail(host.port, security, "s3cr3t-word")).check().await.expect_err("is not trusted");
        assert!(error.to_string().contains("certificate"), "{error}");
        assert!(!host.heard().iter().any(|line| line.starts_with("AUTH")));
    }
}

#[tokio::test]
async fn what_is_wrong_about_mail_is_told() {
    let host = StandIn::mail(Manners { login: LOGIN, ..Manners::default() }).await;
    let seen = server(&mail(host.port, "none", "s3cr3t-word")).check().await.expect("works");
    assert!(seen.contains("not encrypted; the login was accepted"), "{seen}");

    let error = server(&mail(host.port, "none", "wr0ng-word")).check().await.expect_err("is refused").to_string();
    assert!(error.contains("Wrong password") && !error.contains("wr0ng-word"), "{error}");

    // It offers no encryption, so it gets no password.
    let host = StandIn::mail(Manners { login: LOGIN, ..Manners::default() }).await;
    let error = server(&mail(host.port, "starttls", "s3cr3t-word")).check().await.expect_err("cannot");
    assert!(error.to_string().contains("STARTTLS"), "{error}");
    assert!(!host.heard().iter().any(|line| line.starts_with("AUTH")));

    let port = host.port;
    drop(host);
    let closed = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("binds");
    let free = closed.local_addr().expect("has one").port();
    drop(closed);
    let error = server(&mail(free, "none", "x")).check().await.expect_err("nobody is there").to_string();
    assert!(error.contains(&format!("localhost:{free}")) && error.contains("refused"), "{error}");
    assert_ne!(port, free);

    let settings = settings(&[("smtp.host", "localhost"), ("smtp.from", "nobody")]);
    assert!(MailServer::of(&settings).expect_err("has no sender").to_string().contains("smtp.from"));
    assert!(MailServer::of(&Settings::default()).expect("is fine").is_none());
}

#[tokio::test]
async fn a_loki_has_to_take_a_line() {
    let now: DateTime<Utc> = "2026-03-01T12:00:00.25Z".parse().expect("is a time");
    let loki = StandIn::http("204 No Content", "").await;
    let settings = settings(&[("logs.loki_url", &format!("http://127.0.0.1:{}/logs/", loki.port))]);
    let address = settings.logs_loki_url.get().expect("is set");
    let seen = check_loki(address, "acme", now).await.expect("works");
    assert!(seen.contains("took a line"), "{seen}");
    let heard = loki.heard();
    assert_eq!(heard[0], "POST /logs/loki/api/v1/push HTTP/1.1");
    assert!(heard.iter().any(|line| line.eq_ignore_ascii_case("X-Scope-OrgID: acme")), "{heard:?}");
    let body: serde_json::Value = serde_json::from_str(heard.last().expect("a body")).expect("is JSON");
    assert_eq!(body["streams"][0]["stream"]["job"], "skypanel-check");
    assert_eq!(body["streams"][0]["values"][0][0], "1772366400250000000");

    let loki = StandIn::http("401 Unauthorized", "no org id").await;
    let settings = self::settings(&[("logs.loki_url", &format!("http://127.0.0.1:{}", loki.port))]);
    let error = check_loki(settings.logs_loki_url.get().expect("is set"), "", now).await.expect_err("refuses");
    assert!(error.to_string().contains("401: no org id"), "{error}");
    assert!(!loki.heard().iter().any(|line| line.to_lowercase().starts_with("x-scope-orgid")));
}

#[tokio::test]
async fn looking_at_a_loki_or_a_mail_server_leaves_nothing_there() {
    let now: DateTime<Utc> = "2026-03-01T12:00:00.25Z".parse().expect("is a time");
    for (answer, works) in [(r#"{"status":"success","data":["job"]}"#, true), ("ready", false)] {
        let loki = StandIn::http("200 OK", answer).await;
        let settings = settings(&[("logs.loki_url", &format!("http://127.0.0.1:{}/logs", loki.port))]);
        let asked = ask_loki(settings.logs_loki_url.get().expect("is set"), "acme", now).await;
        assert_eq!(asked.is_ok(), works, "{asked:?}");
        let heard = loki.heard();
        assert_eq!(heard[0], "GET /logs/loki/api/v1/labels?start=1772366340000000000&end=1772366400000000000 HTTP/1.1");
        assert!(heard.iter().any(|line| line.eq_ignore_ascii_case("X-Scope-OrgID: acme")), "{heard:?}");
    }

    let host = StandIn::mail(Manners { login: LOGIN, ..Manners::default() }).await;
    server(&mail(host.port, "none", "wr0ng-word")).greet().await.expect("greets");
    let heard = host.heard();
    assert!(heard[0].starts_with("EHLO ") && !heard.iter().any(|line| line.starts_with("AUTH")), "{heard:?}");
}

#[tokio::test]
async fn a_prometheus_has_to_answer_a_query() {
    let answers = [
        (
            r#"{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[1,"12"]}]}}"#,
            Ok("12 targets"),
        ),
        (r#"{"status":"success","data":{"resultType":"vector","result":[]}}"#, Ok("0 targets")),
        (r#"{"status":"error","error":"no"}"#, Err("did not answer a query")),
        ("<html>Grafana</html>", Err("did not answer a query")),
    ];
    for (body, expected) in answers {
        let prometheus = StandIn::http("200 OK", body).await;
        let address = format!("http://localhost:{}", prometheus.port);
        let settings = settings(&[("metrics.prometheus_url", &address)]);
        let result = check_prometheus(settings.metrics_prometheus_url.get().expect("is set")).await;
        match (result, expected) {
            (Ok(seen), Ok(words)) => assert!(seen.contains(words), "{seen}"),
            (Err(error), Err(words)) => assert!(error.to_string().contains(words), "{error}"),
            (other, _) => panic!("{body}: {other:?}"),
        }
        assert_eq!(prometheus.heard()[0], "GET /api/v1/query?query=count(up) HTTP/1.1");
    }
}
