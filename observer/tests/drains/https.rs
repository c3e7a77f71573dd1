//! Lines as JSON over HTTPS.

use chrono::{DateTime, Utc};
use serde_json::json;
use skypanel_core::logs::{LogLevel, LogRecord, LogSource};

use crate::certificates::certified;
use crate::listener::Listener;
use crate::world::{World, lines, record, until};

#[tokio::test]
async fn lines_are_posted_in_batches_until_they_are_taken() {
    let (tls, authority) = certified("127.0.0.1");
    let listener = Listener::https(tls).await;
    let world = World::new(Some(&authority)).await;
    listener.answer(503);
    world.add(&format!("https://me:p%40ss@{}/in?token=s3cr3t", listener.address)).await;
    let first = LogRecord { level: Some(LogLevel::Warn), continues: true, ..record("bell \x07 \"quoted\"") };
    let second = LogRecord {
        source: LogSource::Router,
        process: "router".to_owned(),
        text: b"\xffbytes".to_vec().into(),
        ..record("")
    };
    world.logs.append(world.app.id, vec![first.clone(), second]).await.expect("appends");
    let why = world.noted(|drain| drain.failing_since.is_some()).await.last_error.expect("has a reason");
    assert_eq!(why, "It answered 503: Not now");
    listener.answer(200);
    world.append(0..1_200).await;
    until("all are there", || listener.texts().len() == 1_202).await;
    assert_eq!(listener.texts()[2..], lines(0..1_200));
    let posts = listener.heard().posts.clone();
    for post in &posts {
        assert_eq!((&post.path[..], post.authorization.as_deref()), ("/in?token=s3cr3t", Some("Basic bWU6cEBzcw==")));
        assert!(post.lines.len() <= 500);
    }
    let taken = posts.iter().find(|post| post.status == 200).expect("was taken");
    let at: DateTime<Utc> = serde_json::from_value(taken.lines[0]["timestamp"].clone()).expect("is a time");
    assert_eq!(at, first.at);
    let mut line = taken.lines[0].clone();
    line.as_object_mut().expect("is one").remove("timestamp");
    assert_eq!(
        line,
        json!({
            "app": "shop", "node": "one", "source": "app", "process": "web.1", "level": "warn",
            "message": "bell \u{7} \"quoted\"", "continues": true,
        })
    );
    assert_eq!((&taken.lines[1]["source"], &taken.lines[1]["level"]), (&json!("router"), &json!(null)));
    assert_eq!(taken.lines[1]["message"], "\u{fffd}bytes");
    let drain = world.noted(|drain| drain.failing_since.is_none()).await;
    assert!(!format!("{drain:?}").contains("s3cr3t") && !drain.shown_address.contains("p%40ss"), "{drain:?}");
    world.close().await;
}

#[tokio::test]
async fn what_is_too_much_at_once_is_posted_in_smaller_batches() {
    let (tls, authority) = certified("127.0.0.1");
    let listener = Listener::https(tls).await;
    let world = World::new(Some(&authority)).await;
    listener.take_at_most(64 * 1024);
    world.add(&format!("https://{}/", listener.address)).await;
    let texts: Vec<String> = (0..200).map(|number| format!("{number} {}", "x".repeat(16_000))).collect();
    let records = texts.iter().map(|text| record(text)).collect();
    world.logs.append(world.app.id, records).await.expect("appends");
    world.append(0..3).await;
    until("all are there", || listener.texts().len() == 203).await;
    assert_eq!(listener.texts()[..200], texts);
    assert_eq!(listener.texts()[200..], lines(0..3));
    let longest = listener.heard().posts.iter().map(|post| post.lines.len()).max();
    assert_eq!(longest, Some(32), "no batch is much longer than half a megabyte");
    // One line that is too long by itself is refused, and counted.
    listener.take_at_most(8 * 1024);
    world.logs.append(world.app.id, vec![record(&texts[0])]).await.expect("appends");
    world.noted(|drain| drain.last_error.as_deref() == Some("It answered 413: Not now")).await;
    world.append(3..4).await;
    until("the next is there", || listener.texts().len() == 205).await;
    assert_eq!(listener.texts()[203..], ["1 lines before this one were refused by this drain.", "line 3"]);
    world.close().await;
}

#[tokio::test]
async fn what_is_refused_is_counted_and_what_follows_goes_on() {
    let (tls, authority) = certified("127.0.0.1");
    let listener = Listener::https(tls).await;
    let world = World::new(Some(&authority)).await;
    listener.answer(400);
    world.add(&format!("https://{}/", listener.address)).await;
    world.append(0..7).await;
    world.noted(|drain| drain.last_error.as_deref() == Some("It answered 400: Not now")).await;
    listener.answer(200);
    world.append(7..10).await;
    until("the rest is there", || listener.texts().len() == 4).await;
    assert_eq!(listener.texts()[0], "7 lines before this one were refused by this drain.");
    assert_eq!(listener.texts()[1..], lines(7..10));
    world.noted(|drain| drain.failing_since.is_none()).await;
    world.close().await;
}
