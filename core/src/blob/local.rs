//! Blobs in a local directory: written under a temporary name, synced, renamed.

use std::fs::{File, TryLockError};
use std::io::{self, ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use tempfile::NamedTempFile;
use tokio::task::spawn_blocking;

use super::{BlobError, BlobInfo, BlobKey, BlobReader, BlobStore};

/// Name of the directory, inside the root, that holds files being written.
const SPOOL: &str = ".spool";

/// The local backend.
#[derive(Clone, Debug)]
pub struct LocalBlobs {
    root: PathBuf,
    /// Held while this process uses the directory, together with the other roles of this machine.
    _in_use: Arc<File>,
}

impl LocalBlobs {
    /// Uses `root`, making it if needed, and drops what a crash left half-written, unless another process is using it.
    pub fn open(root: &Path) -> Result<Self, BlobError> {
        let in_use = Self::prepare(root)
            .map_err(|source| disk(format!("Preparing the blob directory {}", root.display()), source))?;
        Ok(Self { root: root.to_owned(), _in_use: Arc::new(in_use) })
    }

    fn prepare(root: &Path) -> io::Result<File> {
        let spool = Self::spool_dir(root);
        std::fs::create_dir_all(&spool)?;
        let lock = File::options().create(true).truncate(false).write(true).open(root.join("in-use.lock"))?;
        match lock.try_lock() {
            Ok(()) => {
                for entry in std::fs::read_dir(&spool)? {
                    std::fs::remove_file(entry?.path())?;
                }
            }
            Err(TryLockError::WouldBlock) => {}
            Err(TryLockError::Error(error)) => return Err(error),
        }
        lock.lock_shared()?;
        Ok(lock)
    }

    /// Where files being written lie, below `root`.
    pub(super) fn spool_dir(root: &Path) -> PathBuf {
        root.join(SPOOL)
    }

    /// The directory of all blobs.
    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    fn path(&self, key: &BlobKey) -> PathBuf {
        self.root.join(key.as_str())
    }

    async fn store(&self, key: &BlobKey, file: NamedTempFile) -> Result<u64, BlobError> {
        let target = self.path(key);
        let stored = blocking(move || {
            let bytes = file.as_file().metadata()?.len();
            file.as_file().sync_all()?;
            let parent = target.parent().unwrap_or(Path::new("/"));
            std::fs::create_dir_all(parent)?;
            file.persist(&target).map_err(|error| error.error)?;
            // The rename itself must survive a power cut, too.
            std::fs::File::open(parent)?.sync_all()?;
            Ok(bytes)
        });
        stored.await.map_err(|source| disk(format!("Storing {key}"), source))
    }
}

#[async_trait]
impl BlobStore for LocalBlobs {
    fn spool(&self) -> Result<NamedTempFile, BlobError> {
        NamedTempFile::new_in(Self::spool_dir(&self.root))
            .map_err(|source| disk("Making a temporary file".to_owned(), source))
    }

    async fn put_file(&self, key: &BlobKey, file: NamedTempFile) -> Result<u64, BlobError> {
        self.store(key, file).await
    }

    async fn put_bytes(&self, key: &BlobKey, bytes: &[u8]) -> Result<(), BlobError> {
        let mut file = self.spool()?;
        file.write_all(bytes).map_err(|source| disk(format!("Storing {key}"), source))?;
        self.store(key, file).await?;
        Ok(())
    }

    async fn get(&self, key: &BlobKey) -> Result<(BlobReader, u64), BlobError> {
        let file = match tokio::fs::File::open(self.path(key)).await {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Err(BlobError::Missing(key.clone())),
            Err(source) => return Err(disk(format!("Opening {key}"), source)),
        };
        let bytes = file.metadata().await.map_err(|source| disk(format!("Opening {key}"), source))?.len();
        Ok((Box::pin(file), bytes))
    }

    async fn size(&self, key: &BlobKey) -> Result<Option<u64>, BlobError> {
        match tokio::fs::metadata(self.path(key)).await {
            Ok(metadata) => Ok(Some(metadata.len())),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(source) => Err(disk(format!("Looking for {key}"), source)),
        }
    }

    async fn touch(&self, key: &BlobKey) -> Result<Option<u64>, BlobError> {
        let path = self.path(key);
        let touched = blocking(move || {
            let file = match std::fs::File::open(path) {
                Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
                file => file?,
            };
            file.set_modified(SystemTime::now())?;
            Ok(Some(file.metadata()?.len()))
        });
        touched.await.map_err(|source| disk(format!("Looking for {key}"), source))
    }

    async fn modified(&self, key: &BlobKey) -> Result<Option<DateTime<Utc>>, BlobError> {
        match tokio::fs::metadata(self.path(key)).await.and_then(|metadata| metadata.modified()) {
            Ok(modified) => Ok(Some(modified.into())),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(source) => Err(disk(format!("Looking for {key}"), source)),
        }
    }

    async fn delete(&self, key: &BlobKey) -> Result<(), BlobError> {
        match tokio::fs::remove_file(self.path(key)).await {
            Err(source) if source.kind() != ErrorKind::NotFound => Err(disk(format!("Removing {key}"), source)),
            _ => Ok(()),
        }
    }

    async fn list(&self, prefix: &str) -> Result<Vec<BlobInfo>, BlobError> {
        let directory = self.root.join(prefix);
        let prefix = prefix.to_owned();
        let action = format!("Listing {prefix}");
        let listed = blocking(move || {
            let entries = match std::fs::read_dir(&directory) {
                Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
                entries => entries?,
            };
            let mut found = Vec::new();
            for entry in entries {
                let entry = entry?;
                // A blob may be removed while others are listed.
                let Ok(metadata) = entry.metadata() else { continue };
                let Some(key) =
                    entry.file_name().to_str().and_then(|name| BlobKey::from_listing(&format!("{prefix}{name}")))
                else {
                    continue;
                };
                found.push(BlobInfo { key, bytes: metadata.len(), modified: metadata.modified()?.into() });
            }
            Ok(found)
        });
        listed.await.map_err(|source| disk(action, source))
    }

    async fn probe(&self) -> Result<(), BlobError> {
        let mut file = self.spool()?;
        let failed = |source| disk(format!("Writing to the blob directory {}", self.root.display()), source);
        file.write_all(b"probe").map_err(failed)?;
        file.as_file().sync_all().map_err(failed)
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    spawn_blocking(work).await.unwrap_or_else(|error| Err(io::Error::other(error)))
}

fn disk(action: String, source: io::Error) -> BlobError {
    BlobError::Disk { action, source }
}
