//! Which cold build caches are in the blob store.

use super::Store;
use crate::Result;
use crate::model::{AppId, Sha256Digest};

/// A cold build cache.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct StoredCache {
    /// Of which app.
    pub application_id: AppId,
    /// SHA-256, in hex, over app, buildpack and stack: what must be the same for it to be of use.
    pub cache_key: String,
    /// Digest of the stored bytes.
    pub blob_digest: Sha256Digest,
    /// Its size in bytes.
    pub bytes: i64,
}

impl Store {
    /// The cache of an app for `key`; notes that it was used.
    pub async fn use_build_cache(&self, app: AppId, key: &str) -> Result<Option<StoredCache>> {
        Ok(sqlx::query_as(
            "UPDATE paas_build_cache SET last_used_at = now() WHERE application_id = $1 AND cache_key = $2
             RETURNING application_id, cache_key, blob_digest, bytes",
        )
        .bind(app)
        .bind(key)
        .fetch_optional(&self.pool)
        .await?)
    }

    /// Notes a stored cache in place of the app's earlier ones: their buildpack or stack is gone.
    pub async fn put_build_cache(&self, cache: &StoredCache) -> Result<()> {
        let mut transaction = self.pool.begin().await?;
        sqlx::query("DELETE FROM paas_build_cache WHERE application_id = $1")
            .bind(cache.application_id)
            .execute(&mut *transaction)
            .await?;
        sqlx::query(
            "INSERT INTO paas_build_cache (id, application_id, cache_key, blob_digest, bytes) VALUES ($1, $2, $3, $4, $5)",
        )
        .bind(uuid::Uuid::now_v7())
        .bind(cache.application_id)
        .bind(&cache.cache_key)
        .bind(cache.blob_digest)
        .bind(cache.bytes)
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await?;
        Ok(())
    }

    /// Forgets the caches of an app.
    pub async fn drop_build_caches(&self, app: AppId) -> Result<()> {
        sqlx::query("DELETE FROM paas_build_cache WHERE application_id = $1").bind(app).execute(&self.pool).await?;
        Ok(())
    }

    /// Forgets the caches nothing used for `days`.
    pub async fn expire_build_caches(&self, days: u64) -> Result<u64> {
        let expired =
            sqlx::query("DELETE FROM paas_build_cache WHERE last_used_at < now() - make_interval(days => $1)")
                .bind(i32::try_from(days).unwrap_or(i32::MAX))
                .execute(&self.pool)
                .await?;
        Ok(expired.rows_affected())
    }

    /// Digests of all caches that are still of use.
    pub async fn caches_in_use(&self) -> Result<Vec<Sha256Digest>> {
        let rows: Vec<(Sha256Digest,)> =
            sqlx::query_as("SELECT DISTINCT blob_digest FROM paas_build_cache").fetch_all(&self.pool).await?;
        Ok(rows.into_iter().map(|(digest,)| digest).collect())
    }
}
