//! The slug: `/app` of a finished build container, streamed once through tar, SHA-256 and zstd into the blob
//! store, and the image that puts it on top of the stack.

use std::collections::BTreeMap;
use std::io::{self, BufWriter, Read, Write};
use std::time::{Duration, Instant};

use bollard::query_parameters::DownloadFromContainerOptionsBuilder;
use futures_util::TryStreamExt as _;
use sha2::{Digest as _, Sha256};
use skypanel_core::blob::{BlobKey, put_once};
use skypanel_core::model::{Artifact, Sha256Digest};
use tempfile::NamedTempFile;
use tokio::task::spawn_blocking;
use tokio_util::sync::CancellationToken;

use crate::oci::{Image, Layer, Runtime};
use crate::procfile;
use crate::source::MAX_PROCFILE;
use crate::stack::{INIT_PATH, Stack, join};
use crate::tarball::{APP_ID, Move, MoveError, add_file};
use crate::transfer::blocking_reader;
use crate::{BuildError, BuildRequest, Finished, Parts, members};

const LEVEL: i32 = 1;
/// A slug may be this many times its compressed limit when unpacked: a disk is not filled by zeros.
pub(crate) const MAX_RATIO: u64 = 10;
/// Most directories whose sizes are told apart.
const MAX_DIRECTORIES: usize = 4_096;
/// Longest the engine may take to give a small file.
const FILE_LIMIT: Duration = Duration::from_secs(30);
/// Time of the files of a source that has none: a zero would be refused by zip and some servers.
const NO_TIME: u64 = 315_619_200;

/// A slug on its way into the blob store.
struct Packed {
    file: NamedTempFile,
    layer: Layer,
    procfile: Option<Vec<u8>>,
    release: Option<Vec<u8>>,
}

/// Why packing ended early.
enum PackError {
    TooBig { biggest: String },
    Move(MoveError),
}

impl From<io::Error> for PackError {
    fn from(error: io::Error) -> Self {
        Self::Move(MoveError::Io(error))
    }
}

/// Packs `/app` of a finished build container. The caller's time limit holds.
pub(crate) async fn package(
    parts: &Parts,
    stack: &Stack,
    request: &BuildRequest<'_>,
    finished: &Finished,
    stop: &CancellationToken,
) -> Result<Artifact, BuildError> {
    let started = Instant::now();
    request.log.step("Compressing...").await;
    let packed = pack(parts, request, finished, stop).await?;
    let streamed = started.elapsed();
    let processes = procfile::merge(packed.procfile.as_deref(), packed.release.as_deref())?;
    let slug = packed.layer;
    let image = app_image(stack, slug)?;
    let (bytes, image, buildpack) = tokio::try_join!(
        async { Ok(put_once(&parts.store, &*parts.blobs, &BlobKey::slug(slug.digest), packed.file).await?) },
        image.store(parts),
        buildpack_names(parts, finished),
    )?;
    tracing::debug!(?streamed, stored = ?started.elapsed(), bytes, raw = slug.bytes, "packed a slug");
    request.log.detail(&format!("Done: {}", readable(bytes))).await;
    Ok(Artifact { image, slug: Some(slug.digest), bytes, buildpack, processes })
}

fn app_image(stack: &Stack, slug: Layer) -> Result<Image, BuildError> {
    let runtime = Runtime {
        user: stack.user.clone(),
        working_dir: stack.workdir.clone(),
        env: stack.env.clone(),
        entrypoint: vec![INIT_PATH.to_owned()],
        cmd: Vec::new(),
    };
    Image::new(&stack.architecture, &runtime, &[stack.layer, stack.init, slug])
        .map_err(|error| BuildError::Stack(format!("The image cannot be described: {error}.")))
}

async fn pack(
    parts: &Parts,
    request: &BuildRequest<'_>,
    finished: &Finished,
    stop: &CancellationToken,
) -> Result<Packed, BuildError> {
    let action = "Packing the slug";
    let options = DownloadFromContainerOptionsBuilder::new().path("/app").build();
    let download = parts.engine.download_from_container(&finished.container.id, Some(options));
    let reader = blocking_reader(download.map_err(io::Error::other), stop);
    let spool = parts.blobs.spool()?;
    let limit_mb = request.settings.slug_max_mb;
    let modified = if finished.modified == 0 { NO_TIME } else { finished.modified };
    let packed = spawn_blocking(move || Ok(pack_tar(reader, spool, limit_mb << 20, modified)));
    match join(packed).await.map_err(BuildError::io(action))? {
        Ok(packed) => Ok(packed),
        Err(PackError::TooBig { biggest }) => Err(BuildError::SlugTooBig { limit_mb, biggest }),
        Err(PackError::Move(MoveError::Refused(why))) => Err(BuildError::UnusableSlug(why)),
        Err(PackError::Move(MoveError::Io(source))) => Err(BuildError::Io { action, source }),
    }
}

/// Moves the tar of `/app` into `file`: ownership and times evened out, hashed raw, stored compressed.
fn pack_tar(source: impl Read, file: NamedTempFile, limit: u64, modified: u64) -> Result<Packed, PackError> {
    let limited = Limited::new(BufWriter::with_capacity(1 << 18, file.as_file()), limit);
    let encoder = zstd::Encoder::new(limited, LEVEL)?;
    let raw_limit = limit.saturating_mul(MAX_RATIO);
    let mut builder = tar::Builder::new(Hashing { inner: encoder, hasher: Sha256::new(), bytes: 0, limit: raw_limit });
    let mut sizes = Sizes::default();
    let mut kept = Kept::default();
    let moved = move_all(source, &mut builder, modified, &mut sizes, &mut kept);
    let over = {
        let hashing = builder.get_ref();
        hashing.bytes > hashing.limit || hashing.inner.get_ref().exceeded()
    };
    if over {
        return Err(PackError::TooBig { biggest: sizes.biggest() });
    }
    moved.map_err(PackError::Move)?;
    let Hashing { inner, hasher, bytes, .. } = builder.into_inner()?;
    let limited = match inner.try_finish() {
        Ok(limited) => limited,
        Err((encoder, _)) if encoder.get_ref().exceeded() => {
            return Err(PackError::TooBig { biggest: sizes.biggest() });
        }
        Err((_, error)) => return Err(error.into()),
    };
    limited.into_inner().flush()?;
    let digest = Sha256Digest::from_bytes(hasher.finalize().into());
    Ok(Packed { file, layer: Layer { digest, bytes }, procfile: kept.procfile, release: kept.release })
}

/// Files whose content says what runs.
#[derive(Default)]
struct Kept {
    procfile: Option<Vec<u8>>,
    release: Option<Vec<u8>>,
}

fn move_all(
    source: impl Read,
    builder: &mut tar::Builder<impl Write>,
    modified: u64,
    sizes: &mut Sizes,
    kept: &mut Kept,
) -> Result<(), MoveError> {
    let rule = Move { from: "app", to: "app", modified: Some(modified), layer: true };
    members::visit(source, |mut member| {
        let keep = match &member.name[..] {
            b"app/Procfile" => Some(("app/Procfile", &mut kept.procfile)),
            b"app/.release" => Some(("app/.release", &mut kept.release)),
            _ => None,
        };
        if let Some((path, slot)) = keep
            && member.kind().is_file()
            && member.size() <= MAX_PROCFILE
        {
            let mode = member.header().mode()? & 0o777;
            let mut content = Vec::new();
            member.read_to_end(&mut content)?;
            add_file(builder, path, mode, APP_ID, modified, &content)?;
            *slot = Some(content);
            return Ok(());
        }
        // Counted first, because the file that is too big is never moved to its end.
        sizes.add(&member.name, member.size());
        rule.member(member, builder)
    })
}

/// The names of the buildpacks used: as the output told, or else from the file that the build left.
async fn buildpack_names(parts: &Parts, finished: &Finished) -> Result<String, BuildError> {
    if let Some(name) = &finished.buildpack {
        return Ok(name.clone());
    }
    let options = DownloadFromContainerOptionsBuilder::new().path("/tmp/build/buildpack").build();
    let download = parts.engine.download_from_container(&finished.container.id, Some(options));
    let read = async {
        let mut tar = Vec::new();
        let mut chunks = std::pin::pin!(download);
        while let Some(chunk) = chunks.try_next().await? {
            tar.extend_from_slice(&chunk);
            if tar.len() as u64 > 2 * MAX_PROCFILE {
                break;
            }
        }
        Ok::<_, bollard::errors::Error>(tar)
    };
    // A stack of another make does not write it; the name is for people only.
    let unknown = || "custom".to_owned();
    let Ok(Ok(tar)) = tokio::time::timeout(FILE_LIMIT, read).await else { return Ok(unknown()) };
    let mut names = String::new();
    if let Some(Ok(entry)) = tar::Archive::new(&tar[..]).entries().ok().and_then(|mut entries| entries.next()) {
        // What is not text is no name.
        let _ = entry.take(1024).read_to_string(&mut names);
    }
    let names: String = names.lines().next().unwrap_or_default().chars().filter(|c| !c.is_control()).collect();
    Ok(if names.is_empty() { unknown() } else { names })
}

/// Hashes what passes, and stops at a limit.
struct Hashing<W> {
    inner: W,
    hasher: Sha256,
    bytes: u64,
    limit: u64,
}

impl<W: Write> Write for Hashing<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.hasher.update(&bytes[..written]);
        self.bytes += written as u64;
        if self.bytes > self.limit {
            return Err(io::Error::other("over the limit"));
        }
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

/// Stops at a limit.
pub(crate) struct Limited<W> {
    inner: W,
    left: u64,
    exceeded: bool,
}

impl<W> Limited<W> {
    /// Lets `limit` bytes pass.
    pub(crate) fn new(inner: W, limit: u64) -> Self {
        Self { inner, left: limit, exceeded: false }
    }

    /// Whether more than the limit was written.
    pub(crate) fn exceeded(&self) -> bool {
        self.exceeded
    }

    /// What is written to.
    pub(crate) fn into_inner(self) -> W {
        self.inner
    }
}

impl<W: Write> Write for Limited<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let Some(left) = self.left.checked_sub(bytes.len() as u64) else {
            self.exceeded = true;
            return Err(io::Error::other("over the limit"));
        };
        self.inner.write_all(bytes)?;
        self.left = left;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

/// Sizes of the directories at the slug's top and one below, and of the files at its top.
#[derive(Default)]
struct Sizes(BTreeMap<Vec<u8>, u64>);

impl Sizes {
    /// Counts a member by its name in the archive of `/app`.
    fn add(&mut self, name: &[u8], bytes: u64) {
        let path = name.strip_prefix(b"app/").unwrap_or(name);
        let slashes = path.iter().enumerate().filter_map(|(at, byte)| (*byte == b'/').then_some(at));
        let top = &path[..slashes.take(2).last().unwrap_or(path.len())];
        if let Some(size) = self.0.get_mut(top) {
            *size += bytes;
        } else if self.0.len() < MAX_DIRECTORIES {
            self.0.insert(top.to_vec(), bytes);
        }
    }

    /// A sentence that names the three biggest of what was read.
    fn biggest(&self) -> String {
        let mut sizes: Vec<_> = self.0.iter().filter(|(_, bytes)| **bytes >= 1 << 20).collect();
        sizes.sort_by_key(|(_, bytes)| std::cmp::Reverse(**bytes));
        let named: Vec<String> = sizes
            .iter()
            .take(3)
            .map(|(name, bytes)| format!("/{} ({})", String::from_utf8_lossy(name).escape_debug(), readable(**bytes)))
            .collect();
        if named.is_empty() {
            String::new()
        } else {
            format!(" Biggest so far, before compression: {}.", named.join(", "))
        }
    }
}

/// A size as people read it, in units of 2^10 or 2^20 bytes.
pub(crate) fn readable(bytes: u64) -> String {
    let (unit, name) = if bytes < 1 << 20 { (1 << 10, "KB") } else { (1 << 20, "MB") };
    let tenths = (bytes * 10).div_ceil(unit);
    format!("{}.{} {name}", tenths / 10, tenths % 10)
}
