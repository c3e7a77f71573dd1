//! The blob store as the settings choose it. What one backend lacks is looked for on the other, so that
//! switching between them loses nothing.

use std::collections::HashSet;
use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use tempfile::NamedTempFile;
use tokio_util::sync::CancellationToken;

use super::{BlobError, BlobInfo, BlobKey, BlobReader, BlobStore, LocalBlobs, S3Blobs, S3Options};
use crate::settings::{Settings, StorageBackend};
use crate::store::Store;
use crate::{Error, Result};

/// Longest time between two looks at the settings; a change that the store hears of is looked at at once.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// A local directory, and a bucket where one is configured. New blobs go to the one that `storage.backend` names.
#[derive(Debug)]
pub struct ConfiguredBlobs {
    local: LocalBlobs,
    chosen: RwLock<Arc<Chosen>>,
}

#[derive(Debug)]
struct Chosen {
    backend: StorageBackend,
    remote: Option<(S3Options, S3Blobs)>,
}

impl ConfiguredBlobs {
    /// Opens the local directory `root`, and the bucket that `settings` name, which is not tried yet.
    #[expect(clippy::unused_async, reason = "opening is allowed to ask the service one day")]
    pub async fn open(root: &Path, settings: &Settings) -> Result<Self> {
        let local = LocalBlobs::open(root)?;
        let chosen = Chosen::new(settings, root, None)?;
        Ok(Self { local, chosen: RwLock::new(Arc::new(chosen)) })
    }

    /// Takes over changed settings. Reads and writes that have begun end where they began.
    pub fn reload(&self, settings: &Settings) -> Result<()> {
        let before = self.chosen();
        let after = Chosen::new(settings, self.local.root(), Some(&before))?;
        *self.chosen.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(after);
        Ok(())
    }

    /// Takes over what admins change, also in another process, until `cancel`. A change that does not work
    /// leaves everything as it was.
    pub async fn follow(&self, store: &Store, cancel: &CancellationToken) {
        let mut changes = store.settings_changes();
        loop {
            // An end by time is as good as one by a change: what is read next is what counts.
            let wait = tokio::time::timeout(LOOK_EVERY, changes.changed());
            if cancel.run_until_cancelled(wait).await.is_none() {
                return;
            }
            let reloaded = match store.settings().await {
                Ok(settings) => self.reload(&settings),
                Err(error) => Err(error),
            };
            if let Err(error) = reloaded {
                tracing::warn!(%error, "the storage settings could not be taken over");
            }
        }
    }

    fn chosen(&self) -> Arc<Chosen> {
        self.chosen.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Chosen {
    fn new(settings: &Settings, root: &Path, before: Option<&Self>) -> Result<Self> {
        let backend = settings.storage_backend;
        let remote = match (s3_options(settings, root), backend) {
            (Ok(options), _) => {
                // A client keeps connections and credentials: one that has not changed is kept.
                let kept = before.and_then(|chosen| chosen.remote.clone()).filter(|(old, _)| *old == options);
                match kept {
                    Some(kept) => Some(kept),
                    None => Some((options.clone(), S3Blobs::connect(&options)?)),
                }
            }
            (Err(error), StorageBackend::S3) => return Err(error),
            (Err(_), StorageBackend::Local) => None,
        };
        Ok(Self { backend, remote })
    }

    fn remote(&self) -> Option<&S3Blobs> {
        self.remote.as_ref().map(|(_, blobs)| blobs)
    }

    /// The backend that is written to, and the other one.
    fn order<'a>(&'a self, local: &'a LocalBlobs) -> (&'a dyn BlobStore, Option<&'a dyn BlobStore>) {
        match (self.backend, self.remote()) {
            (StorageBackend::S3, Some(remote)) => (remote, Some(local)),
            (_, remote) => (local, remote.map(|remote| remote as &dyn BlobStore)),
        }
    }
}

fn s3_options(settings: &Settings, root: &Path) -> Result<S3Options> {
    for (key, value) in [
        ("storage.s3_bucket", &settings.storage_s3_bucket),
        ("storage.s3_region", &settings.storage_s3_region),
        ("storage.s3_access_key", &settings.storage_s3_access_key),
        ("storage.s3_secret_key", &settings.storage_s3_secret_key),
    ] {
        if value.is_empty() {
            return Err(Error::Invalid(format!("Blobs cannot be kept on S3 while {key} is empty. Set it first.")));
        }
    }
    let endpoint = settings.storage_s3_endpoint.trim_end_matches('/');
    Ok(S3Options {
        endpoint: (!endpoint.is_empty()).then(|| endpoint.to_owned()),
        region: settings.storage_s3_region.clone(),
        bucket: settings.storage_s3_bucket.clone(),
        access_key: settings.storage_s3_access_key.clone(),
        secret_key: settings.storage_s3_secret_key.clone(),
        path_style: settings.storage_s3_path_style,
        spool_dir: LocalBlobs::spool_dir(root),
    })
}

/// Whether blobs can be kept as `settings` say, before they are saved: a bucket that is chosen is written to,
/// read and cleaned again. The error says which setting is to blame, as far as the service tells. `root` is the
/// local directory of blobs.
pub async fn check_storage(settings: &Settings, root: &Path) -> Result<()> {
    match settings.storage_backend {
        // A bucket may be described key by key while it is not used.
        StorageBackend::Local => Ok(()),
        StorageBackend::S3 => Ok(S3Blobs::connect(&s3_options(settings, root)?)?.probe().await?),
    }
}

#[async_trait]
impl BlobStore for ConfiguredBlobs {
    fn spool(&self) -> Result<NamedTempFile, BlobError> {
        // On the local disk whichever is chosen: the choice may change before the file is stored.
        self.local.spool()
    }

    async fn put_file(&self, key: &BlobKey, file: NamedTempFile) -> Result<u64, BlobError> {
        self.chosen().order(&self.local).0.put_file(key, file).await
    }

    async fn put_bytes(&self, key: &BlobKey, bytes: &[u8]) -> Result<(), BlobError> {
        self.chosen().order(&self.local).0.put_bytes(key, bytes).await
    }

    async fn get(&self, key: &BlobKey) -> Result<(BlobReader, u64), BlobError> {
        let chosen = self.chosen();
        let (first, second) = chosen.order(&self.local);
        let Some(second) = second else { return first.get(key).await };
        match first.get(key).await {
            Ok(found) => Ok(found),
            Err(missing @ BlobError::Missing(_)) => match second.get(key).await {
                Err(BlobError::Missing(_)) => Err(missing),
                other => other,
            },
            // Better served from where it should not be any more than not at all.
            Err(error) => second.get(key).await.map_err(|_| error),
        }
    }

    async fn size(&self, key: &BlobKey) -> Result<Option<u64>, BlobError> {
        let chosen = self.chosen();
        let (first, second) = chosen.order(&self.local);
        match (first.size(key).await?, second) {
            // What is asked is whether to store it: where nobody knows, it is stored.
            (None, Some(second)) => Ok(second.size(key).await.unwrap_or_else(|error| {
                tracing::warn!(%error, "the storage that is not chosen cannot be asked for a blob");
                None
            })),
            (found, _) => Ok(found),
        }
    }

    async fn touch(&self, key: &BlobKey) -> Result<Option<u64>, BlobError> {
        let chosen = self.chosen();
        let (first, second) = chosen.order(&self.local);
        match (first.touch(key).await?, second) {
            (None, Some(second)) => Ok(second.touch(key).await.unwrap_or_else(|error| {
                tracing::warn!(%error, "the storage that is not chosen cannot be asked for a blob");
                None
            })),
            (found, _) => Ok(found),
        }
    }

    async fn modified(&self, key: &BlobKey) -> Result<Option<DateTime<Utc>>, BlobError> {
        let chosen = self.chosen();
        let (first, second) = chosen.order(&self.local);
        match (first.modified(key).await?, second) {
            (None, Some(second)) => second.modified(key).await,
            (found, _) => Ok(found),
        }
    }

    async fn delete(&self, key: &BlobKey) -> Result<(), BlobError> {
        let chosen = self.chosen();
        let (first, second) = chosen.order(&self.local);
        first.delete(key).await?;
        // One that stays is found, and tried again, by the next clean-up that lists both.
        if let Some(second) = second
            && let Err(error) = second.delete(key).await
        {
            tracing::warn!(%error, "a blob is left on the storage that is not chosen");
        }
        Ok(())
    }

    async fn list(&self, prefix: &str) -> Result<Vec<BlobInfo>, BlobError> {
        let chosen = self.chosen();
        let (first, second) = chosen.order(&self.local);
        let mut found = first.list(prefix).await?;
        let more = match second {
            Some(second) => second.list(prefix).await.unwrap_or_else(|error| {
                tracing::warn!(%error, "the storage that is not chosen cannot be listed");
                Vec::new()
            }),
            None => Vec::new(),
        };
        let known: HashSet<_> = found.iter().map(|info| info.key.clone()).collect();
        found.extend(more.into_iter().filter(|info| !known.contains(&info.key)));
        Ok(found)
    }

    async fn probe(&self) -> Result<(), BlobError> {
        self.chosen().order(&self.local).0.probe().await
    }
}
