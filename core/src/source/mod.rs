//! What apps are built from: the tree of a commit or an uploaded archive, packed into the one `tar.zst` that a
//! deployment's build reads, with nothing in it that leads out of the app.

mod archive;
pub(crate) mod commit;
pub mod members;

use std::time::Duration;

use tempfile::NamedTempFile;

pub use archive::{ArchiveSource, pack_archive};
pub use commit::{ALLOC_LIMIT, CommitSource, pack_commit};

/// zstd's fastest proper level: a source is read once and soon forgotten.
const ZSTD_LEVEL: i32 = 1;
/// Owner of everything in the container that builds.
const APP_USER: u64 = 10_001;
/// Longest path in bytes, as Linux has it.
const MAX_PATH: usize = 4_095;

/// Limits on a source.
#[derive(Clone, Copy, Debug)]
pub struct SourceLimits {
    /// Files, directories and links.
    pub entries: u64,
    /// Bytes of all files together, unpacked.
    pub bytes: u64,
    /// Time that reading and packing it may take.
    pub time: Duration,
}

impl Default for SourceLimits {
    fn default() -> Self {
        Self { entries: 200_000, bytes: 4 << 30, time: Duration::from_mins(10) }
    }
}

/// A packed source.
#[derive(Debug)]
pub struct Snapshot {
    /// The archive, written and flushed.
    pub file: NamedTempFile,
    /// Files and links in it.
    pub files: u64,
    /// Bytes of the files together, unpacked.
    pub bytes: u64,
    /// First line of the commit's message; empty for an archive.
    pub message: String,
    /// The marker in the commit's message that asks not to deploy it, if there is one.
    pub skip: Option<String>,
    /// `Name <email>` of the commit's author; empty for an archive.
    pub author: String,
    /// What the developer should know, a line each.
    pub warnings: Vec<String>,
}

/// A path as a terminal may show it.
fn printable(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let mut shown: String = text.chars().take(200).map(|c| if c.is_control() { '?' } else { c }).collect();
    if text.chars().nth(200).is_some() {
        shown.push('…');
    }
    shown
}
