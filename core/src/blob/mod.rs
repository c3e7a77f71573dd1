//! The blob store: sources, slugs, image parts and cold build caches, on a local directory or on S3.
//! Everything streams; nothing is held in memory whole.

mod configured;
mod local;
mod reuse;
mod s3;
mod s3_reason;

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use tempfile::NamedTempFile;
use tokio::io::AsyncRead;

pub use configured::{ConfiguredBlobs, check_storage};
pub use local::LocalBlobs;
pub use reuse::{put_once, remove_unused, reuse};
pub use s3::{S3Blobs, S3Options};

use crate::model::{DeploymentId, Sha256Digest};

/// The store as the rest of the system holds it.
pub type Blobs = Arc<dyn BlobStore>;

/// A blob being read.
pub type BlobReader = Pin<Box<dyn AsyncRead + Send>>;

/// Where a blob lies: a relative path of safe segments, made only by the constructors below.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BlobKey(String);

impl BlobKey {
    /// Prefix of all sources.
    pub const SOURCES: &'static str = "sources/";
    /// Prefix of all slugs.
    pub const SLUGS: &'static str = "slugs/";
    /// Prefix of layers that are not slugs: stacks, init, layers of Dockerfile images.
    pub const LAYERS: &'static str = "layers/";
    /// Prefix of image manifests and configurations.
    pub const IMAGES: &'static str = "images/";
    /// Prefix of cold build caches.
    pub const CACHES: &'static str = "cache/";
    /// Prefix of Git repositories, for receivers that have no copy.
    pub const REPOSITORIES: &'static str = "repositories/";

    /// The source of a deployment (`tar`, zstd).
    pub fn source(deployment: DeploymentId) -> Self {
        Self(format!("{}{deployment}.tar.zst", Self::SOURCES))
    }

    /// A slug by the digest of its raw tar (`tar`, zstd).
    pub fn slug(digest: Sha256Digest) -> Self {
        Self(format!("{}{}.tar.zst", Self::SLUGS, digest.hex()))
    }

    /// Another layer by the digest of its raw tar (`tar`, zstd).
    pub fn layer(digest: Sha256Digest) -> Self {
        Self(format!("{}{}.tar.zst", Self::LAYERS, digest.hex()))
    }

    /// An image manifest or configuration by its digest (JSON).
    pub fn image(digest: Sha256Digest) -> Self {
        Self(format!("{}{}.json", Self::IMAGES, digest.hex()))
    }

    /// A cold build cache by the digest of the stored bytes (`tar`, zstd).
    pub fn cache(digest: Sha256Digest) -> Self {
        Self(format!("{}{}.tar.zst", Self::CACHES, digest.hex()))
    }

    /// From what [`BlobStore::list`] of a backend found; none for a path that is not a blob's.
    fn from_listing(path: &str) -> Option<Self> {
        let safe = path.split('/').all(|segment| {
            !segment.is_empty()
                && !segment.starts_with('.')
                && segment.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
        });
        safe.then(|| Self(path.to_owned()))
    }

    /// The key as text, such as `slugs/<hex>.tar.zst`.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for BlobKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for BlobKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a listing tells of a blob.
#[derive(Clone, Debug)]
pub struct BlobInfo {
    /// Its key.
    pub key: BlobKey,
    /// Its size in bytes.
    pub bytes: u64,
    /// When it was last written or touched.
    pub modified: DateTime<Utc>,
}

/// Why the blob store failed, in words for users and operators.
#[derive(Debug, thiserror::Error)]
pub enum BlobError {
    /// No such blob.
    #[error("{0} is not in the blob store")]
    Missing(BlobKey),
    /// The disk failed.
    #[error("{action} failed: {source}")]
    Disk {
        /// What was being done.
        action: String,
        /// Why it failed.
        source: std::io::Error,
    },
    /// The S3 service refused, or could not be reached.
    #[error("{action} failed: {reason}")]
    Remote {
        /// What was being done.
        action: String,
        /// Why it failed, without credentials.
        reason: String,
    },
}

/// A place for blobs. Writing the same key twice is fine: the later content wins whole.
#[async_trait]
pub trait BlobStore: Send + Sync + 'static {
    /// An empty file to write a blob into before [`BlobStore::put_file`] takes it over; on the same disk as
    /// the blobs where those are local, so that taking over is a rename. It vanishes when dropped.
    fn spool(&self) -> Result<NamedTempFile, BlobError>;

    /// Stores a spooled file under `key`, durably, and gives its size in bytes.
    async fn put_file(&self, key: &BlobKey, file: NamedTempFile) -> Result<u64, BlobError>;

    /// Stores a small blob.
    async fn put_bytes(&self, key: &BlobKey, bytes: &[u8]) -> Result<(), BlobError>;

    /// Opens a blob for reading and gives its size in bytes.
    async fn get(&self, key: &BlobKey) -> Result<(BlobReader, u64), BlobError>;

    /// Size of a blob in bytes, if it exists.
    async fn size(&self, key: &BlobKey) -> Result<Option<u64>, BlobError>;

    /// Makes a blob as young as one just written and gives its size in bytes. None where there is no such blob, or
    /// where the service cannot do that: then it has to be written again.
    async fn touch(&self, key: &BlobKey) -> Result<Option<u64>, BlobError>;

    /// When a blob was last written or touched, if it exists.
    async fn modified(&self, key: &BlobKey) -> Result<Option<DateTime<Utc>>, BlobError>;

    /// Removes a blob; one that is not there is fine.
    async fn delete(&self, key: &BlobKey) -> Result<(), BlobError>;

    /// All blobs whose key starts with `prefix`, one of the prefixes of [`BlobKey`].
    async fn list(&self, prefix: &str) -> Result<Vec<BlobInfo>, BlobError>;

    /// Writes, reads and removes a small blob: whether the store works, before it is relied on.
    async fn probe(&self) -> Result<(), BlobError>;
}
