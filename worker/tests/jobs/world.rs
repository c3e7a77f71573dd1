//! A store with its queue, and two workers over them, each with what a process of its own has in its memory.

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bollard::{API_DEFAULT_VERSION, Docker};
use skypanel_buildkit::{BuildKit, BuildKitOptions};
use skypanel_core::actions::{Actions, Actor};
use skypanel_core::alerts::rules::Outside;
use skypanel_core::blob::{Blobs, LocalBlobs};
use skypanel_core::clock::Clock;
use skypanel_core::jobs::Jobs;
use skypanel_core::measurements::NoMeasurements;
use skypanel_core::model::{
    AddressFormat, AppId, AppRef, Application, Artifact, DeploymentId, DeploymentStatus, NewDeployment, ProcessType,
    Sha256Digest, StreamId, Trigger,
};
use skypanel_core::network::Resolve;
use skypanel_core::repository::GitClient;
use skypanel_core::store::Store;
use skypanel_core::stream::{StreamItem, Streams};
use skypanel_deployer::{Deployer, DeployerOptions, EdgeOptions};
use skypanel_worker::{Parts, Worker};
use tokio_util::sync::CancellationToken;

use crate::engine::Engine;
use crate::no_engine::NoEngine;
use crate::support::Database;

struct Loopback;

#[async_trait]
impl Resolve for Loopback {
    async fn resolve(&self, _: &str) -> std::io::Result<Vec<IpAddr>> {
        Ok(vec!["127.0.0.1".parse().expect("is an address")])
    }
}

pub(crate) struct World {
    pub(crate) database: Database,
    pub(crate) actions: Actions,
    /// Those of another process.
    others: Actions,
    pub(crate) engine: Engine,
    pub(crate) directory: tempfile::TempDir,
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::with_clock(Clock::system()).await
    }

    pub(crate) async fn with_clock(clock: Clock) -> Self {
        let database = Database::new().await;
        let directory = tempfile::tempdir().expect("makes a directory");
        let blobs: Blobs = Arc::new(LocalBlobs::open(&directory.path().join("blobs")).expect("opens"));
        let process = async |store: Store| Actions {
            streams: Streams::connect(store.pool().clone()).await.expect("listens"),
            jobs: Jobs::connect(store.pool().clone()).await.expect("connects"),
            blobs: blobs.clone(),
            console: Arc::new(NoEngine),
            logs: Arc::new(skypanel_core::logs::NoLogs),
            measurements: Arc::new(NoMeasurements),
            git: GitClient::new(Arc::new(Loopback)),
            clock: clock.clone(),
            store: store.with_clock(clock.clone()),
        };
        let actions = process(database.store().clone()).await;
        let others = process(database.another_store().await).await;
        Self { database, actions, others, engine: Engine::start().await, directory }
    }

    pub(crate) fn store(&self) -> &Store {
        &self.actions.store
    }

    pub(crate) async fn app(&self, slug: &str) -> Application {
        let acme = self.store().ensure_organization("acme").await.expect("makes it");
        self.store().create_app(&slug.parse().expect("is a slug"), &acme).await.expect("makes it")
    }

    /// Queues a deployment as a push does.
    pub(crate) async fn push(&self, app: AppId) -> DeploymentId {
        let new = NewDeployment {
            id: DeploymentId::new(),
            application_id: app,
            trigger: Trigger::Push,
            git_branch: Some("main".to_owned()),
            git_commit: Some("1".repeat(40)),
            git_message: None,
            git_author: None,
            no_cache: false,
            description: "Deploy 1111111".to_owned(),
            parent_id: None,
            created_by: None,
        };
        self.actions.begin(&Actor::system(), &AppRef::Id(app), &new).await.expect("queues");
        new.id
    }

    /// Does to the store what a build of `code` does.
    pub(crate) async fn build(&self, id: DeploymentId, code: &str) {
        let artifact = Artifact {
            image: image(code),
            slug: None,
            bytes: 1,
            buildpack: "python".to_owned(),
            processes: [(ProcessType::web(), "serve".to_owned())].into(),
        };
        self.store().set_artifact(id, &artifact).await.expect("stores");
    }

    /// Does to the store what a build of `code` and its rollout do.
    pub(crate) async fn go_live(&self, id: DeploymentId, code: &str) {
        let store = self.store();
        assert!(store.advance_deployment(id, DeploymentStatus::Building).await.expect("answers"));
        self.build(id, code).await;
        store.assign_version(id, 0).await.expect("numbers");
        assert!(store.complete_deployment(id).await.expect("answers"));
    }

    /// Makes the jobs that wait look as after a first try whose worker died.
    pub(crate) async fn interrupt(&self) {
        sqlx::query("UPDATE skypanel_jobs._private_jobs SET attempts = 1")
            .execute(self.database.pool())
            .await
            .expect("counts");
    }

    pub(crate) fn worker(&self) -> Worker {
        self.worker_with(&self.actions)
    }

    fn worker_with(&self, actions: &Actions) -> Worker {
        let address = format!("http://{}", self.engine.address);
        let engine = || Docker::connect_with_http(&address, 5, API_DEFAULT_VERSION).expect("is an address");
        let kit = BuildKitOptions {
            installation: "test".to_owned(),
            image_endpoint: "127.0.0.1:1".to_owned(),
            init_binary: PathBuf::from("/nowhere"),
            stack_dir: PathBuf::from("/nowhere"),
        };
        let edge = EdgeOptions {
            http_port: 1,
            https_port: 2,
            metrics_port: 3,
            image: String::new(),
            archive: None,
            pages: "127.0.0.1:1".to_owned(),
            acme: None,
        };
        let options = DeployerOptions {
            installation: "test".to_owned(),
            image_endpoint: "127.0.0.1:1".to_owned(),
            data_dir: self.directory.path().to_owned(),
            edge,
        };
        Worker::new(Parts {
            store: actions.store.clone(),
            blobs: actions.blobs.clone(),
            jobs: actions.jobs.clone(),
            streams: actions.streams.clone(),
            git: actions.git.clone(),
            buildkit: BuildKit::new(engine(), actions.blobs.clone(), actions.store.clone(), kit),
            deployer: Deployer::new(engine(), options),
            outside: Outside {
                console: actions.console.clone(),
                measurements: actions.measurements.clone(),
                host: "here".to_owned(),
            },
            concurrency: 2,
            addresses: AddressFormat { http_port: 80 },
        })
    }

    /// Has two workers take jobs while `watch` goes on.
    pub(crate) async fn while_working<T>(&self, watch: impl Future<Output = T>) -> T {
        let stop = CancellationToken::new();
        let workers = [&self.actions, &self.others].map(|actions| self.worker_with(actions).run(stop.clone()));
        let running = workers.map(tokio::spawn);
        let seen = tokio::time::timeout(Duration::from_secs(60), watch).await.expect("comes to its end");
        stop.cancel();
        for worker in running {
            worker.await.expect("ends").expect("ends well");
        }
        seen
    }

    /// Until all jobs are done, and those that follow from them. What is for later is done now.
    pub(crate) async fn until_idle(&self) {
        let left = || async {
            let hasten = "UPDATE skypanel_jobs._private_jobs SET run_at = now() WHERE run_at > now()";
            sqlx::query(hasten).execute(self.database.pool()).await.expect("hastens");
            let jobs = self.store().queue().await.expect("answers");
            jobs.iter().any(|jobs| jobs.waiting + jobs.running + jobs.later > 0)
        };
        while left().await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// What a deployment or operation has told when `until` is part of it, or when it has ended.
    pub(crate) async fn told(&self, id: impl Into<StreamId>, until: Option<&str>) -> String {
        let mut follower = self.actions.streams.follow(id.into(), 0);
        let mut told = String::new();
        while let Some(item) = follower.next().await.expect("reads") {
            match item {
                StreamItem::Chunk(_, bytes) => told.push_str(&String::from_utf8_lossy(&bytes)),
                StreamItem::End { .. } => break,
            }
            if until.is_some_and(|until| told.contains(until)) {
                break;
            }
        }
        told
    }

    pub(crate) async fn close(self) {
        let Self { database, actions, others, .. } = self;
        drop((actions, others));
        database.close().await;
    }
}

/// Digest of the image that a build of this code makes.
pub(crate) fn image(code: &str) -> Sha256Digest {
    Sha256Digest::of(code.as_bytes())
}

/// Runs a test of jobs: a build without optimisation keeps every step of one on the stack.
pub(crate) fn run(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .thread_stack_size(16 << 20)
        .enable_all()
        .build()
        .expect("starts");
    runtime.block_on(test);
}
