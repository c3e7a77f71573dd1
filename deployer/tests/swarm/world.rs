//! One installation for one test: store, deployer, agent, edge and image, and apps that are destroyed at its end.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Command;

use std::time::{Duration, Instant};

use bollard::Docker;
use bollard::query_parameters::{ListContainersOptionsBuilder, RemoveContainerOptionsBuilder, RemoveImageOptions};
use skypanel_core::model::{
    AppStatus, Application, Artifact, DeploymentId, Formation, NewDeployment, ProcessType, ReleaseVersion,
    Sha256Digest, Trigger,
};
use skypanel_core::settings::Settings;
use skypanel_core::store::ConfigVars;
use skypanel_core::stream::{StreamItem, Streams};
use skypanel_deployer::{
    AcmeOptions, Agent, DeployError, Deployer, DeployerOptions, EdgeOptions, Release, SwarmConsole,
};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use zeroize::Zeroizing;

use crate::image::Image;
use crate::ports::free_port;
use crate::support::Database;
use crate::{load, registry};

pub(crate) struct World {
    pub(crate) engine: Docker,
    pub(crate) installation: Installation,
    pub(crate) database: Database,
    pub(crate) streams: Streams,
    pub(crate) deployer: Deployer,
    pub(crate) settings: Settings,
    pub(crate) edge: SocketAddr,
    pub(crate) image: Sha256Digest,
    apps: Vec<Application>,
    agent: JoinHandle<()>,
    cancel: CancellationToken,
    directory: tempfile::TempDir,
    image_endpoint: SocketAddr,
    options: DeployerOptions,
}

/// The installation's id; what is left of it goes with this.
pub(crate) struct Installation(String);

impl World {
    pub(crate) async fn new() -> Self {
        Self::with_ports(None, free_port(), free_port()).await
    }

    /// With an edge that gets certificates, on ports that the authority was told.
    pub(crate) async fn with_ports(acme: Option<AcmeOptions>, http_port: u16, https_port: u16) -> Self {
        let engine =
            Docker::connect_with_unix("/var/run/docker.sock", 120, bollard::API_DEFAULT_VERSION).expect("an engine");
        let engine = engine.negotiate_version().await.expect("the engine answers");
        let database = Database::new().await;
        let streams = Streams::connect(database.pool().clone()).await.expect("connects");
        let image = Image::build();
        let digest = Sha256Digest::of(&image.manifest);
        let image_endpoint = registry::serve(image).await;
        let pages = serve_pages().await;
        let directory = tempfile::tempdir().expect("makes a directory");
        let installation = uuid::Uuid::new_v4().simple().to_string();
        let options = DeployerOptions {
            installation: installation.clone(),
            image_endpoint: image_endpoint.to_string(),
            data_dir: directory.path().to_owned(),
            edge: EdgeOptions {
                http_port,
                https_port,
                metrics_port: free_port(),
                image: String::new(),
                archive: Some(edge_archive()),
                pages: pages.to_string(),
                acme,
            },
        };
        let deployer = Deployer::new(engine.clone(), options.clone());
        deployer.prepare_host().await.expect("prepares the host");
        let cancel = CancellationToken::new();
        let agent = tokio::spawn(Agent::new(deployer.clone(), database.store().clone()).run(cancel.clone()));
        Self {
            engine,
            installation: Installation(installation),
            database,
            streams,
            deployer,
            settings: Settings { health_start_seconds: 20, rollout_drain_ms: 2_000, ..Settings::default() },
            edge: SocketAddr::from(([127, 0, 0, 1], http_port)),
            image: digest,
            apps: Vec::new(),
            agent,
            cancel,
            directory,
            image_endpoint,
            options,
        }
    }

    /// Another deployer of this installation, which reaches the engine at the socket `path`.
    pub(crate) fn deployer_at(&self, path: &Path) -> Deployer {
        let path = path.to_str().expect("is text");
        let engine = Docker::connect_with_unix(path, 120, bollard::API_DEFAULT_VERSION).expect("a socket");
        Deployer::new(engine, self.options.clone())
    }

    /// Keeps the routes as they are until the agent this answers is given to [`World::resume`]. Rollouts wait for it.
    pub(crate) async fn pause(&mut self) -> Agent {
        self.cancel.cancel();
        (&mut self.agent).await.expect("ends");
        Agent::new(self.deployer.clone(), self.database.store().clone())
    }

    pub(crate) fn resume(&mut self, agent: Agent) {
        self.cancel = CancellationToken::new();
        self.agent = tokio::spawn(agent.run(self.cancel.clone()));
    }

    pub(crate) fn console(&self) -> SwarmConsole {
        SwarmConsole::new(self.deployer.clone(), self.database.store().clone())
    }

    /// The console of a process whose data is in `directory`, as on another host.
    pub(crate) fn console_of(&self, directory: &Path) -> SwarmConsole {
        let options = DeployerOptions { data_dir: directory.to_owned(), ..self.options.clone() };
        SwarmConsole::new(Deployer::new(self.engine.clone(), options), self.database.store().clone())
    }

    /// A new app on the smallest plan.
    pub(crate) async fn app(&mut self) -> Application {
        let unique = uuid::Uuid::new_v4().simple().to_string();
        let slug = format!("t{}", &unique[..10]).parse().expect("a slug");
        let store = self.database.store();
        let organization = store.ensure_organization("tests").await.expect("makes one");
        let app = store.create_app(&slug, &organization).await.expect("makes an app");
        self.apps.push(app.clone());
        app
    }

    pub(crate) fn host(&self, app: &Application) -> String {
        format!("{}.{}", app.subdomain, self.settings.apps_default_domain)
    }

    /// Asks for the app through the edge.
    pub(crate) async fn get(&self, app: &Application) -> (u16, String) {
        load::get(self.edge, &self.host(app)).await.expect("the edge answers")
    }

    /// Asks again and again until the answer is right.
    pub(crate) async fn until(&self, app: &Application, right: impl Fn(u16, &str) -> bool) -> (u16, String) {
        let begun = Instant::now();
        loop {
            let (status, body) = self.get(app).await;
            if right(status, &body) {
                return (status, body);
            }
            assert!(begun.elapsed() < Duration::from_secs(15), "still {status} {body}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// How often the edge has read its routes since it runs.
    pub(crate) async fn reloads(&self) -> u32 {
        let address = (Ipv4Addr::LOCALHOST, self.options.edge.metrics_port);
        let mut stream = TcpStream::connect(address).await.expect("listens");
        stream.write_all(b"GET /metrics HTTP/1.0\r\n\r\n").await.expect("is asked");
        let mut text = String::new();
        stream.read_to_string(&mut text).await.expect("answers");
        let count = text.lines().find_map(|line| line.strip_prefix("traefik_config_reloads_total "));
        count.and_then(|count| count.parse().ok()).expect("is counted")
    }

    /// Records a deployment, as the worker does before a rollout.
    pub(crate) async fn deployment(&self, app: &Application, processes: &[(&str, &str)]) -> Prepared {
        let store = self.database.store();
        let id = DeploymentId::new();
        let artifact = Artifact {
            image: self.image,
            slug: None,
            bytes: 1,
            buildpack: "none".to_owned(),
            processes: processes.iter().map(|(name, command)| (process(name), (*command).to_owned())).collect(),
        };
        let new = NewDeployment {
            id,
            application_id: app.id,
            trigger: Trigger::Push,
            git_branch: None,
            git_commit: None,
            git_message: None,
            git_author: None,
            no_cache: false,
            description: "Deploy".to_owned(),
            parent_id: None,
            created_by: None,
        };
        store.create_deployment(&new).await.expect("is created");
        store.set_artifact(id, &artifact).await.expect("is stored");
        let (config_version, _) = store.config_vars(app.id).await.expect("is read");
        let version = store.assign_version(id, config_version).await.expect("is assigned");
        Prepared { id, version, artifact, cancel: CancellationToken::new() }
    }

    /// Rolls a prepared deployment out as `formation`, and makes it the current one when that went well.
    pub(crate) async fn roll(
        &self,
        app: &Application,
        prepared: &Prepared,
        formation: &[(&str, u32)],
    ) -> Result<(), DeployError> {
        let store = self.database.store();
        let app = store.app(app.id).await.expect("is there");
        self.with_release(&app, prepared, formation, async |release| self.deployer.rollout(&release).await).await?;
        store.set_current_deployment(app.id, prepared.id).await.expect("is set");
        store.set_app_status(app.id, AppStatus::Running).await.expect("is set");
        Ok(())
    }

    /// Records and rolls out.
    pub(crate) async fn release(
        &self,
        app: &Application,
        processes: &[(&str, &str)],
        formation: &[(&str, u32)],
    ) -> Result<Prepared, DeployError> {
        let prepared = self.deployment(app, processes).await;
        self.roll(app, &prepared, formation).await.map(|()| prepared)
    }

    pub(crate) async fn with_release<T>(
        &self,
        app: &Application,
        prepared: &Prepared,
        formation: &[(&str, u32)],
        work: impl AsyncFnOnce(Release<'_>) -> T,
    ) -> T {
        let store = self.database.store();
        let plan = store.plan(app.plan_id).await.expect("is there");
        let (config_version, config) = store.config_vars(app.id).await.expect("is read");
        let formation: Formation = formation.iter().map(|(name, count)| (process(name), *count)).collect();
        let log = self.streams.writer(prepared.id.into()).await.expect("opens");
        work(Release {
            app,
            plan: &plan,
            deployment: prepared.id,
            version: prepared.version,
            artifact: &prepared.artifact,
            formation: &formation,
            config: &config,
            config_version,
            settings: &self.settings,
            log: &log,
            cancel: &prepared.cancel,
        })
        .await
    }

    /// Sets config vars.
    pub(crate) async fn configure(&self, app: &Application, vars: &[(&str, &str)]) {
        let vars: BTreeMap<_, _> = vars
            .iter()
            .map(|(key, value)| (key.parse().expect("a key"), Zeroizing::new(value.as_bytes().to_vec())))
            .collect();
        let vars: ConfigVars = vars;
        self.database.store().change_config(app, &vars, &[]).await.expect("is stored");
    }

    /// What the log of a deployment holds so far, after ending it.
    pub(crate) async fn log_of(&self, prepared: &Prepared) -> String {
        let writer = self.streams.writer(prepared.id.into()).await.expect("opens");
        writer.close(true).await.expect("closes");
        let mut follower = self.streams.follow(prepared.id.into(), 0);
        let mut text = Vec::new();
        while let Some(item) = follower.next().await.expect("reads") {
            if let StreamItem::Chunk(_, bytes) = item {
                text.extend_from_slice(&bytes);
            }
        }
        String::from_utf8(text).expect("is text")
    }

    /// Ids of this installation's containers with these labels.
    pub(crate) async fn containers(&self, labels: &[(&str, &str)]) -> Vec<String> {
        let mut wanted = vec![format!("skypanel.installation={}", self.installation.0)];
        wanted.extend(labels.iter().map(|(key, value)| format!("{key}={value}")));
        let options = ListContainersOptionsBuilder::new().all(true).filters(&[("label", wanted)].into()).build();
        let found = self.engine.list_containers(Some(options)).await.expect("lists");
        found.into_iter().filter_map(|container| container.id).collect()
    }

    /// Removes everything this made, and checks that nothing is left.
    pub(crate) async fn close(mut self) {
        for app in &self.apps {
            let begun = Instant::now();
            self.deployer.destroy(&app.slug).await.expect("is destroyed");
            println!("destroyed in {:?}", begun.elapsed());
            let route = self.directory.path().join(format!("edge/dynamic/apps/{}.yml", app.slug));
            self.database.store().delete_app(app.id).await.expect("is deleted");
            let begun = Instant::now();
            while route.exists() && begun.elapsed() < Duration::from_secs(5) {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            assert!(!route.exists(), "the route of {} is gone", app.slug);
        }
        self.cancel.cancel();
        (&mut self.agent).await.expect("ends");
        let left = self.containers(&[("skypanel.role", "edge")]).await;
        for edge in &left {
            let options = RemoveContainerOptionsBuilder::new().force(true).build();
            self.engine.remove_container(edge, Some(options)).await.expect("is removed");
        }
        assert_eq!(self.containers(&[]).await, Vec::<String>::new(), "no container is left");
        for app in &self.apps {
            let reference = format!("{}/{}@{}", self.image_endpoint, app.slug, self.image);
            // Only apps that were released have one.
            let _ = self.engine.remove_image(&reference, None::<RemoveImageOptions>, None).await;
        }
        let Self { database, streams, deployer, installation, .. } = self;
        // It holds a connection of the database's pool.
        drop((streams, deployer, installation));
        database.close().await;
    }
}

impl Drop for Installation {
    /// What a test that failed leaves would disturb the next ones. Everything here is gone where it ended well.
    fn drop(&mut self) {
        let label = format!("label=skypanel.installation={}", self.0);
        let list = |arguments: &[&str]| {
            let output = Command::new("docker").args(arguments).args(["--quiet", "--filter", &label]).output();
            let output = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
            output.lines().map(str::to_owned).collect::<Vec<_>>()
        };
        let things: [(&[&str], &[&str]); 4] = [
            (&["service", "ls"], &["service", "rm"]),
            (&["ps", "--all"], &["rm", "--force"]),
            (&["secret", "ls"], &["secret", "rm"]),
            (&["network", "ls"], &["network", "rm"]),
        ];
        for (find, remove) in things {
            for thing in list(find) {
                let _ = Command::new("docker").args(remove).arg(thing).output();
            }
        }
    }
}

/// A deployment that is recorded and not rolled out.
pub(crate) struct Prepared {
    pub(crate) id: DeploymentId,
    pub(crate) version: ReleaseVersion,
    pub(crate) artifact: Artifact,
    pub(crate) cancel: CancellationToken,
}

pub(crate) fn process(name: &str) -> ProcessType {
    name.parse().expect("a process type")
}

fn edge_archive() -> PathBuf {
    std::env::var_os("SKYPANEL_EDGE_DIR").map_or_else(|| "/var/cache/skypanel/edge".into(), PathBuf::from)
}

/// Answers with the path that was asked for, as Skypanel's own pages would be.
async fn serve_pages() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
    let address = listener.local_addr().expect("is bound");
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut stream = BufReader::new(stream);
                let (mut first, mut line) = (String::new(), String::new());
                let _ = stream.read_line(&mut first).await;
                while stream.read_line(&mut line).await.is_ok_and(|read| read > 2) {
                    line.clear();
                }
                let path = first.split(' ').nth(1).unwrap_or_default();
                let answer = format!(
                    "HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{path}",
                    path.len()
                );
                let _ = stream.write_all(answer.as_bytes()).await;
            });
        }
    });
    address
}
