//! An image that the engine built, taken out of it: its layers into the blob store, its configuration as it
//! is into an image of ours with process 1 on top.

use std::collections::HashMap;
use std::io::{self, BufWriter, ErrorKind, Read, Write as _};
use std::time::Duration;

use bollard::models::ImageInspect;
use futures_util::TryStreamExt as _;
use sha2::{Digest as _, Sha256};
use skypanel_core::blob::{BlobKey, BlobStore, put_once};
use skypanel_core::model::{Artifact, ProcessType, Sha256Digest};
use tempfile::NamedTempFile;
use tokio::task::spawn_blocking;
use tokio_util::sync::CancellationToken;

use crate::cache::limited;
use crate::oci::{Image, Layer};
use crate::slug::{MAX_RATIO, readable};
use crate::stack::{Stack, join};
use crate::transfer::blocking_reader;
use crate::{BuildError, BuildRequest, Parts, dockerfile, procfile};

const LEVEL: i32 = 1;
/// Longest storing one layer may take.
const STORE_LIMIT: Duration = Duration::from_mins(30);

/// Layers found in an export, by digest.
type Found = HashMap<Sha256Digest, (u64, Option<NamedTempFile>)>;

/// See [`crate::BuildKit::package`].
pub(crate) async fn package(
    parts: &Parts,
    stack: &Stack,
    request: &BuildRequest<'_>,
    reference: &str,
    procfile: Option<&[u8]>,
    stop: &CancellationToken,
) -> Result<Artifact, BuildError> {
    // Without a Procfile there is one process: what the image itself says it runs.
    let processes = match procfile {
        Some(procfile) => procfile::merge(Some(procfile), None)?,
        None => [(ProcessType::web(), String::new())].into(),
    };
    let types = processes.keys().map(ProcessType::as_str).collect::<Vec<_>>().join(", ");
    request.log.step("Discovering process types").await;
    let declared = if procfile.is_some() { "Procfile" } else { "Dockerfile" };
    request.log.detail(&format!("{declared} declares types -> {types}")).await;
    request.log.step("Storing the image...").await;
    let inspected = limited("Looking at the built image", parts.engine.inspect_image(reference)).await?;
    let digests = layer_digests(&inspected)?;
    let mut found = export(parts, stack, request, reference, &digests, stop).await?;
    let mut layers = Vec::new();
    let mut bytes = 0;
    for digest in &digests {
        let Some((raw, file)) = found.get_mut(digest) else { return Err(incomplete()) };
        layers.push(Layer { digest: *digest, bytes: *raw });
        if let Some(file) = file.take() {
            bytes += tokio::time::timeout(
                STORE_LIMIT,
                put_once(&parts.store, &*parts.blobs, &BlobKey::layer(*digest), file),
            )
            .await
            .map_err(|_| BuildError::EngineSilent { action: "Storing the image" })??;
        }
    }
    layers.push(stack.init);
    let architecture = inspected.architecture.as_deref().unwrap_or(&stack.architecture);
    let image = Image::new(architecture, &inspected.config.unwrap_or_default(), &layers)
        .map_err(|error| BuildError::UnusableSlug(format!("its image cannot be described: {error}.")))?
        .store(parts)
        .await?;
    request.log.detail(&format!("Done: {}", readable(bytes))).await;
    let keep = (request.settings.cache_enabled && !request.deployment.no_cache).then_some(reference);
    dockerfile::remove_images(parts, request.app.id, keep).await?;
    Ok(Artifact { image, slug: None, bytes, buildpack: "dockerfile".to_owned(), processes })
}

fn incomplete() -> BuildError {
    BuildError::UnusableSlug("the engine gave its image out with a layer missing. Push again.".to_owned())
}

fn layer_digests(image: &ImageInspect) -> Result<Vec<Sha256Digest>, BuildError> {
    let layers = image.root_fs.as_ref().and_then(|files| files.layers.as_ref()).ok_or_else(incomplete)?;
    Ok(layers.iter().map(|layer| layer.parse()).collect::<Result<_, _>>()?)
}

/// Reads the engine's export once and keeps the layers in it.
async fn export(
    parts: &Parts,
    stack: &Stack,
    request: &BuildRequest<'_>,
    reference: &str,
    wanted: &[Sha256Digest],
    stop: &CancellationToken,
) -> Result<Found, BuildError> {
    let action = "Taking the built image out of the engine";
    let limit_mb = request.settings.slug_max_mb;
    let download = parts.engine.export_image(reference);
    let reader = blocking_reader(download.map_err(io::Error::other), stop);
    let blobs = parts.blobs.clone();
    let known = wanted.contains(&stack.layer.digest).then_some(stack.layer);
    let wanted = wanted.to_vec();
    let limit = (limit_mb << 20).saturating_mul(MAX_RATIO);
    let read = spawn_blocking(move || read_export(reader, &*blobs, known, &wanted, limit));
    join(read).await.map_err(|source| match source.kind() {
        ErrorKind::FileTooLarge => BuildError::SlugTooBig { limit_mb, biggest: String::new() },
        _ => BuildError::Io { action, source },
    })
}

/// Every file of an export may be a layer; their names differ from engine to engine, their digests do not.
fn read_export(
    source: impl Read,
    blobs: &dyn BlobStore,
    known: Option<Layer>,
    wanted: &[Sha256Digest],
    limit: u64,
) -> io::Result<Found> {
    let mut found = Found::new();
    let mut total = 0;
    for entry in tar::Archive::new(source).entries()? {
        let mut entry = entry?;
        if !entry.header().entry_type().is_file() {
            continue;
        }
        let size = entry.size();
        // The stack's own layer is stored already; it need not be compressed to be recognised.
        let stored = known.is_some_and(|layer| layer.bytes == size);
        if !stored {
            total += size;
        }
        if total > limit {
            return Err(ErrorKind::FileTooLarge.into());
        }
        let (digest, file) = if stored { (hash(&mut entry)?, None) } else { compress(&mut entry, blobs, size)? };
        if wanted.contains(&digest) {
            found.insert(digest, (size, file.filter(|_| known.is_none_or(|layer| layer.digest != digest))));
        }
    }
    Ok(found)
}

fn hash(source: &mut impl Read) -> io::Result<Sha256Digest> {
    let mut hasher = Sha256::new();
    copy(source, |bytes| {
        hasher.update(bytes);
        Ok(())
    })?;
    Ok(Sha256Digest::from_bytes(hasher.finalize().into()))
}

fn compress(
    source: &mut impl Read,
    blobs: &dyn BlobStore,
    size: u64,
) -> io::Result<(Sha256Digest, Option<NamedTempFile>)> {
    let file = blobs.spool().map_err(io::Error::other)?;
    let mut hasher = Sha256::new();
    let mut encoder = zstd::Encoder::new(BufWriter::with_capacity(1 << 18, file.as_file()), LEVEL)?;
    encoder.set_pledged_src_size(Some(size))?;
    copy(source, |bytes| {
        hasher.update(bytes);
        encoder.write_all(bytes)
    })?;
    encoder.finish()?.flush()?;
    Ok((Sha256Digest::from_bytes(hasher.finalize().into()), Some(file)))
}

fn copy(source: &mut impl Read, mut sink: impl FnMut(&[u8]) -> io::Result<()>) -> io::Result<()> {
    let mut chunk = vec![0; 1 << 18];
    loop {
        match source.read(&mut chunk)? {
            0 => return Ok(()),
            length => sink(&chunk[..length])?,
        }
    }
}
