//! Builds that reuse blobs against clean-up that removes old ones, over a real Postgres.

mod support;

use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use chrono::TimeDelta;
use skypanel_core::blob::{BlobKey, BlobStore, LocalBlobs, put_once, remove_unused, reuse};
use skypanel_core::model::Sha256Digest;
use support::Database;

const AGE: TimeDelta = TimeDelta::hours(2);

struct World {
    database: Database,
    blobs: Arc<LocalBlobs>,
    directory: tempfile::TempDir,
}

impl World {
    async fn new() -> Self {
        let directory = tempfile::tempdir().expect("makes a directory");
        let blobs = Arc::new(LocalBlobs::open(directory.path()).expect("opens"));
        Self { database: Database::new().await, blobs, directory }
    }

    /// A blob that nothing has used for a day.
    async fn old_blob(&self, name: &str) -> BlobKey {
        let key = BlobKey::layer(Sha256Digest::of(name.as_bytes()));
        self.blobs.put_bytes(&key, b"content").await.expect("stores");
        let day = Duration::from_secs(24 * 60 * 60);
        let file = std::fs::File::open(self.path(&key)).expect("opens");
        file.set_modified(SystemTime::now() - day).expect("is set");
        key
    }

    fn path(&self, key: &BlobKey) -> impl AsRef<Path> {
        self.directory.path().join(key.as_str())
    }

    async fn remove(&self, key: &BlobKey) -> bool {
        remove_unused(self.database.store(), &*self.blobs, key, AGE).await.expect("looks")
    }

    async fn exists(&self, key: &BlobKey) -> bool {
        self.blobs.size(key).await.expect("looks").is_some()
    }

    async fn lock(&self, function: &str, key: &BlobKey) -> sqlx::Transaction<'static, sqlx::Postgres> {
        let mut lock = self.database.pool().begin().await.expect("begins");
        let statement = format!("SELECT {function}(hashtextextended('skypanel blob {key}', 0))");
        sqlx::query(sqlx::AssertSqlSafe(statement)).execute(&mut *lock).await.expect("locks");
        lock
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_what_nobody_used_for_long_is_removed() {
    let world = World::new().await;
    let (old, reused) = (world.old_blob("old").await, world.old_blob("reused").await);
    assert_eq!(reuse(world.database.store(), &*world.blobs, &reused).await.expect("looks"), Some(7));
    assert!(world.remove(&old).await && !world.remove(&reused).await);
    assert!(!world.exists(&old).await && world.exists(&reused).await);
    assert!(!world.remove(&old).await, "it is gone already");
    assert_eq!(reuse(world.database.store(), &*world.blobs, &old).await.expect("looks"), None);
    world.database.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn clean_up_lets_a_blob_be_that_a_build_is_looking_at() {
    let world = World::new().await;
    let key = world.old_blob("looked at").await;
    let build = world.lock("pg_advisory_xact_lock_shared", &key).await;
    assert!(!world.remove(&key).await && world.exists(&key).await);
    build.commit().await.expect("ends");
    assert!(world.remove(&key).await);
    world.database.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_build_relies_on_no_blob_that_clean_up_is_about_to_remove() {
    let world = World::new().await;
    let key = world.old_blob("condemned").await;
    let clean_up = world.lock("pg_advisory_xact_lock", &key).await;
    let mut build = Box::pin(reuse(world.database.store(), &*world.blobs, &key));
    assert!(tokio::time::timeout(Duration::from_millis(300), &mut build).await.is_err(), "waits for clean-up");
    world.blobs.delete(&key).await.expect("removes");
    clean_up.commit().await.expect("ends");
    assert_eq!(build.as_mut().await.expect("looks"), None, "has to be stored again");
    drop(build);
    world.database.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_blob_that_a_build_stored_once_is_there_whatever_clean_up_does() {
    let world = Arc::new(World::new().await);
    let mut removed = 0;
    for round in 0..200 {
        let key = world.old_blob(&format!("round {round}")).await;
        let clean_ups: Vec<_> = (0..2)
            .map(|_| {
                let (world, key) = (Arc::clone(&world), key.clone());
                tokio::spawn(async move { world.remove(&key).await })
            })
            .collect();
        let mut file = world.blobs.spool().expect("makes a file");
        file.write_all(b"content").expect("writes");
        let stored = put_once(world.database.store(), &*world.blobs, &key, file).await.expect("stores");
        assert_eq!(stored, 7);
        for clean_up in clean_ups {
            removed += u32::from(clean_up.await.expect("does not panic"));
        }
        assert!(world.exists(&key).await, "round {round}");
    }
    println!("{removed} of 200 were removed before they were stored again");
    Arc::into_inner(world).expect("nobody else has it").database.close().await;
}
