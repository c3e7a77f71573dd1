//! Start-up and shutdown: brings the roles up in the order they need each other, says when all is ready, and
//! stops them in the other order.

use std::num::NonZeroU32;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bollard::Docker;
use skypanel_api::{Api, ApiOptions};
use skypanel_buildkit::{BuildKit, BuildKitOptions};
use skypanel_core::actions::Actions;
use skypanel_core::alerts::rules::Outside;
use skypanel_core::blob::{Blobs, ConfiguredBlobs};
use skypanel_core::clock::Clock;
use skypanel_core::embedded_postgres::EmbeddedPostgres;
use skypanel_core::jobs::Jobs;
use skypanel_core::model::AddressFormat;
use skypanel_core::network::{Guard, HttpClient, Networks};
use skypanel_core::repository::GitClient;
use skypanel_core::store::Store;
use skypanel_core::stream::Streams;
use skypanel_core::{Error, Result};
use skypanel_deployer::{AcmeOptions, Agent, Deployer, DeployerOptions, EdgeOptions, SwarmConsole};
use skypanel_observer::logs::collect::{LogCollector, LogCollectorOptions};
use skypanel_observer::logs::{ConfiguredLogs, Drains, EmbeddedLogs, LogLimits, LogStoreOptions, Shipper, keep_logs};
use skypanel_observer::metrics::{ConfiguredMeasurements, EmbeddedMeasurements, Sampler, SamplerOptions, Writer};
use skypanel_receiver::{Receiver, ReceiverOptions};
use skypanel_worker::{Parts, Worker};
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::config::Config;
use crate::roles::Role;
use crate::setup;

/// Directory of the logs, in the data directory.
const LOGS: &str = "logs";
/// Directory of the measurements, in the data directory.
const METRICS: &str = "metrics";
/// Longest one call of the engine may take, pulls and builds apart, which stream.
const ENGINE_TIMEOUT_SECONDS: u64 = 120;
/// How often it is looked whether the followers of live streams may still see them.
const RECHECK: Duration = Duration::from_secs(20);
/// Longest a graceful stop may take.
const STOP_LIMIT: Duration = Duration::from_secs(30);
/// Longest the connections to the database may take to close.
const CLOSE_LIMIT: Duration = Duration::from_secs(10);
/// Longest the containers of builds and one-off processes may take to go after that.
const SETTLE_LIMIT: Duration = Duration::from_secs(10);

/// `skypanel up`: everything on this machine.
pub(crate) async fn up(config: Config) -> Result<()> {
    start_logging(&config);
    setup::data_directory(&config)?;
    // An admin command holds the same lock while nothing else runs; it is waited for and not taken for a second us.
    let turn = setup::turn(&config).await?;
    let _lock = setup::lock(&config)?;
    drop(turn);
    say("Starting the database");
    let (store, postgres) = setup::open_store(&config).await?;
    let password = setup::first_admin(&config, &store).await?;
    let outcome =
        serve(&config, &store, &Role::ALL, postgres.is_some(), || announce(&config, password.as_deref())).await;
    stop_database(store, postgres).await;
    outcome
}

/// `skypanel serve ROLE…`: some roles, with a database that others share.
pub(crate) async fn serve_roles(config: Config, roles: Vec<Role>) -> Result<()> {
    start_logging(&config);
    setup::data_directory(&config)?;
    if config.database_url.is_empty() {
        return Err(Error::Invalid(
            "Roles that run apart meet in one database. Set SKYPANEL_DATABASE_URL, or use `skypanel up`.".to_owned(),
        ));
    }
    let _locks = setup::lock_roles(&config, &roles)?;
    let (store, postgres) = setup::open_store(&config).await?;
    setup::first_admin(&config, &store).await?;
    let outcome = serve(&config, &store, &roles, false, || say("Ready")).await;
    stop_database(store, postgres).await;
    outcome
}

async fn stop_database(store: Store, postgres: Option<EmbeddedPostgres>) {
    // A query that hangs on a lost connection must not keep us from ending.
    if tokio::time::timeout(CLOSE_LIMIT, store.pool().close()).await.is_err() {
        tracing::warn!("some connections to the database did not close in time");
    }
    if let Some(postgres) = postgres
        && let Err(error) = postgres.stop().await
    {
        tracing::warn!(%error, "the private database did not stop");
    }
}

/// Runs `roles` until a signal asks to stop or one of them fails.
async fn serve(config: &Config, store: &Store, roles: &[Role], only_worker: bool, ready: impl FnOnce()) -> Result<()> {
    let has = |role| roles.contains(&role);
    let configured = Arc::new(ConfiguredBlobs::open(&config.data_dir.join("blobs"), &store.settings().await?).await?);
    let blobs: Blobs = configured.clone();
    let jobs = Jobs::connect(store.pool().clone()).await?;
    let streams = Streams::connect(store.pool().clone()).await?;
    let engine = connect_engine(&config.docker_socket).await?;
    let installation = setup::installation(config)?;
    let addresses = AddressFormat { http_port: config.edge_http_port };
    let stop = CancellationToken::new();
    let mut running = JoinSet::new();
    running.spawn({
        let (store, stop) = (store.clone(), stop.clone());
        async move {
            configured.follow(&store, &stop).await;
            Ok(())
        }
    });
    running.spawn({
        let (store, stop) = (store.clone(), stop.clone());
        async move {
            store.follow_settings(&stop).await;
            Ok(())
        }
    });

    let logs = open_logs(config, store, has(Role::Agent)).await?;
    let deployer = Deployer::new(engine.clone(), deployer_options(config, &installation));
    let git = GitClient::default();
    let actions = Actions {
        store: store.clone(),
        streams: streams.clone(),
        jobs: jobs.clone(),
        blobs: blobs.clone(),
        console: Arc::new(SwarmConsole::new(deployer.clone(), store.clone())),
        logs: Arc::new(ConfiguredLogs::new(store.clone(), logs.clone(), Clock::system())),
        measurements: Arc::new(ConfiguredMeasurements::new(
            store.clone(),
            EmbeddedMeasurements::new(&config.data_dir.join(METRICS), Clock::system()),
        )),
        git: git.clone(),
        clock: Clock::system(),
    };
    if has(Role::Api) {
        let options = ApiOptions {
            listen: config.api_listen,
            image_listen: config.image_listen,
            ssh_host: config.host.clone(),
            ssh_port: config.ssh_listen.port(),
            public_url: config.public_url(),
            addresses,
            requests_per_minute: NonZeroU32::new(config.requests_per_minute),
            trusted_proxies: config.trusted_proxies()?,
            recheck: RECHECK,
        };
        let api = Api::bind(actions.clone(), options).await?;
        running.spawn(api.run(stop.clone()));
    }
    let buildkit = BuildKit::new(
        engine.clone(),
        blobs.clone(),
        store.clone(),
        BuildKitOptions {
            installation: installation.clone(),
            image_endpoint: config.image_listen.to_string(),
            init_binary: config.init_binary.clone(),
            stack_dir: config.stack_dir.clone(),
        },
    );
    let settling = deployer.clone();
    if has(Role::Agent) {
        say("Preparing Swarm, firewall and edge");
        deployer.prepare_host().await.map_err(as_system)?;
    }
    if has(Role::Worker) {
        say("Preparing the stack");
        buildkit.prepare_stack(say).await.map_err(as_system)?;
        if only_worker {
            deployer.remove_leftovers(store).await.map_err(as_system)?;
            buildkit.remove_leftovers().await.map_err(as_system)?;
            jobs.release_dead_workers().await?;
        }
        let worker = Worker::new(Parts {
            store: store.clone(),
            blobs: blobs.clone(),
            jobs: jobs.clone(),
            streams: streams.clone(),
            git: git.clone(),
            buildkit: buildkit.clone(),
            deployer: deployer.clone(),
            outside: Outside {
                console: actions.console.clone(),
                measurements: actions.measurements.clone(),
                host: rustix::system::uname().nodename().to_string_lossy().into_owned(),
            },
            concurrency: config.concurrency,
            addresses,
        });
        if only_worker {
            worker.recover().await?;
        }
        running.spawn(worker.run(stop.clone()));
    }
    if has(Role::Agent) {
        let writer = Writer::open(&config.data_dir.join(METRICS))?;
        let options = SamplerOptions {
            installation: installation.clone(),
            disk: config.data_dir.clone(),
            edge: deployer.edge_metrics(),
            listen: Some(config.metrics_listen).filter(|address| address.port() != 0),
        };
        let apps = Arc::new(store.clone());
        let sampler = Sampler::new(engine.clone(), writer, apps, Clock::system(), options);
        let (agent, sampling) = (Agent::new(deployer.clone(), store.clone()), stop.clone());
        running.spawn(async move {
            sampler.run(sampling).await;
            Ok(())
        });
        let node = node_name(&engine).await?;
        let shipper = Shipper::new(logs.clone(), store.clone(), Clock::system(), node.clone());
        let client = HttpClient::new(Guard::new(git.resolver(), Networks::default()));
        let drains = Drains::new(logs.clone(), store.clone(), Clock::system(), node, client);
        running.spawn(collect_logs(config, engine.clone(), store.clone(), installation, logs, stop.clone()));
        let handing_on = stop.clone();
        running.spawn(async move {
            tokio::join!(shipper.run(handing_on.clone()), drains.run(handing_on));
            Ok(())
        });
        let stop = stop.clone();
        running.spawn(async move {
            agent.run(stop).await;
            Ok(())
        });
    }
    if has(Role::Receiver) {
        let options = ReceiverOptions {
            listen: config.ssh_listen,
            data_dir: config.data_dir.clone(),
            hook_binary: config.hook_binary.clone(),
            public_host: config.host.clone(),
            public_url: config.public_url(),
            addresses,
        };
        let receiver = Receiver::bind(actions.clone(), options).await?;
        running.spawn(receiver.run(stop.clone()));
    }
    ready();
    let outcome = wait(running, &stop).await;
    let settled = async { tokio::join!(buildkit.settle(), settling.settle()) };
    if tokio::time::timeout(SETTLE_LIMIT, settled).await.is_err() {
        tracing::warn!("some containers of builds or one-off processes are left; the next start removes them");
    }
    outcome
}

/// Collects this node's logs into the store, and keeps that in order, until `stop`.
fn collect_logs(
    config: &Config,
    engine: Docker,
    store: Store,
    installation: String,
    logs: EmbeddedLogs,
    stop: CancellationToken,
) -> impl Future<Output = Result<()>> + use<> {
    let options = LogCollectorOptions { installation, data_dir: config.data_dir.clone() };
    let collector = LogCollector::new(engine, store.clone(), Arc::new(logs.clone()), Clock::system(), options);
    async move {
        let keep = CancellationToken::new();
        let collect = async {
            collector.run(stop).await;
            // What was collected last is kept, too.
            keep.cancel();
        };
        tokio::join!(collect, keep_logs(logs, store, keep.clone()));
        Ok(())
    }
}

/// Waits for a signal or a failure, then stops everything in bounded time.
async fn wait(mut running: JoinSet<Result<()>>, stop: &CancellationToken) -> Result<()> {
    let failed = |error| Error::System(format!("Signals cannot be received: {error}."));
    let mut interrupt = signal(SignalKind::interrupt()).map_err(failed)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(failed)?;
    let first = tokio::select! {
        _ = interrupt.recv() => Ok(()),
        _ = terminate.recv() => Ok(()),
        ended = running.join_next() => match ended {
            Some(Ok(Err(error))) => Err(error),
            Some(Err(error)) => Err(Error::System(format!("A part of Skypanel broke down: {error}."))),
            Some(Ok(Ok(()))) | None => Err(Error::System("A part of Skypanel stopped by itself.".to_owned())),
        },
    };
    say("Stopping");
    stop.cancel();
    let drained = tokio::time::timeout(STOP_LIMIT, async { while running.join_next().await.is_some() {} }).await;
    if drained.is_err() {
        tracing::warn!("not everything stopped in time; what was running is carried on at the next start");
    }
    first
}

pub(crate) async fn connect_engine(socket: &Path) -> Result<Docker> {
    let unreachable = |reason: String| {
        Error::System(format!(
            "The Docker engine does not answer at {}: {reason}. Install it (on Debian: apt-get install docker.io), start \
             it, and let this user use it; or set SKYPANEL_DOCKER_SOCKET.",
            socket.display()
        ))
    };
    let engine =
        Docker::connect_with_unix(&socket.to_string_lossy(), ENGINE_TIMEOUT_SECONDS, bollard::API_DEFAULT_VERSION)
            .map_err(|error| unreachable(error.to_string()))?;
    // Also asks which version of its API the engine speaks: Debian's is older than the client's default.
    tokio::time::timeout(Duration::from_secs(10), engine.negotiate_version())
        .await
        .map_err(|_| unreachable("no answer within 10 s".to_owned()))?
        .map_err(|error| unreachable(error.to_string()))
}

/// The name of this node, as metrics and logs are labelled with.
async fn node_name(engine: &Docker) -> Result<String> {
    let silent = |reason: &str| Error::System(format!("The Docker engine does not tell its name: {reason}."));
    let told = tokio::time::timeout(Duration::from_secs(10), engine.info()).await;
    let info = told.map_err(|_| silent("no answer within 10 s"))?.map_err(|error| silent(&error.to_string()))?;
    info.name.ok_or_else(|| silent("it has none"))
}

/// The agent writes them; other roles read what the agent of this machine wrote.
async fn open_logs(config: &Config, store: &Store, is_agent: bool) -> Result<EmbeddedLogs> {
    let directory = config.data_dir.join(LOGS);
    if !is_agent {
        return Ok(EmbeddedLogs::reader(&directory));
    }
    let limits = LogLimits::of(&store.settings().await?);
    EmbeddedLogs::open(&directory, LogStoreOptions { clock: Clock::system(), limits })
}

fn deployer_options(config: &Config, installation: &str) -> DeployerOptions {
    DeployerOptions {
        installation: installation.to_owned(),
        image_endpoint: config.image_listen.to_string(),
        data_dir: config.data_dir.clone(),
        edge: EdgeOptions {
            http_port: config.edge_http_port,
            https_port: config.edge_https_port,
            metrics_port: config.edge_metrics_port,
            image: config.edge_image.clone(),
            archive: Some(config.edge_dir.clone()),
            pages: config.api_listen.to_string(),
            acme: acme(config),
        },
    }
}

fn acme(config: &Config) -> Option<AcmeOptions> {
    let directory = config.acme_directory.trim();
    (!directory.is_empty() && directory != "none").then(|| AcmeOptions {
        directory: directory.to_owned(),
        email: config.acme_email.clone(),
        ca_bundle: (!config.acme_ca_bundle.as_os_str().is_empty()).then(|| config.acme_ca_bundle.clone()),
    })
}

fn as_system(error: impl std::error::Error) -> Error {
    Error::System(error.to_string())
}

fn start_logging(config: &Config) {
    use tracing_subscriber::EnvFilter;
    // The queue tells every job it adds and does, and its tables' every step; the worker tells what matters of that.
    let quiet =
        "graphile_worker=warn,graphile_worker_migrations=warn,graphile_worker_queries=warn,sqlx::postgres::notice=warn";
    let directives = format!("{quiet},{}", config.log);
    let filter = EnvFilter::try_new(&directives).unwrap_or_else(|_| EnvFilter::new(format!("{quiet},info")));
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    if config.log_json { builder.json().init() } else { builder.init() }
}

/// Progress of the start-up, for whoever watches it.
fn say(text: &str) {
    println!("-----> {text}");
}

fn announce(config: &Config, password: Option<&Path>) {
    if let Some(path) = password {
        println!("       First admin: {}, password in {}", config.admin_email, path.display());
    }
    println!(
        "-----> Skypanel is ready: push to ssh://git@{}:{}/APP.git, dashboard http://{}",
        config.host,
        config.ssh_listen.port(),
        config.api_listen
    );
}
