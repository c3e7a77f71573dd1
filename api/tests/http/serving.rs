//! Both servers of the API on free ports, over a real database and local blobs.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use futures_util::StreamExt as _;
use futures_util::stream::BoxStream;
use skypanel_api::{Api, ApiOptions};
use skypanel_core::actions::Actions;
use skypanel_core::blob::{Blobs, LocalBlobs};
use skypanel_core::clock::Clock;
use skypanel_core::console::{Console, Edge, LogLine, LogQuery, OneOff, OneOffSession, ProcessState};
use skypanel_core::jobs::Jobs;
use skypanel_core::measurements::{Measurements, NodeUsage, Point, Series, Traffic};
use skypanel_core::model::{AddressFormat, AppId, Application, Node, NodeAvailability, NodeRole, NodeState};
use skypanel_core::network::Networks;
use skypanel_core::store::Store;
use skypanel_core::stream::Streams;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::support::Database;

pub(crate) struct Serving {
    pub(crate) api: SocketAddr,
    pub(crate) images: SocketAddr,
    pub(crate) blobs: Arc<LocalBlobs>,
    pub(crate) database: Database,
    pub(crate) directory: TempDir,
    cancel: CancellationToken,
    running: JoinHandle<skypanel_core::Result<()>>,
}

impl Serving {
    pub(crate) async fn start() -> Self {
        let database = Database::new().await;
        let directory = tempfile::tempdir().expect("makes a directory");
        let blobs = Arc::new(LocalBlobs::open(&directory.path().join("blobs")).expect("opens"));
        let actions = actions(database.store(), blobs.clone()).await;
        let api = Api::bind(actions, options()).await.expect("binds");
        let (address, images) = api.addresses().expect("has addresses");
        let cancel = CancellationToken::new();
        let running = tokio::spawn(api.run(cancel.clone()));
        Self { api: address, images, blobs, database, directory, cancel, running }
    }

    pub(crate) async fn stop(self) {
        self.end().await.close().await;
    }

    /// The same, and the database stays.
    pub(crate) async fn end(self) -> Database {
        self.cancel.cancel();
        tokio::time::timeout(Duration::from_secs(30), self.running)
            .await
            .expect("stops in time")
            .expect("does not panic")
            .expect("stops well");
        self.database
    }
}

/// Actions over a store whose time stands still, in 2026, until a test moves it.
pub(crate) async fn actions(store: &Store, blobs: Blobs) -> Actions {
    let pool = store.pool().clone();
    let clock = Clock::standing_at("2026-03-01T12:00:00Z".parse().expect("is a time"));
    Actions {
        store: store.clone().with_clock(clock.clone()),
        streams: Streams::connect(pool.clone()).await.expect("listens"),
        git: skypanel_core::repository::GitClient::default(),
        jobs: Jobs::connect(pool).await.expect("has a queue"),
        blobs,
        console: Arc::new(NoEngine),
        logs: Arc::new(skypanel_core::logs::NoLogs),
        measurements: Arc::new(FewMeasurements),
        clock,
    }
}

pub(crate) fn options() -> ApiOptions {
    let any_port = SocketAddr::from(([127, 0, 0, 1], 0));
    ApiOptions {
        listen: any_port,
        image_listen: any_port,
        ssh_host: "paas.example".to_owned(),
        ssh_port: 2222,
        public_url: "http://paas.example".to_owned(),
        addresses: AddressFormat { http_port: 80 },
        requests_per_minute: NonZeroU32::new(1_000),
        trusted_proxies: Networks::default(),
        recheck: Duration::from_millis(50),
    }
}

/// In place of what an agent measured.
struct FewMeasurements;

#[async_trait]
impl Measurements for FewMeasurements {
    async fn of_app(&self, _app: AppId, _from: DateTime<Utc>, to: DateTime<Utc>) -> skypanel_core::Result<Vec<Series>> {
        let point = |seconds: i64, mean: f64| Point {
            at: to - TimeDelta::seconds(seconds),
            mean,
            max: mean * 2.0,
            p95: mean * 1.5,
        };
        let series = |name: &'static str, unit: &'static str, of: Option<&str>, mean: f64| Series {
            name,
            unit,
            of: of.map(|replica| replica.parse().expect("is one")),
            step: Duration::from_secs(60),
            points: vec![point(120, mean), point(60, mean * 4.0)],
        };
        Ok(vec![
            series("cpu", "cores", Some("web.1"), 0.25),
            series("memory", "bytes", Some("web.2"), 4_194_304.0),
            series("requests", "requests_per_second", None, 8.0),
        ])
    }

    async fn of_node(&self, node: &str, from: DateTime<Utc>, to: DateTime<Utc>) -> skypanel_core::Result<Vec<Series>> {
        let mut series = self.of_app(AppId::new(), from, to).await?;
        series.truncate(usize::from(node == "one"));
        Ok(series.into_iter().map(|series| Series { of: None, ..series }).collect())
    }

    async fn traffic(&self, _now: DateTime<Utc>) -> skypanel_core::Result<BTreeMap<AppId, Traffic>> {
        Ok(BTreeMap::new())
    }

    async fn nodes_now(&self, now: DateTime<Utc>) -> skypanel_core::Result<BTreeMap<String, NodeUsage>> {
        let usage = NodeUsage {
            at: now - TimeDelta::seconds(10),
            cpu_cores: 0.5,
            memory_bytes: 1_073_741_824.0,
            memory_limit_bytes: 4_294_967_296.0,
            disk_bytes: 10e9,
            disk_limit_bytes: 40e9,
            load: 0.75,
            containers: 5.0,
        };
        Ok(BTreeMap::from([("one".to_owned(), usage)]))
    }
}

/// In place of a container engine.
struct NoEngine;

#[async_trait]
impl Console for NoEngine {
    async fn logs(
        &self,
        _app: &Application,
        _query: LogQuery,
    ) -> skypanel_core::Result<BoxStream<'static, skypanel_core::Result<LogLine>>> {
        Ok(futures_util::stream::empty().boxed())
    }

    async fn processes(&self, _app: &Application) -> skypanel_core::Result<Vec<ProcessState>> {
        Ok(Vec::new())
    }

    async fn nodes(&self) -> skypanel_core::Result<Vec<Node>> {
        Ok(vec![Node {
            id: "node1".to_owned(),
            name: "one".to_owned(),
            address: Some("192.0.2.1".to_owned()),
            role: NodeRole::Manager,
            is_leader: true,
            state: NodeState::Ready,
            message: None,
            availability: NodeAvailability::Active,
            engine_version: Some("20.10.24".to_owned()),
            cpu_millicores: 2_000,
            memory_bytes: 4_294_967_296,
            replicas: 3,
            joined_at: "2026-01-01T00:00:00Z".parse().ok(),
        }])
    }

    async fn edge(&self) -> skypanel_core::Result<Edge> {
        Ok(Edge::Serves)
    }

    async fn run(&self, _app: &Application, _one_off: OneOff) -> skypanel_core::Result<OneOffSession> {
        Err(skypanel_core::Error::System("There is no engine here.".to_owned()))
    }
}

pub(crate) fn request_head(method: &str, path: &str, headers: &str) -> String {
    format!("{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{headers}\r\n")
}

/// Sends one request; answers the head, in lower case but for its first line, and the body as it was sent.
pub(crate) async fn request(address: SocketAddr, method: &str, path: &str, headers: &str) -> (String, Vec<u8>) {
    let exchange = async {
        let mut stream = TcpStream::connect(address).await.expect("connects");
        stream.write_all(request_head(method, path, headers).as_bytes()).await.expect("asks");
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        answer
    };
    let answer = tokio::time::timeout(Duration::from_secs(60), exchange).await.expect("answers in time");
    let end = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n").expect("has a head");
    let head = String::from_utf8(answer[..end].to_vec()).expect("is text");
    (head, answer[end + 4..].to_vec())
}
