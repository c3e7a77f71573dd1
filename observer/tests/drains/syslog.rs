//! Lines as messages of syslog, over TCP and TLS.

use std::time::{Duration, Instant};

use regex::Regex;
use skypanel_core::logs::{LogLevel, LogRecord};

use crate::certificates::certified;
use crate::listener::Listener;
use crate::world::{World, lines, old, record, until};

#[tokio::test]
async fn messages_say_where_they_are_from_and_are_one_line_each() {
    let world = World::new(None).await;
    let listener = Listener::syslog(None).await;
    // What was written before is not forwarded.
    world.logs.append(world.app.id, vec![old("before"), old("long before")]).await.expect("appends");
    let drain = world.add(&format!("syslog://{}", listener.address)).await;
    let hostile = ["", "a\r\nb\0c", "12 <34>1 - - - - - - forged", "\x1b[31mred", "äöü"];
    let mut records: Vec<LogRecord> = hostile.iter().map(|text| record(text)).collect();
    records[1].level = Some(LogLevel::Error);
    records.push(LogRecord { text: b"bytes \xff".to_vec().into(), ..record("") });
    world.logs.append(world.app.id, records).await.expect("appends");
    until("all are there", || listener.heard().messages.len() == 6).await;
    assert_eq!(listener.texts(), ["", "a  b c", "12 <34>1 - - - - - - forged", "\x1b[31mred", "äöü", "bytes \u{fffd}"]);
    // RFC 5424: priority and version, time, host, app, process, message's kind, no structured data.
    let head = r"^<(\d+)>1 (\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{6}Z) one shop web\.1 app - ";
    let head = Regex::new(head).expect("an expression");
    let priorities: Vec<String> = listener
        .heard()
        .messages
        .iter()
        .map(|message| head.captures(message).unwrap_or_else(|| panic!("{message}"))[1].to_owned())
        .collect();
    assert_eq!(priorities, ["134", "131", "134", "134", "134", "134"]);

    // Once it is removed, nothing more comes.
    sqlx::query("DELETE FROM paas_log_drains WHERE id = $1")
        .bind(drain.id)
        .execute(world.database.pool())
        .await
        .expect("is removed");
    let other = Listener::syslog(None).await;
    world.add(&format!("syslog://{}", other.address)).await;
    until("the other is known", || {
        world.logs.append_now(world.app.id, &[record("later")]).expect("appends");
        !other.heard().messages.is_empty()
    })
    .await;
    let count = listener.heard().messages.len();
    world.append(0..100).await;
    until("the other has all", || other.texts().ends_with(&lines(0..100))).await;
    assert_eq!(listener.heard().messages.len(), count);
    world.close().await;
}

#[tokio::test]
async fn nothing_is_missing_when_either_side_was_away() {
    let mut world = World::new(None).await;
    let mut listener = Listener::syslog(None).await;
    world.add(&format!("syslog://{}", listener.address)).await;
    world.append(0..2_000).await;
    until("the first are there", || listener.texts() == lines(0..2_000)).await;

    listener.down().await;
    world.append(2_000..3_000).await;
    let failing = world.noted(|drain| drain.failing_since.is_some()).await;
    let why = failing.last_error.expect("has a reason");
    assert!(why.contains("closed the connection") || why.contains("does not answer"), "{why}");
    listener.up().await;
    until("what waited is there", || listener.texts() == lines(0..3_000)).await;
    world.noted(|drain| drain.failing_since.is_none() && drain.last_error.is_none()).await;

    // Stopped well, nothing comes twice.
    world.stop().await;
    world.append(3_000..4_000).await;
    world.start();
    until("the rest is there", || listener.texts() == lines(0..4_000)).await;

    // Killed, lines may come again, and none is missing.
    world.append(4_000..4_500).await;
    until("some more are there", || listener.texts().len() > 4_000).await;
    world.kill().await;
    world.append(4_500..5_000).await;
    world.start();
    until("the end is there", || listener.texts().last().is_some_and(|text| text == "line 4999")).await;
    let mut texts = listener.texts();
    let place = |text: &String| text["line ".len()..].parse::<usize>().expect("a number");
    texts.sort_by_key(place);
    texts.dedup();
    assert_eq!(texts, lines(0..5_000));
    world.close().await;
}

#[tokio::test]
async fn over_tls_only_the_right_host_gets_lines() {
    let (tls, authority) = certified("127.0.0.1");
    let listener = Listener::syslog(Some(tls.clone())).await;
    let world = World::new(Some(&authority)).await;
    world.add(&format!("syslog+tls://{}", listener.address)).await;
    world.append(0..1_000).await;
    until("all are there", || listener.texts() == lines(0..1_000)).await;
    world.close().await;

    // Nobody here knows that authority.
    let listener = Listener::syslog(Some(tls)).await;
    let world = World::new(None).await;
    world.add(&format!("syslog+tls://{}", listener.address)).await;
    world.append(0..10).await;
    let why = world.noted(|drain| drain.last_error.is_some()).await.last_error.expect("has a reason");
    assert!(why.contains("No TLS connection") && why.contains("certificate"), "{why}");
    assert!(listener.heard().messages.is_empty());
    world.close().await;
}

#[tokio::test]
async fn only_allowed_networks_are_connected_to() {
    let world = World::new(None).await;
    world.database.store().set_setting("network.allowed", "").await.expect("is set");
    let listener = Listener::syslog(None).await;
    world.add(&format!("syslog://{}", listener.address)).await;
    world.append(0..10).await;
    let why = world.noted(|drain| drain.last_error.is_some()).await.last_error.expect("has a reason");
    assert!(why.contains("this machine itself") && why.contains("network.allowed"), "{why}");
    assert_eq!(listener.heard().connections, 0);
    world.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_takes_nothing_holds_up_nobody() {
    let world = World::new(None).await;
    let (deaf, listener) = (Listener::syslog(None).await, Listener::syslog(None).await);
    deaf.be_deaf();
    world.add(&format!("syslog://{}", deaf.address)).await;
    world.append(0..1).await;
    until("it is connected to", || deaf.heard().connections == 1).await;
    world.add(&format!("syslog://{}", listener.address)).await;
    let text = "x".repeat(1_000);
    until("the other is known", || {
        world.logs.append_now(world.app.id, &[record("later")]).expect("appends");
        !listener.heard().messages.is_empty()
    })
    .await;
    let began = Instant::now();
    for _ in 0..20 {
        world.logs.append(world.app.id, vec![record(&text); 500]).await.expect("appends");
    }
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
    until("the other has all", || listener.texts().iter().filter(|line| **line == text).count() == 10_000).await;
    world.close().await;
}
