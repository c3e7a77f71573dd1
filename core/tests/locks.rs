//! Locks across processes over a real server; each `Locks` is what a process has.

mod support;

use std::time::{Duration, Instant};

use skypanel_core::locks::{Lock, Locks};
use sqlx::Row as _;
use support::Database;

async fn take(locks: &Locks, name: &str) -> Option<Lock> {
    locks.try_take(name).await.expect("asks")
}

/// Waits until the lock is free, for some seconds.
async fn comes_free(locks: &Locks, name: &str) -> Lock {
    let began = Instant::now();
    loop {
        if let Some(lock) = take(locks, name).await {
            return lock;
        }
        assert!(began.elapsed() < Duration::from_secs(5), "it stays held");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn one_at_a_time_per_name_here_and_elsewhere() {
    let database = Database::new().await;
    let (here, there) = (Locks::new(database.pool()), Locks::new(database.pool()));
    let first = take(&here, "a").await.expect("is free");
    assert!(take(&here, "a").await.is_none(), "also for the one who has it");
    assert!(take(&there, "a").await.is_none());
    let other = take(&there, "b").await.expect("another name");
    assert!(take(&here, "b").await.is_none());
    drop(first);
    // Asked in order, so that it is free here at once.
    let again = take(&here, "a").await.expect("is free");
    drop(again);
    let moved = comes_free(&there, "a").await;
    assert!(take(&here, "a").await.is_none());
    drop((moved, other, here, there));
    database.close().await;
}

#[tokio::test]
async fn they_end_with_their_process_and_take_no_place_in_the_pool() {
    let database = Database::new().await;
    let (crashing, other) = (Locks::new(database.store().pool()), Locks::new(database.pool()));
    let before = database.pool().size();
    let mut held = Vec::new();
    for number in 0..100 {
        held.push(take(&crashing, &format!("app-{number}")).await.expect("is free"));
    }
    assert_eq!(database.pool().size(), before);
    assert!(take(&other, "app-7").await.is_none());
    // What a crash leaves: nobody who could give anything back.
    drop(crashing);
    drop(comes_free(&other, "app-7").await);
    drop((held, other));
    database.close().await;
}

#[tokio::test]
async fn a_lost_connection_is_made_anew_with_all_that_it_held() {
    let database = Database::new().await;
    let (here, there) = (Locks::new(database.pool()), Locks::new(database.pool()));
    let held = take(&here, "a").await.expect("is free");
    let cut = sqlx::query(
        "SELECT count(pg_terminate_backend(pid)) FROM pg_locks WHERE locktype = 'advisory'
         AND database = (SELECT oid FROM pg_database WHERE datname = current_database())",
    );
    assert_eq!(cut.fetch_one(database.pool()).await.expect("cuts").get::<i64, _>(0), 1);
    let more = take(&here, "b").await.expect("is free, on a new connection");
    assert!(take(&there, "a").await.is_none(), "it is held again");
    drop(held);
    drop(comes_free(&there, "a").await);
    drop((more, here, there));
    database.close().await;
}
