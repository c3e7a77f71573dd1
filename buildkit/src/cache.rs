//! The build cache. Hot: a volume per app, buildpack and stack on the build host. Cold: a tar of it in the
//! blob store, written after a release is live, read when the volume is new.

use std::collections::HashMap;
use std::io::{self, BufWriter, ErrorKind, Read, Write};
use std::time::Duration;

use bollard::errors::Error as EngineError;
use bollard::models::{ContainerCreateBody, HostConfig, VolumeCreateRequest};
use bollard::query_parameters::{
    CreateContainerOptions, DownloadFromContainerOptionsBuilder, ListVolumesOptionsBuilder, RemoveVolumeOptionsBuilder,
    UploadToContainerOptionsBuilder,
};
use futures_util::TryStreamExt as _;
use sha2::{Digest as _, Sha256};
use skypanel_core::blob::{BlobKey, put_once};
use skypanel_core::model::{AppId, Application, Sha256Digest};
use skypanel_core::settings::Settings;
use skypanel_core::store::StoredCache;
use tempfile::NamedTempFile;
use tokio::task::spawn_blocking;
use tokio_util::sync::CancellationToken;

use crate::container::{BuildContainer, labels_of_app};
use crate::slug::Limited;
use crate::stack::{Stack, join};
use crate::tarball::{Move, MoveError};
use crate::transfer::{self, blocking_reader};
use crate::{BuildError, Parts, members, source};

/// Where builds find their cache.
pub(crate) const PATH: &str = "/tmp/cache";
const CALL_LIMIT: Duration = Duration::from_mins(1);
/// Longest a cache may take to be stored or restored.
const TRANSFER_LIMIT: Duration = Duration::from_mins(15);
const LEVEL: i32 = 1;
/// How often, and after what pause, a volume that is in use is tried again.
const IN_USE_TRIES: u32 = 100;
const IN_USE_PAUSE: Duration = Duration::from_millis(100);

/// The cache of one app for one buildpack and stack.
pub(crate) struct Cache {
    app: AppId,
    /// Name of the hot tier's volume.
    pub(crate) volume: String,
    /// Key of the cold tier.
    key: String,
}

impl Cache {
    /// `buildpack` is the chosen one; an app whose buildpack is detected has one cache whatever is detected.
    pub(crate) fn of(app: AppId, buildpack: Option<&str>, stack: &Stack) -> Self {
        let means = format!("{}|{}", buildpack.unwrap_or_default(), stack.layer.digest);
        let short = &Sha256Digest::of(means.as_bytes()).hex()[..16];
        Self {
            app,
            volume: format!("skypanel-cache-{app}-{short}"),
            key: Sha256Digest::of(format!("{app}|{means}").as_bytes()).hex(),
        }
    }

    /// Makes the volume if it is not there; whether it was made. `anew` drops one that is there first.
    pub(crate) async fn prepare(&self, parts: &Parts, app: &Application, anew: bool) -> Result<bool, BuildError> {
        let action = "Preparing the build cache";
        let work = async {
            if anew {
                remove_volume(parts, &self.volume).await?;
            } else if found(parts.engine.inspect_volume(&self.volume).await)? {
                return Ok(false);
            }
            let mut labels = labels_of_app(parts, app);
            labels.insert("skypanel.role".to_owned(), "cache".to_owned());
            let request =
                VolumeCreateRequest { name: Some(self.volume.clone()), labels: Some(labels), ..Default::default() };
            parts.engine.create_volume(request).await.map(|_| true)
        };
        limited(action, work).await
    }

    /// Notes that the cold tier is of use, and finds it.
    pub(crate) async fn stored(&self, parts: &Parts) -> Result<Option<StoredCache>, BuildError> {
        Ok(parts.store.use_build_cache(self.app, &self.key).await?)
    }
}

/// Fills the empty volume of a container that is not started yet from the cold tier.
pub(crate) async fn restore(
    parts: &Parts,
    container: &BuildContainer,
    stored: &StoredCache,
    stop: &CancellationToken,
) -> Result<(), BuildError> {
    let action = "Restoring the build cache";
    let (reader, _) = parts.blobs.get(&BlobKey::cache(stored.blob_digest)).await?;
    let mut cache = source::unpack(reader, stop).map_err(BuildError::io(action))?;
    let (mut writer, body) = transfer::channel();
    let copy = spawn_blocking(move || {
        let copied = io::copy(&mut cache, &mut writer).and_then(|_| writer.flush());
        if copied.is_err() {
            writer.fail("the build cache could not be read to its end");
        }
        copied
    });
    let options = UploadToContainerOptionsBuilder::new().path("/tmp").build();
    let engine = parts.engine.clone().with_timeout(TRANSFER_LIMIT);
    let put = engine.upload_to_container(&container.id, Some(options), bollard::body_try_stream(body));
    let put = tokio::time::timeout(TRANSFER_LIMIT, put).await.map_err(|_| BuildError::EngineSilent { action })?;
    match join(copy).await {
        Err(source) if source.kind() != ErrorKind::BrokenPipe => Err(BuildError::Io { action, source }),
        _ => put.map_err(BuildError::engine(action)),
    }
}

/// Writes the hot tier to the blob store, and drops the app's volumes for other buildpacks and stacks.
pub(crate) async fn save(
    parts: &Parts,
    stack: &Stack,
    app: &Application,
    settings: &Settings,
    cache: &Cache,
) -> Result<(), BuildError> {
    for volume in volumes(parts, Some(app.id)).await? {
        if volume.name != cache.volume {
            limited("Dropping an old build cache", remove_volume(parts, &volume.name)).await?;
        }
    }
    let action = "Looking for the build cache";
    if !limited(action, async { found(parts.engine.inspect_volume(&cache.volume).await) }).await? {
        return Ok(());
    }
    let stop = CancellationToken::new();
    let _stops_threads = stop.clone().drop_guard();
    let packed = tokio::time::timeout(TRANSFER_LIMIT, pack(parts, stack, app, settings, cache, &stop))
        .await
        .map_err(|_| BuildError::EngineSilent { action: "Storing the build cache" })??;
    let Some((digest, file)) = packed else { return Ok(()) };
    let key = BlobKey::cache(digest);
    let bytes = put_once(&parts.store, &*parts.blobs, &key, file).await?;
    let stored = StoredCache {
        application_id: app.id,
        cache_key: cache.key.clone(),
        blob_digest: digest,
        bytes: i64::try_from(bytes).unwrap_or(i64::MAX),
    };
    Ok(parts.store.put_build_cache(&stored).await?)
}

/// Compresses the volume's content; none when it is empty or over the limit.
async fn pack(
    parts: &Parts,
    stack: &Stack,
    app: &Application,
    settings: &Settings,
    cache: &Cache,
    stop: &CancellationToken,
) -> Result<Option<(Sha256Digest, NamedTempFile)>, BuildError> {
    let action = "Storing the build cache";
    // Never started: the engine reads a volume through any container that mounts it.
    let mut labels = labels_of_app(parts, app);
    labels.insert("skypanel.role".to_owned(), "build".to_owned());
    let body = ContainerCreateBody {
        image: Some(stack.reference.clone()),
        entrypoint: Some(vec!["/build".to_owned()]),
        labels: Some(labels),
        host_config: Some(HostConfig {
            network_mode: Some("none".to_owned()),
            binds: Some(vec![format!("{}:{PATH}", cache.volume)]),
            ..Default::default()
        }),
        ..Default::default()
    };
    let made = limited(action, parts.engine.create_container(None::<CreateContainerOptions>, body)).await?;
    let container = BuildContainer::own(parts, made.id);
    let options = DownloadFromContainerOptionsBuilder::new().path(PATH).build();
    let download = parts.engine.download_from_container(&container.id, Some(options));
    let reader = blocking_reader(download.map_err(io::Error::other), stop);
    let spool = parts.blobs.spool()?;
    let limit = settings.cache_max_mb << 20;
    let packed = join(spawn_blocking(move || pack_tar(reader, spool, limit))).await.map_err(BuildError::io(action))?;
    container.remove().await.map_err(BuildError::engine(action))?;
    match packed {
        Packed::Whole(digest, file) => Ok(Some((digest, file))),
        Packed::Empty => Ok(None),
        Packed::TooBig => {
            tracing::info!(app = %app.slug, limit_mb = settings.cache_max_mb, "a build cache is over the limit and stays on its host");
            Ok(None)
        }
    }
}

enum Packed {
    Whole(Sha256Digest, NamedTempFile),
    Empty,
    TooBig,
}

fn pack_tar(source: impl Read, file: NamedTempFile, limit: u64) -> io::Result<Packed> {
    let hashing = Hashed { inner: BufWriter::with_capacity(1 << 18, file.as_file()), hasher: Sha256::new() };
    let mut builder = tar::Builder::new(zstd::Encoder::new(Limited::new(hashing, limit), LEVEL)?);
    let rule = Move { from: "cache", to: "cache", modified: None, layer: false };
    let mut entries = 0;
    let copied = members::visit(source, |member| {
        entries += 1;
        // What may not be kept (a device) is no reason to keep nothing.
        match rule.member(member, &mut builder) {
            Ok(()) | Err(MoveError::Refused(_)) => Ok(()),
            Err(MoveError::Io(error)) => Err(error),
        }
    });
    if builder.get_ref().get_ref().exceeded() {
        return Ok(Packed::TooBig);
    }
    copied?;
    // The first entry is the cache's own directory.
    if entries <= 1 {
        return Ok(Packed::Empty);
    }
    let limited = match builder.into_inner()?.try_finish() {
        Ok(limited) => limited,
        Err((encoder, _)) if encoder.get_ref().exceeded() => return Ok(Packed::TooBig),
        Err((_, error)) => return Err(error),
    };
    let Hashed { mut inner, hasher } = limited.into_inner();
    inner.flush()?;
    drop(inner);
    let digest = Sha256Digest::from_bytes(hasher.finalize().into());
    Ok(Packed::Whole(digest, file))
}

/// Hashes what is written.
struct Hashed<W> {
    inner: W,
    hasher: Sha256,
}

impl<W: Write> Write for Hashed<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.hasher.update(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

/// A cache volume in the engine.
pub(crate) struct Volume {
    pub(crate) name: String,
    /// Text of the label that tells its app.
    pub(crate) app: String,
}

/// The cache volumes of this installation, or of one of its apps.
pub(crate) async fn volumes(parts: &Parts, app: Option<AppId>) -> Result<Vec<Volume>, BuildError> {
    let mut labels =
        vec![format!("skypanel.installation={}", parts.options.installation), "skypanel.role=cache".to_owned()];
    labels.extend(app.map(|app| format!("skypanel.app_id={app}")));
    let options = ListVolumesOptionsBuilder::new().filters(&HashMap::from([("label".to_owned(), labels)])).build();
    let listed = limited("Listing build caches", parts.engine.list_volumes(Some(options))).await?;
    let volumes = listed.volumes.unwrap_or_default().into_iter();
    Ok(volumes
        .map(|mut volume| Volume {
            app: volume.labels.remove("skypanel.app_id").unwrap_or_default(),
            name: volume.name,
        })
        .collect())
}

/// Removes a volume; one that is gone is fine. The container of a build that just ended may be on its way
/// out and still hold it, so one in use is tried again for a while.
pub(crate) async fn remove_volume(parts: &Parts, name: &str) -> Result<(), EngineError> {
    let options = RemoveVolumeOptionsBuilder::new().force(true).build();
    let mut tries = 0;
    loop {
        tries += 1;
        match parts.engine.remove_volume(name, Some(options.clone())).await {
            Err(EngineError::DockerResponseServerError { status_code: 409, .. }) if tries < IN_USE_TRIES => {
                tokio::time::sleep(IN_USE_PAUSE).await;
            }
            removed => return found(removed).map(drop),
        }
    }
}

/// Whether what was asked for exists.
fn found<T>(answer: Result<T, EngineError>) -> Result<bool, EngineError> {
    match answer {
        Ok(_) => Ok(true),
        Err(EngineError::DockerResponseServerError { status_code: 404, .. }) => Ok(false),
        Err(error) => Err(error),
    }
}

/// An engine call under a time limit.
pub(crate) async fn limited<T>(
    action: &'static str,
    call: impl Future<Output = Result<T, EngineError>>,
) -> Result<T, BuildError> {
    tokio::time::timeout(CALL_LIMIT, call)
        .await
        .map_err(|_| BuildError::EngineSilent { action })?
        .map_err(BuildError::engine(action))
}
