//! Reusing blobs and removing old ones, so that clean-up never takes away what a build has just found. A build makes
//! what it reuses young again before it relies on it, and clean-up looks at a blob's age and removes it in one step,
//! between which nobody can have done that: both hold a lock of the blob's name in Postgres, where they all meet.

use std::time::Duration;

use chrono::{TimeDelta, Utc};
use sqlx::{Postgres, Transaction};
use tempfile::NamedTempFile;

use super::{BlobKey, BlobStore};
use crate::store::Store;
use crate::{Error, Result};

/// Longest one step under the lock may take: Postgres ends a transaction that waits longer, and the lock with it.
const STEP_LIMIT: Duration = Duration::from_secs(20);

/// Makes a blob that is there as young as one just written, and gives its size in bytes; none where it has to be
/// stored. Whoever relies on the blob has to write down that it does before clean-up takes it for old again.
pub async fn reuse(store: &Store, blobs: &dyn BlobStore, key: &BlobKey) -> Result<Option<u64>> {
    let mut lock = store.pool().begin().await?;
    sqlx::query("SELECT pg_advisory_xact_lock_shared(hashtextextended($1, 0))")
        .bind(name(key))
        .execute(&mut *lock)
        .await?;
    let touched = step("Looking for a blob", blobs.touch(key)).await?;
    // Fails where the lock was lost on the way, and then nothing is known.
    lock.commit().await?;
    Ok(touched)
}

/// Stores a spooled file under `key` unless such a blob is there, and gives its stored size in bytes.
pub async fn put_once(store: &Store, blobs: &dyn BlobStore, key: &BlobKey, file: NamedTempFile) -> Result<u64> {
    match reuse(store, blobs, key).await? {
        Some(bytes) => Ok(bytes),
        // What is written now is young; nothing old can be removed in its place any more.
        None => Ok(blobs.put_file(key, file).await?),
    }
}

/// Removes a blob that was neither written nor reused for `age`; whether it did. One that is being looked for in this
/// moment stays.
pub async fn remove_unused(store: &Store, blobs: &dyn BlobStore, key: &BlobKey, age: TimeDelta) -> Result<bool> {
    let mut lock: Transaction<'_, Postgres> = store.pool().begin().await?;
    let (free,): (bool,) = sqlx::query_as("SELECT pg_try_advisory_xact_lock(hashtextextended($1, 0))")
        .bind(name(key))
        .fetch_one(&mut *lock)
        .await?;
    if !free {
        return Ok(false);
    }
    let remove = async {
        let old = blobs.modified(key).await?.is_some_and(|modified| Utc::now() - modified > age);
        if old {
            blobs.delete(key).await?;
        }
        Ok(old)
    };
    let removed = step("Removing an old blob", remove).await?;
    lock.commit().await?;
    Ok(removed)
}

async fn step<T>(action: &str, work: impl Future<Output = Result<T, super::BlobError>>) -> Result<T> {
    let done = tokio::time::timeout(STEP_LIMIT, work).await;
    let late = |_| Error::System(format!("{action} failed: the blob store did not answer in time. Try again."));
    Ok(done.map_err(late)??)
}

fn name(key: &BlobKey) -> String {
    format!("skypanel blob {key}")
}
