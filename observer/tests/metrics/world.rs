//! Containers with the labels of an app's replicas, and a sampler that measures them.

use std::collections::{BTreeSet, HashMap};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use bollard::Docker;
use bollard::models::{ContainerCreateBody, ContainerStatsResponse, HostConfig};
use bollard::query_parameters::{
    CreateContainerOptions, CreateImageOptionsBuilder, RemoveContainerOptionsBuilder, StartContainerOptions,
    StatsOptionsBuilder,
};
use futures_util::{StreamExt as _, TryStreamExt as _};
use skypanel_core::clock::Clock;
use skypanel_core::measurements::{Measurements as _, Series};
use skypanel_core::model::AppId;
use skypanel_observer::metrics::{Apps, EmbeddedMeasurements, Sampler, SamplerOptions, Writer};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::ports::free_port;

/// Longest anything may take that follows by itself: two measurements, and what a loaded machine adds.
pub(crate) const LIMIT: Duration = Duration::from_secs(60);
const TOOLS: [&str; 4] = ["bash", "cat", "head", "sleep"];

pub(crate) struct World {
    pub(crate) engine: Docker,
    pub(crate) app: AppId,
    pub(crate) directory: tempfile::TempDir,
    /// Where the sampler answers a Prometheus.
    pub(crate) listen: SocketAddr,
    left: Left,
    sampler: JoinHandle<()>,
    cancel: CancellationToken,
}

/// What a test leaves in the engine. It goes with this, however the test ends.
struct Left {
    installation: String,
    image: String,
}

impl Drop for Left {
    fn drop(&mut self) {
        let docker = |arguments: &[&str]| Command::new("docker").args(arguments).output().expect("docker runs").stdout;
        let label = format!("label=skypanel.installation={}", self.installation);
        let found = docker(&["ps", "--all", "--quiet", "--filter", &label]);
        for id in String::from_utf8_lossy(&found).lines() {
            docker(&["rm", "--force", "--volumes", id]);
        }
        docker(&["rmi", "--force", &self.image]);
    }
}

/// Apps of which the test says which there are.
struct Known(AppId);

#[async_trait]
impl Apps for Known {
    async fn gone(&self, apps: &[AppId]) -> skypanel_core::Result<Vec<AppId>> {
        Ok(apps.iter().copied().filter(|app| *app != self.0).collect())
    }

    async fn by_slug(&self) -> skypanel_core::Result<HashMap<String, AppId>> {
        Ok(HashMap::from([("shop".to_owned(), self.0)]))
    }
}

impl World {
    pub(crate) async fn new() -> Self {
        let engine =
            Docker::connect_with_unix("/var/run/docker.sock", 120, bollard::API_DEFAULT_VERSION).expect("an engine");
        let engine = engine.negotiate_version().await.expect("the engine answers");
        let id = uuid::Uuid::new_v4().simple().to_string();
        let left = Left { installation: format!("test{id}"), image: format!("skypanel-test/metrics:{id}") };
        import(&engine, &left.image).await;
        let directory = tempfile::tempdir().expect("makes a directory");
        let app = AppId::new();
        let listen = SocketAddr::from(([127, 0, 0, 1], free_port()));
        let options = SamplerOptions {
            installation: left.installation.clone(),
            disk: directory.path().to_owned(),
            edge: None,
            listen: Some(listen),
        };
        let writer = Writer::open(&directory.path().join("metrics")).expect("opens");
        let sampler = Sampler::new(engine.clone(), writer, Arc::new(Known(app)), Clock::system(), options);
        let cancel = CancellationToken::new();
        let sampler = tokio::spawn(sampler.run(cancel.clone()));
        Self { engine, app, directory, listen, left, sampler, cancel }
    }

    /// Starts a replica that runs this script with a fifth of a core; answers its container's id.
    pub(crate) async fn replica(&self, replica: &str, script: &str) -> String {
        let (process, number) = replica.split_once('.').expect("is one");
        let labels = [
            ("skypanel.installation", self.left.installation.clone()),
            ("skypanel.role", "task".to_owned()),
            ("skypanel.app", "shop".to_owned()),
            ("skypanel.app_id", self.app.to_string()),
            ("skypanel.process", process.to_owned()),
            ("com.docker.swarm.task.name", format!("skypanel-shop--{process}.{number}.x")),
            ("com.docker.swarm.service.name", format!("skypanel-shop--{process}")),
        ];
        let body = ContainerCreateBody {
            image: Some(self.left.image.clone()),
            entrypoint: Some(vec!["/bin/bash".to_owned(), "-c".to_owned(), script.to_owned()]),
            labels: Some(labels.map(|(key, value)| (key.to_owned(), value)).into()),
            host_config: Some(HostConfig {
                memory: Some(64 << 20),
                nano_cpus: Some(200_000_000),
                ..Default::default()
            }),
            ..Default::default()
        };
        let created = self.engine.create_container(None::<CreateContainerOptions>, body).await.expect("is made");
        self.engine.start_container(&created.id, None::<StartContainerOptions>).await.expect("starts");
        created.id
    }

    /// Removes a replica's container, as Swarm does in the end.
    pub(crate) async fn remove(&self, id: &str) {
        let options = RemoveContainerOptionsBuilder::new().force(true).build();
        self.engine.remove_container(id, Some(options)).await.expect("is removed");
    }

    /// What the engine itself says of a container.
    pub(crate) async fn statistics(&self, id: &str) -> ContainerStatsResponse {
        let options = StatsOptionsBuilder::new().stream(false).one_shot(true).build();
        self.engine.stats(id, Some(options)).next().await.expect("answers").expect("tells")
    }

    /// The series of the last hour, once `enough` finds what it waits for.
    pub(crate) async fn series(&self, enough: impl Fn(&[Series]) -> bool) -> Vec<Series> {
        let reader = EmbeddedMeasurements::new(&self.directory.path().join("metrics"), Clock::system());
        let began = Instant::now();
        loop {
            let now = chrono::Utc::now();
            let series = reader.of_app(self.app, now - chrono::TimeDelta::hours(1), now).await.expect("reads");
            if enough(&series) {
                return series;
            }
            assert!(began.elapsed() < LIMIT, "not enough was measured: {series:#?}");
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    /// What a Prometheus would be told: by name and replica.
    pub(crate) async fn exposed(&self) -> HashMap<(String, String), f64> {
        let text = get(self.listen, "/metrics").await;
        let label = |line: &str, name: &str| {
            let behind = line.split_once(&format!("{name}=\""))?.1;
            Some(behind.split_once('"')?.0.to_owned())
        };
        text.lines()
            .filter(|line| !line.starts_with('#'))
            .filter_map(|line| {
                let (name, _) = line.split_once('{')?;
                let replica = label(line, "process").zip(label(line, "replica"));
                let replica = replica.map_or_else(String::new, |(process, number)| format!("{process}.{number}"));
                Some(((name.to_owned(), replica), line.rsplit(' ').next()?.parse().ok()?))
            })
            .collect()
    }

    pub(crate) async fn close(self) {
        self.cancel.cancel();
        tokio::time::timeout(Duration::from_secs(15), self.sampler).await.expect("stops in time").expect("ends well");
    }
}

/// The body that a server answers.
pub(crate) async fn get(address: SocketAddr, path: &str) -> String {
    let exchange = async {
        let mut stream = TcpStream::connect(address).await.expect("listens");
        let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.expect("asks");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.expect("answers");
        answer
    };
    let answer = tokio::time::timeout(LIMIT, exchange).await.expect("answers in time");
    let (head, body) = answer.split_once("\r\n\r\n").expect("has a head");
    assert!(head.starts_with("HTTP/1.1 200"), "{answer}");
    body.to_owned()
}

/// Makes an image of a few of the host's programs and the libraries they need.
async fn import(engine: &Docker, image: &str) {
    let mut files: BTreeSet<PathBuf> = TOOLS.map(|tool| PathBuf::from("/bin").join(tool)).into();
    for tool in TOOLS {
        let output = Command::new("ldd").arg(format!("/bin/{tool}")).output().expect("ldd runs");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        files.extend(text.split_whitespace().filter(|word| word.starts_with('/')).map(PathBuf::from));
    }
    let mut archive = tar::Builder::new(Vec::new());
    for file in files {
        let bytes = std::fs::read(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        let mut header = tar::Header::new_ustar();
        header.set_mode(0o755);
        header.set_size(bytes.len() as u64);
        let path = file.to_string_lossy().trim_start_matches('/').to_owned();
        archive.append_data(&mut header, path, &bytes[..]).expect("packs");
    }
    let bytes = archive.into_inner().expect("packs");
    let (repository, tag) = image.split_once(':').expect("has a tag");
    let options = CreateImageOptionsBuilder::new().from_src("-").repo(repository).tag(tag).build();
    let body = bollard::body_full(bytes.into());
    let mut import = engine.create_image(Some(options), Some(body), None);
    while import.try_next().await.expect("is imported").is_some() {}
}
