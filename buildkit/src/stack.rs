//! The stack: the file system that builds and apps start from, kept in the blob store as an image layer and
//! pulled by the engine from our own image endpoint; and the layer that holds process 1 of every app.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use bollard::query_parameters::{CreateImageOptionsBuilder, TagImageOptions};
use futures_util::StreamExt as _;
use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use skypanel_core::blob::{BlobKey, reuse};
use skypanel_core::model::Sha256Digest;
use tokio::task::spawn_blocking;

use crate::oci::{Image, Layer, Runtime};
use crate::{BuildError, Parts, tarball};

/// Where process 1 lies in every app image.
pub(crate) const INIT_PATH: &str = "/.skypanel/init";
/// Repository and tag by which Dockerfiles can build on the stack.
const LOCAL_REPOSITORY: &str = "skypanel/stack";
/// Longest a pull may go without a word from the engine.
const PULL_SILENCE: Duration = Duration::from_mins(10);
const CALL_LIMIT: Duration = Duration::from_secs(30);
/// `stack.json` is smaller than this.
const MAX_DESCRIPTION: u64 = 64 * 1024;
const LEVEL: i32 = 3;

/// The stack as builds use it.
#[derive(Debug)]
pub(crate) struct Stack {
    /// Such as `skypanel-12`.
    pub(crate) name: String,
    /// What the engine knows the image by.
    pub(crate) reference: String,
    /// As in image configurations, such as `amd64`.
    pub(crate) architecture: String,
    /// The unprivileged user in it, or root for stacks that drop privileges by themselves.
    pub(crate) user: String,
    /// Environment of its containers.
    pub(crate) env: Vec<String>,
    /// Directory that apps run in.
    pub(crate) workdir: String,
    /// Its one layer.
    pub(crate) layer: Layer,
    /// The layer above it in every app image.
    pub(crate) init: Layer,
    /// Digest of the stack image's manifest.
    image: Sha256Digest,
    /// Digest of an image of stack and init: nothing runs it, but clean-up sees from it what is needed.
    base: Sha256Digest,
}

impl Stack {
    pub(crate) fn images(&self) -> Vec<Sha256Digest> {
        vec![self.image, self.base]
    }

    /// Whether builds start as root, as those of `gliderlabs/herokuish` do.
    pub(crate) fn is_root(&self) -> bool {
        matches!(self.user.split(':').next(), Some("" | "0" | "root"))
    }
}

/// `stack.json`.
#[derive(Deserialize)]
struct Description {
    name: String,
    architecture: String,
    /// Digest of `stack.tar`.
    digest: Sha256Digest,
    #[serde(default)]
    user: String,
    workdir: Option<String>,
    #[serde(default)]
    env: Vec<String>,
}

/// See [`crate::BuildKit::prepare_stack`].
pub(crate) async fn prepare(parts: &Parts, progress: &(impl Fn(&str) + Sync)) -> Result<Stack, BuildError> {
    let directory = &parts.options.stack_dir;
    let description = describe(directory).await?;
    let layer = import_stack(parts, directory, description.digest, progress).await?;
    let init = import_init(parts, &parts.options.init_binary).await?;
    let runtime = Runtime {
        user: description.user.clone(),
        working_dir: description.workdir.clone().unwrap_or_else(|| "/app".to_owned()),
        env: description.env.clone(),
        ..Runtime::default()
    };
    let image = |layers: &[Layer]| {
        Image::new(&description.architecture, &runtime, layers)
            .map_err(|error| BuildError::Stack(format!("The stack cannot be described: {error}.")))
    };
    let (image, base) = (image(&[layer])?, image(&[layer, init])?);
    let (image, base) = tokio::try_join!(image.store(parts), base.store(parts))?;
    let reference = format!("{}/stacks/{}@{image}", parts.options.image_endpoint, description.name);
    let stack = Stack {
        reference,
        architecture: description.architecture,
        user: description.user,
        env: description.env,
        workdir: runtime.working_dir,
        layer,
        init,
        image,
        base,
        name: description.name,
    };
    warm_engine(parts, &stack, progress).await?;
    Ok(stack)
}

async fn describe(directory: &Path) -> Result<Description, BuildError> {
    let path = directory.join("stack.json");
    let shown = path.display().to_string();
    let read = spawn_blocking(move || {
        let mut text = Vec::new();
        File::open(path)?.take(MAX_DESCRIPTION).read_to_end(&mut text)?;
        Ok(text)
    });
    let text = join(read).await.map_err(|error: io::Error| {
        BuildError::Stack(format!(
            "There is no stack to build apps on: {shown} cannot be read ({error}). Build it with infra/stack/build.sh."
        ))
    })?;
    serde_json::from_slice(&text).map_err(|error| {
        BuildError::Stack(format!(
            "{shown} is damaged: {error}. Build the stack again with infra/stack/build.sh --force."
        ))
    })
}

/// Puts `stack.tar` into the blob store, unless a layer of its digest is there.
async fn import_stack(
    parts: &Parts,
    directory: &Path,
    told: Sha256Digest,
    progress: &(impl Fn(&str) + Sync),
) -> Result<Layer, BuildError> {
    let path = directory.join("stack.tar");
    let failed = |error: io::Error| {
        BuildError::Stack(format!("The stack {} cannot be imported: {error}.", directory.join("stack.tar").display()))
    };
    let bytes = tokio::fs::metadata(&path).await.map_err(failed)?.len();
    if reuse(&parts.store, &*parts.blobs, &BlobKey::layer(told)).await?.is_some() {
        return Ok(Layer { digest: told, bytes });
    }
    progress(&format!("Importing the stack ({} MB)", bytes >> 20));
    let started = Instant::now();
    let spool = parts.blobs.spool()?;
    let compress = spawn_blocking(move || {
        let mut source = BufReader::with_capacity(1 << 20, File::open(&path)?);
        let mut encoder = zstd::Encoder::new(BufWriter::with_capacity(1 << 20, spool.as_file()), LEVEL)?;
        encoder.set_pledged_src_size(Some(bytes))?;
        encoder.multithread(
            std::thread::available_parallelism().map_or(1, |count| u32::try_from(count.get()).unwrap_or(1)),
        )?;
        let mut hasher = Sha256::new();
        let mut chunk = vec![0; 1 << 20];
        loop {
            let length = source.read(&mut chunk)?;
            if length == 0 {
                break;
            }
            hasher.update(&chunk[..length]);
            encoder.write_all(&chunk[..length])?;
        }
        encoder.finish()?.flush()?;
        Ok((Sha256Digest::from_bytes(hasher.finalize().into()), spool))
    });
    let (digest, spool) = join(compress).await.map_err(failed)?;
    if told != digest {
        return Err(BuildError::Stack(format!(
            "{} is not the file that stack.json describes. Build the stack again with infra/stack/build.sh --force.",
            directory.join("stack.tar").display()
        )));
    }
    let stored = parts.blobs.put_file(&BlobKey::layer(digest), spool).await?;
    tracing::info!(%digest, bytes, stored, elapsed = ?started.elapsed(), "imported the stack");
    Ok(Layer { digest, bytes })
}

/// Puts the layer with process 1 into the blob store.
async fn import_init(parts: &Parts, binary: &Path) -> Result<Layer, BuildError> {
    let program = tokio::fs::read(binary).await.map_err(|error| {
        BuildError::Stack(format!("The program {} that starts apps cannot be read: {error}.", binary.display()))
    })?;
    let action = "Packing process 1";
    let packed = spawn_blocking(move || {
        let mut builder = tar::Builder::new(Vec::new());
        tarball::add_directory(&mut builder, ".skypanel", 0)?;
        tarball::add_file(&mut builder, INIT_PATH.trim_start_matches('/'), 0o755, 0, 0, &program)?;
        let tar = builder.into_inner()?;
        Ok((Sha256Digest::of(&tar), tar))
    });
    let (digest, tar) = join(packed).await.map_err(BuildError::io(action))?;
    let (key, bytes) = (BlobKey::layer(digest), tar.len() as u64);
    if reuse(&parts.store, &*parts.blobs, &key).await?.is_none() {
        let compress = spawn_blocking(move || zstd::encode_all(&tar[..], LEVEL));
        parts.blobs.put_bytes(&key, &join(compress).await.map_err(BuildError::io(action))?).await?;
    }
    Ok(Layer { digest, bytes })
}

/// Lets the engine pull the stack image, so that the first build and the first release do not wait for it.
async fn warm_engine(parts: &Parts, stack: &Stack, progress: &(impl Fn(&str) + Sync)) -> Result<(), BuildError> {
    let action = "Looking for the stack image";
    let known = match tokio::time::timeout(CALL_LIMIT, parts.engine.inspect_image(&stack.reference)).await {
        Err(_) => return Err(BuildError::EngineSilent { action }),
        Ok(Ok(_)) => true,
        Ok(Err(bollard::errors::Error::DockerResponseServerError { status_code: 404, .. })) => false,
        Ok(Err(source)) => return Err(BuildError::Engine { action, source }),
    };
    if !known {
        progress(&format!("Giving the stack to the container engine ({} MB)", stack.layer.bytes >> 20));
        pull(parts, stack).await?;
    }
    let action = "Naming the stack image";
    let tag = TagImageOptions { repo: Some(LOCAL_REPOSITORY.to_owned()), tag: Some(stack.name.clone()) };
    tokio::time::timeout(CALL_LIMIT, parts.engine.tag_image(&stack.reference, Some(tag)))
        .await
        .map_err(|_| BuildError::EngineSilent { action })?
        .map_err(BuildError::engine(action))
}

/// Pulls the stack image from the image endpoint.
pub(crate) async fn pull(parts: &Parts, stack: &Stack) -> Result<(), BuildError> {
    let action = "Pulling the stack image";
    let started = Instant::now();
    let options = CreateImageOptionsBuilder::new().from_image(&stack.reference).build();
    let mut words = std::pin::pin!(parts.engine.create_image(Some(options), None, None));
    loop {
        match tokio::time::timeout(PULL_SILENCE, words.next()).await {
            Err(_) => return Err(BuildError::EngineSilent { action }),
            Ok(None) => break,
            Ok(Some(word)) => drop(word.map_err(BuildError::engine(action))?),
        }
    }
    tracing::info!(reference = stack.reference, elapsed = ?started.elapsed(), "the engine has the stack image");
    Ok(())
}

/// The outcome of blocking work; a panic in it is an error like others.
pub(crate) async fn join<T>(task: tokio::task::JoinHandle<io::Result<T>>) -> io::Result<T> {
    task.await.unwrap_or_else(|error| Err(io::Error::other(error)))
}
