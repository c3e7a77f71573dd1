//! What a build needs around it: a private PostgreSQL, a blob directory, the engine of this machine and an
//! image endpoint it can pull from. Everything made in the engine is removed by [`World::tear_down`].

mod stack;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::extract::{Path as UrlPath, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use bollard::Docker;
use bollard::models::ContainerCreateBody;
use bollard::query_parameters::{
    CreateContainerOptions, ListContainersOptionsBuilder, ListImagesOptions, ListVolumesOptionsBuilder,
    RemoveImageOptionsBuilder, RemoveVolumeOptions,
};
use skypanel_buildkit::{BuildKit, BuildKitOptions, BuildRequest};
use skypanel_core::blob::{BlobKey, Blobs, LocalBlobs};
use skypanel_core::embedded_postgres::EmbeddedPostgres;
use skypanel_core::model::{Application, Artifact, Deployment, DeploymentId, NewDeployment, Sha256Digest, Trigger};
use skypanel_core::secrets::Secrets;
use skypanel_core::settings::Settings;
use skypanel_core::store::{ConfigVars, Store};
use skypanel_core::stream::{StreamItem, Streams};
use tokio::io::AsyncReadExt as _;
use tokio_util::sync::CancellationToken;

/// Everything around a build.
pub(crate) struct World {
    pub(crate) engine: Docker,
    pub(crate) blobs: Blobs,
    pub(crate) store: Store,
    pub(crate) streams: Streams,
    pub(crate) kit: BuildKit,
    pub(crate) endpoint: SocketAddr,
    pub(crate) installation: String,
    pub(crate) settings: Settings,
    pub(crate) app: Application,
    pub(crate) config: ConfigVars,
    _postgres: Server,
    _directory: tempfile::TempDir,
}

/// A PostgreSQL server that ends with its test, also when that panics.
struct Server(PathBuf);

impl Drop for Server {
    fn drop(&mut self) {
        let Ok(status) = std::fs::read_to_string(self.0.join("data/postmaster.pid")) else { return };
        let Some(id) = status.lines().next() else { return };
        // Immediate: its data goes next.
        std::process::Command::new("kill").args(["-QUIT", id]).status().ok();
    }
}

/// How one build went.
pub(crate) struct Outcome {
    pub(crate) result: Result<Artifact, skypanel_buildkit::BuildError>,
    pub(crate) log: String,
    pub(crate) deployment: Deployment,
}

impl World {
    /// A world with a stack of a few megabytes, prepared.
    pub(crate) async fn small(name: &str) -> Self {
        let directory = tempfile::tempdir().expect("makes a directory");
        // Its own name, because a stack of the same name on this engine may be somebody's in earnest.
        let stack = format!("test-{name}");
        stack::write(directory.path(), &stack);
        let init = directory.path().join("init");
        std::fs::write(&init, "not run by builds").expect("writes");
        let mut world = Self::new(name, directory.path(), &init).await;
        world.app.stack = stack;
        world.kit.prepare_stack(|_| ()).await.expect("prepares");
        // Once more: everything is there.
        world.kit.prepare_stack(|step| panic!("did {step} again")).await.expect("prepares");
        world
    }

    /// A world whose stack lies in `stack_dir`. `name` is the app's.
    pub(crate) async fn new(name: &str, stack_dir: &Path, init_binary: &Path) -> Self {
        let directory = tempfile::Builder::new().prefix("skb").tempdir_in("/tmp").expect("makes a directory");
        // PostgreSQL's own user must be able to enter it.
        std::fs::set_permissions(directory.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755))
            .expect("opens it");
        let postgres = EmbeddedPostgres::start(&directory.path().join("pg")).await.expect("PostgreSQL starts");
        let secrets = Secrets::open_or_create(&directory.path().join("master.key")).expect("makes a key");
        let store = Store::connect(&postgres.url(), secrets).await.expect("connects");
        let streams = Streams::connect(store.pool().clone()).await.expect("listens");
        let blobs: Blobs = Arc::new(LocalBlobs::open(&directory.path().join("blobs")).expect("opens"));
        let endpoint = serve_images(blobs.clone()).await;
        let engine = Docker::connect_with_unix("/var/run/docker.sock", 120, bollard::API_DEFAULT_VERSION)
            .expect("finds the engine")
            .negotiate_version()
            .await
            .expect("the engine answers");
        let organization = store.ensure_organization("tests").await.expect("makes it");
        let app = store.create_app(&name.parse().expect("is a name"), &organization).await.expect("makes it");
        let installation = format!("test-{}", uuid(&app));
        let options = BuildKitOptions {
            installation: installation.clone(),
            image_endpoint: endpoint.to_string(),
            init_binary: init_binary.to_owned(),
            stack_dir: stack_dir.to_owned(),
        };
        let kit = BuildKit::new(engine.clone(), blobs.clone(), store.clone(), options);
        let config = ConfigVars::new();
        let settings = Settings::default();
        Self {
            engine,
            blobs,
            store,
            streams,
            kit,
            endpoint,
            installation,
            settings,
            app,
            config,
            _postgres: Server(directory.path().join("pg")),
            _directory: directory,
        }
    }

    /// Stores `source` (an uncompressed tar) as that of a new deployment.
    pub(crate) async fn push(&self, source: &[u8]) -> Deployment {
        let id = DeploymentId::new();
        let compressed = zstd::encode_all(source, 1).expect("compresses");
        self.blobs.put_bytes(&BlobKey::source(id), &compressed).await.expect("stores");
        let new = NewDeployment {
            id,
            application_id: self.app.id,
            trigger: Trigger::Push,
            git_branch: Some("main".to_owned()),
            git_commit: Some("0123456789012345678901234567890123456789".to_owned()),
            git_message: None,
            git_author: None,
            no_cache: false,
            description: "Deploy 0123456".to_owned(),
            parent_id: None,
            created_by: None,
        };
        self.store.create_deployment(&new).await.expect("is written");
        self.store.deployment(id).await.expect("is read")
    }

    /// Builds and packs a source.
    pub(crate) async fn build(&self, source: &[u8]) -> Outcome {
        self.build_until(source, &CancellationToken::new()).await
    }

    /// Builds and packs a source, unless `cancel` is cancelled first.
    pub(crate) async fn build_until(&self, source: &[u8], cancel: &CancellationToken) -> Outcome {
        let deployment = self.push(source).await;
        self.build_deployment(deployment, cancel).await
    }

    /// Builds and packs a deployment whose source is stored.
    pub(crate) async fn build_deployment(&self, deployment: Deployment, cancel: &CancellationToken) -> Outcome {
        let log = self.streams.writer(deployment.id.into()).await.expect("opens");
        let request = BuildRequest {
            app: &self.app,
            deployment: &deployment,
            settings: &self.settings,
            config: &self.config,
            log: &log,
            cancel,
        };
        let started = std::time::Instant::now();
        let result = match self.kit.build(&request).await {
            Ok(built) => {
                let packing = std::time::Instant::now();
                let artifact = self.kit.package(&request, built).await;
                println!("build {:?}, package {:?}", packing - started, packing.elapsed());
                artifact
            }
            Err(error) => Err(error),
        };
        log.close(result.is_ok()).await.expect("closes");
        let mut follower = self.streams.follow(deployment.id.into(), 0);
        let mut log = Vec::new();
        while let Some(item) = follower.next().await.expect("reads") {
            if let StreamItem::Chunk(_, bytes) = item {
                log.extend_from_slice(&bytes);
            }
        }
        Outcome { result, log: String::from_utf8_lossy(&log).into_owned(), deployment }
    }

    /// The files of a stored slug: path, and content or link target.
    pub(crate) async fn slug(&self, digest: Sha256Digest) -> HashMap<PathBuf, Vec<u8>> {
        let (mut reader, _) = self.blobs.get(&BlobKey::slug(digest)).await.expect("is stored");
        let mut compressed = Vec::new();
        reader.read_to_end(&mut compressed).await.expect("reads");
        let raw = zstd::decode_all(&compressed[..]).expect("decompresses");
        assert_eq!(Sha256Digest::of(&raw), digest);
        let mut files = HashMap::new();
        for entry in tar::Archive::new(&raw[..]).entries().expect("is a tar") {
            let mut entry = entry.expect("is a tar");
            let mut content = Vec::new();
            std::io::Read::read_to_end(&mut entry, &mut content).expect("reads");
            if let Some(link) = entry.link_name_bytes() {
                content = link.into_owned();
            }
            files.insert(entry.path().expect("path").into_owned(), content);
        }
        files
    }

    /// Names of the containers that this world's installation has in the engine.
    pub(crate) async fn containers(&self) -> Vec<String> {
        self.kit.settle().await;
        let options = ListContainersOptionsBuilder::new().all(true).filters(&self.ours()).build();
        let found = self.engine.list_containers(Some(options)).await.expect("lists");
        found.into_iter().flat_map(|container| container.names.unwrap_or_default()).collect()
    }

    /// Names of the volumes that this world's installation has in the engine.
    pub(crate) async fn volumes(&self) -> Vec<String> {
        let options = ListVolumesOptionsBuilder::new().filters(&self.ours()).build();
        let found = self.engine.list_volumes(Some(options)).await.expect("lists");
        found.volumes.unwrap_or_default().into_iter().map(|volume| volume.name).collect()
    }

    /// Removes a volume as somebody else would.
    pub(crate) async fn remove_volume(&self, name: &str) {
        self.kit.settle().await;
        self.engine.remove_volume(name, None::<RemoveVolumeOptions>).await.expect("removes");
    }

    /// Leaves a container as a worker that died in mid-build would.
    pub(crate) async fn leave_container(&self) {
        let labels = [("skypanel.installation", self.installation.as_str()), ("skypanel.role", "build")];
        let body = ContainerCreateBody {
            image: Some(self.stack_reference()),
            cmd: Some(vec!["/build".to_owned()]),
            labels: Some(labels.map(|(key, value)| (key.to_owned(), value.to_owned())).into()),
            ..Default::default()
        };
        self.engine.create_container(None::<CreateContainerOptions>, body).await.expect("is made");
    }

    /// What the engine knows the stack image by.
    pub(crate) fn stack_reference(&self) -> String {
        format!("{}/stacks/{}@{}", self.endpoint, self.app.stack, self.kit.images_in_use()[0])
    }

    /// How many images builds of Dockerfiles have left in the engine.
    pub(crate) async fn built_images(&self) -> usize {
        let images = self.engine.list_images(None::<ListImagesOptions>).await.expect("lists");
        let app = self.app.id.to_string();
        images.iter().flat_map(|image| &image.repo_tags).filter(|tag| tag.contains(&app)).count()
    }

    fn ours(&self) -> HashMap<String, Vec<String>> {
        HashMap::from([("label".to_owned(), vec![format!("skypanel.installation={}", self.installation)])])
    }

    /// Removes what is left in the engine.
    pub(crate) async fn tear_down(self) {
        self.kit.settle().await;
        let bundle = format!("skypanel-build/{}/", self.installation.replace('-', ""));
        let ours = [self.endpoint.to_string(), format!("skypanel/stack:test-{}", self.app.slug), bundle];
        for image in self.engine.list_images(None::<ListImagesOptions>).await.expect("lists") {
            for reference in image.repo_digests.iter().chain(&image.repo_tags) {
                if ours.iter().any(|ours| reference.starts_with(ours)) {
                    let options = RemoveImageOptionsBuilder::new().force(true).build();
                    self.engine.remove_image(reference, Some(options), None).await.ok();
                }
            }
        }
        for volume in self.volumes().await {
            self.engine.remove_volume(&volume, None::<RemoveVolumeOptions>).await.ok();
        }
    }
}

fn uuid(app: &Application) -> String {
    app.id.to_string()
}

/// Serves manifests and raw layers out of the blob store, as the platform's own image endpoint does.
async fn serve_images(blobs: Blobs) -> SocketAddr {
    let router = axum::Router::new()
        .route("/v2/", get(|| async { "{}" }))
        .route("/v2/{*rest}", get(image_part))
        .with_state(blobs);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("binds");
    let address = listener.local_addr().expect("is bound");
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}

async fn image_part(State(blobs): State<Blobs>, UrlPath(rest): UrlPath<String>) -> Response {
    let Some(digest) = rest.rsplit('/').next().and_then(|text| text.parse::<Sha256Digest>().ok()) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    if let Ok((mut reader, _)) = blobs.get(&BlobKey::image(digest)).await {
        let mut json = Vec::new();
        reader.read_to_end(&mut json).await.expect("reads");
        let kind = "application/vnd.oci.image.manifest.v1+json";
        return (
            [
                (header::CONTENT_TYPE, kind),
                (header::HeaderName::from_static("docker-content-digest"), &*digest.to_string()),
            ],
            json,
        )
            .into_response();
    }
    for key in [BlobKey::layer(digest), BlobKey::slug(digest)] {
        if let Ok((reader, _)) = blobs.get(&key).await {
            let source = tokio_util::io::SyncIoBridge::new(reader);
            let (sender, receiver) = tokio::sync::mpsc::channel(4);
            tokio::task::spawn_blocking(move || {
                let mut decoder = zstd::Decoder::new(source).expect("is zstd");
                loop {
                    let mut chunk = vec![0; 1 << 18];
                    let length = std::io::Read::read(&mut decoder, &mut chunk).expect("decompresses");
                    chunk.truncate(length);
                    if length == 0 || sender.blocking_send(Ok::<_, std::io::Error>(chunk)).is_err() {
                        return;
                    }
                }
            });
            let mut receiver = receiver;
            let stream = futures_util::stream::poll_fn(move |context| receiver.poll_recv(context));
            return axum::body::Body::from_stream(stream).into_response();
        }
    }
    StatusCode::NOT_FOUND.into_response()
}

/// An uncompressed tar of text files, owned as the receiver writes them.
pub(crate) fn source(files: &[(&str, &str)]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (path, content) in files {
        let mut header = tar::Header::new_gnu();
        header.set_mode(if content.starts_with("#!") { 0o755 } else { 0o644 });
        header.set_uid(10_001);
        header.set_gid(10_001);
        header.set_mtime(1_700_000_000);
        header.set_size(content.len() as u64);
        builder.append_data(&mut header, path, content.as_bytes()).expect("writes to memory");
    }
    builder.into_inner().expect("writes to memory")
}
