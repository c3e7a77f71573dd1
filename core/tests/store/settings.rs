//! Settings as stored.

use std::time::{Duration, Instant};

use skypanel_core::Error;
use skypanel_core::store::Store;
use tokio_util::sync::CancellationToken;

use crate::support::Database;

#[tokio::test]
async fn settings_are_defaults_until_set_and_checked_when_set() {
    let database = Database::new().await;
    let store = database.store();
    assert_eq!(store.settings().await.expect("reads").slug_max_mb, 500);
    store.set_setting("slug.max_mb", "20").await.expect("sets");
    store.set_setting("slug.max_mb", "30").await.expect("sets again");
    store.set_setting("cache.enabled", "false").await.expect("sets");
    assert!(matches!(store.set_setting("slug.max_mb", "0").await, Err(Error::Invalid(_))));
    assert!(matches!(store.set_setting("storage.backend", "ftp").await, Err(Error::Invalid(_))));
    assert!(matches!(store.set_setting("no.such", "1").await, Err(Error::NotFound(_))));
    let settings = store.settings().await.expect("reads");
    assert_eq!((settings.slug_max_mb, settings.cache_enabled), (30, false));
    database.close().await;
}

#[tokio::test]
async fn sensitive_settings_are_sealed() {
    let database = Database::new().await;
    let store = database.store();
    store.set_setting("storage.s3_secret_key", "tell-nobody").await.expect("sets");
    let (stored,): (String,) =
        sqlx::query_as("SELECT value::text FROM paas_settings").fetch_one(database.pool()).await.expect("one");
    assert!(stored.contains("sealed") && !stored.contains("nobody"), "{stored}");
    assert_eq!(store.settings().await.expect("reads").storage_s3_secret_key, "tell-nobody");
    // Sealed for its key: it does not open as another setting's.
    sqlx::query("UPDATE paas_settings SET key = 'storage.s3_access_key'")
        .execute(database.pool())
        .await
        .expect("moves");
    assert!(matches!(store.settings().await, Err(Error::Secret)));
    database.close().await;
}

#[tokio::test]
async fn a_stored_setting_that_lost_its_meaning_is_ignored() {
    let database = Database::new().await;
    let insert = r#"INSERT INTO paas_settings (key, value) VALUES ('gone.setting', '"x"'), ('slug.max_mb', '"huge"'),
                    ('releases.keep', '7'), ('cache.enabled', 'false')"#;
    sqlx::query(insert).execute(database.pool()).await.expect("inserts");
    let settings = database.store().settings().await.expect("reads");
    assert_eq!((settings.slug_max_mb, settings.releases_keep, settings.cache_enabled), (500, 7, false));
    database.close().await;
}

#[tokio::test]
async fn a_change_is_seen_by_another_process_within_a_second() {
    let database = Database::new().await;
    let (here, there) = (database.store(), database.another_store().await);
    let stop = CancellationToken::new();
    let following = tokio::spawn({
        let (there, stop) = (there.clone(), stop.clone());
        async move { there.follow_settings(&stop).await }
    });
    let mut changes = there.settings_changes();
    changes.changed().await.expect("begins to follow");
    assert_eq!(there.settings().await.expect("reads").slug_max_mb, 500);
    for megabytes in [30, 40, 50] {
        here.set_setting("slug.max_mb", &megabytes.to_string()).await.expect("sets");
        seen_within_a_second(&there, megabytes).await;
    }
    // While changes are followed, reads do not ask the database.
    let (reads, since) = (1_000, Instant::now());
    for _ in 0..reads {
        there.settings().await.expect("reads");
    }
    assert!(since.elapsed() < Duration::from_millis(500), "{reads} reads took {:?}", since.elapsed());
    stop.cancel();
    following.await.expect("ends");
    there.pool().close().await;
    database.close().await;
}

#[tokio::test]
async fn changes_are_seen_while_the_connection_they_are_told_on_is_lost_and_after() {
    let database = Database::new().await;
    let (here, there) = (database.store(), database.another_store().await);
    let stop = CancellationToken::new();
    let following = tokio::spawn({
        let (there, stop) = (there.clone(), stop.clone());
        async move { there.follow_settings(&stop).await }
    });
    there.settings_changes().changed().await.expect("begins to follow");
    for megabytes in [30, 40] {
        assert_ne!(there.settings().await.expect("reads").slug_max_mb, megabytes);
        let listening = listener(&database).await;
        sqlx::query("SELECT pg_terminate_backend($1)").bind(listening).execute(database.pool()).await.expect("cuts it");
        // Nobody is told of this one.
        here.set_setting("slug.max_mb", &megabytes.to_string()).await.expect("sets");
        seen_within_a_second(&there, megabytes).await;
        // Another connection is made, and what is told on it is heard.
        while listener(&database).await == listening {}
        here.set_setting("slug.max_mb", &(megabytes + 5).to_string()).await.expect("sets");
        seen_within_a_second(&there, megabytes + 5).await;
    }
    stop.cancel();
    following.await.expect("ends");
    there.pool().close().await;
    database.close().await;
}

/// The connection that changed settings are told on, as soon as there is one.
async fn listener(database: &Database) -> i32 {
    loop {
        let found: Option<(i32,)> = sqlx::query_as(
            "SELECT pid FROM pg_stat_activity WHERE query LIKE 'LISTEN%' AND datname = current_database()",
        )
        .fetch_optional(database.pool())
        .await
        .expect("looks");
        match found {
            Some((pid,)) => return pid,
            None => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    }
}

async fn seen_within_a_second(store: &Store, megabytes: u64) {
    let since = Instant::now();
    while store.settings().await.expect("reads").slug_max_mb != megabytes {
        assert!(since.elapsed() < Duration::from_secs(1), "not seen within a second");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
