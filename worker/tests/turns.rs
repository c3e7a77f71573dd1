//! Workers and the places of an organisation to build in: what waits for one holds no worker up.

#[path = "../../core/tests/webhooks/console.rs"]
mod no_engine;
#[path = "../../core/tests/support/mod.rs"]
mod support;

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use bollard::{API_DEFAULT_VERSION, Docker};
use skypanel_buildkit::{BuildKit, BuildKitOptions};
use skypanel_core::actions::{Actions, Actor, RepositoryDeploy};
use skypanel_core::blob::{Blobs, LocalBlobs};
use skypanel_core::clock::Clock;
use skypanel_core::jobs::Jobs;
use skypanel_core::model::{AddressFormat, AppRef, DeploymentId, DeploymentStatus};
use skypanel_core::network::Resolve;
use skypanel_core::repository::GitClient;
use skypanel_core::stream::{StreamItem, Streams};
use skypanel_deployer::{Deployer, DeployerOptions, EdgeOptions};
use skypanel_worker::{Parts, Worker};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use support::Database;

struct Loopback;

#[async_trait]
impl Resolve for Loopback {
    async fn resolve(&self, _: &str) -> std::io::Result<Vec<IpAddr>> {
        Ok(vec!["127.0.0.1".parse().expect("is an address")])
    }
}

/// A Git host that tells of every call, by the app's name, and refuses them all once it is let go.
async fn slow_host() -> (u16, mpsc::UnboundedReceiver<String>, watch::Sender<bool>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("listens");
    let port = listener.local_addr().expect("has one").port();
    let (calls, called) = mpsc::unbounded_channel();
    let (let_go, released) = watch::channel(false);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let (calls, mut released) = (calls.clone(), released.clone());
            tokio::spawn(async move {
                let mut request = Vec::new();
                while !request.ends_with(b"\r\n\r\n") {
                    let Ok(byte) = stream.read_u8().await else { return };
                    request.push(byte);
                }
                let request = String::from_utf8_lossy(&request).into_owned();
                let app = request.split(['/', '.']).nth(1).unwrap_or_default().to_owned();
                let _ = calls.send(app);
                let _ = released.wait_for(|released| *released).await;
                let answer = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
                let _ = stream.write_all(answer).await;
            });
        }
    });
    (port, called, let_go)
}

/// Everything a worker is made of, but for an engine: nothing gets that far.
fn worker(actions: &Actions, directory: &std::path::Path) -> Worker {
    let engine = || Docker::connect_with_http("http://127.0.0.1:1", 5, API_DEFAULT_VERSION).expect("is an address");
    let kit = BuildKitOptions {
        installation: "test".to_owned(),
        image_endpoint: "127.0.0.1:1".to_owned(),
        init_binary: PathBuf::from("/nowhere"),
        stack_dir: PathBuf::from("/nowhere"),
    };
    let edge = EdgeOptions {
        http_port: 1,
        https_port: 2,
        image: String::new(),
        archive: None,
        pages: "127.0.0.1:1".to_owned(),
        acme: None,
    };
    let options = DeployerOptions {
        installation: "test".to_owned(),
        image_endpoint: "127.0.0.1:1".to_owned(),
        data_dir: directory.to_owned(),
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
        concurrency: 2,
        addresses: AddressFormat { http_port: 80 },
    })
}

/// What a deployment has told when `until` is part of it, or when it has ended.
async fn told(actions: &Actions, deployment: DeploymentId, until: Option<&str>) -> String {
    let mut follower = actions.streams.follow(deployment.into(), 0);
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

#[test]
fn what_waits_for_a_place_gives_its_worker_back_and_is_called() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        // A build without optimisation keeps every step of a job on the stack.
        .thread_stack_size(16 << 20)
        .enable_all()
        .build()
        .expect("starts");
    runtime.block_on(waiting());
}

async fn waiting() {
    let database = Database::new().await;
    let store = database.store().clone();
    for (key, value) in [("network.allowed", "127.0.0.0/8"), ("git.allow_http", "true")] {
        store.set_setting(key, value).await.expect("sets");
    }
    let directory = tempfile::tempdir().expect("makes a directory");
    let blobs: Blobs = Arc::new(LocalBlobs::open(&directory.path().join("blobs")).expect("opens"));
    let actions = Actions {
        streams: Streams::connect(database.pool().clone()).await.expect("listens"),
        jobs: Jobs::connect(database.pool().clone()).await.expect("connects"),
        blobs,
        console: Arc::new(no_engine::NoEngine),
        git: GitClient::new(Arc::new(Loopback)),
        clock: Clock::system(),
        store: store.clone(),
    };
    let (port, mut called, let_go) = slow_host().await;
    let queue = async |organization: &str, slug: &str| -> DeploymentId {
        let organization = store.ensure_organization(organization).await.expect("makes it");
        sqlx::query("UPDATE organizations SET max_concurrent_builds = 1").execute(store.pool()).await.expect("limits");
        let app = store.create_app(&slug.parse().expect("is a slug"), &organization).await.expect("makes it");
        sqlx::query("UPDATE paas_applications SET git_url = $2 WHERE id = $1")
            .bind(app.id)
            .bind(format!("http://git.example.test:{port}/{slug}/app.git"))
            .execute(store.pool())
            .await
            .expect("connects");
        let what = RepositoryDeploy::default();
        let started = actions.deploy_from_repository(&Actor::system(), &AppRef::Id(app.id), what).await;
        started.expect("queues").deployment
    };
    let stop = CancellationToken::new();
    let first = queue("acme", "first").await;
    let running = tokio::spawn(worker(&actions, directory.path()).run(stop.clone()));
    assert_eq!(called.recv().await.as_deref(), Some("first"));
    let second = queue("acme", "second").await;
    let waits = "Waiting for other builds of the organisation";
    assert!(told(&actions, second, Some(waits)).await.contains(waits));
    assert_eq!(store.deployment(second).await.expect("is there").status, DeploymentStatus::Queued);
    // Of two workers one fetches and the other is free for another organisation's.
    let other = queue("globex", "other").await;
    assert_eq!(called.recv().await.as_deref(), Some("other"));
    let_go.send(true).expect("is heard");
    for deployment in [first, other, second] {
        let told = told(&actions, deployment, None).await;
        assert_eq!(told.matches(waits).count(), usize::from(deployment == second), "{told}");
        assert_eq!(store.deployment(deployment).await.expect("is there").status, DeploymentStatus::Failed);
    }
    while called.recv().await.expect("is called") != "second" {}
    stop.cancel();
    running.await.expect("ends").expect("ends well");
    drop((actions, store));
    database.close().await;
}
