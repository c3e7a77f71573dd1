//! One installation for one test: database, store of logs, collector, and containers that are removed at its end.

use std::collections::HashMap;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use bollard::Docker;
use bollard::models::{ContainerCreateBody, HostConfig, HostConfigLogConfig};
use bollard::query_parameters::{CreateContainerOptions, RemoveContainerOptionsBuilder, StartContainerOptions};
use skypanel_core::logs::{LogCursor, LogDirection, LogFilter, LogPageQuery, LogRecord, Logs as _};
use skypanel_core::model::{AppId, Application};
use skypanel_observer::logs::EmbeddedLogs;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::support::Database;
use crate::task::Task;
use crate::{agent, image};

pub(crate) struct World {
    pub(crate) engine: Docker,
    pub(crate) database: Database,
    pub(crate) installation: String,
    logs: EmbeddedLogs,
    directory: tempfile::TempDir,
    collector: Option<(JoinHandle<()>, CancellationToken)>,
    made: Made,
}

/// What a test made in the engine; what is left of it goes with this.
struct Made {
    image: String,
    containers: Vec<String>,
}

impl World {
    /// Without a collector.
    pub(crate) async fn new() -> Self {
        let directory = tempfile::tempdir().expect("makes a directory");
        Self {
            engine: agent::engine().await,
            database: Database::new().await,
            installation: uuid::Uuid::new_v4().simple().to_string(),
            logs: EmbeddedLogs::reader(&directory.path().join("logs")),
            directory,
            collector: None,
            made: Made { image: image::import(), containers: Vec::new() },
        }
    }

    /// Collects in this process until [`World::stop`].
    pub(crate) fn collect(&mut self) {
        let (engine, store) = (self.engine.clone(), self.database.store().clone());
        let (installation, directory) = (self.installation.clone(), self.directory.path().to_owned());
        let cancel = CancellationToken::new();
        let running = tokio::spawn({
            let cancel = cancel.clone();
            async move { agent::collect(engine, store, installation, &directory, cancel).await }
        });
        self.collector = Some((running, cancel));
    }

    pub(crate) async fn stop(&mut self) {
        if let Some((running, cancel)) = self.collector.take() {
            cancel.cancel();
            tokio::time::timeout(Duration::from_secs(20), running).await.expect("stops in time").expect("ends well");
        }
    }

    pub(crate) fn directory(&self) -> &Path {
        self.directory.path()
    }

    pub(crate) async fn app(&self) -> Application {
        let unique = uuid::Uuid::new_v4().simple().to_string();
        let slug = format!("t{}", &unique[..10]).parse().expect("a slug");
        let store = self.database.store();
        let organization = store.ensure_organization("tests").await.expect("makes one");
        store.create_app(&slug, &organization).await.expect("makes an app")
    }

    /// Starts a replica of an app's process type as Swarm does; its id.
    pub(crate) async fn start(&mut self, app: &Application, replica: &str, task: &Task) -> String {
        let (process, number) = replica.split_once('.').expect("names a replica");
        let labels = [
            ("skypanel.role", "task"),
            ("skypanel.app", app.slug.as_str()),
            ("skypanel.app_id", &app.id.to_string()),
            ("skypanel.process", process),
            ("com.docker.swarm.task.name", &format!("skypanel-{}--{process}.{number}.y5hrkz", app.slug)),
        ];
        self.run(&labels, task).await
    }

    /// Starts something that writes what the edge writes; its id.
    pub(crate) async fn start_edge(&mut self, task: &Task) -> String {
        self.run(&[("skypanel.role", "edge")], task).await
    }

    async fn run(&mut self, labels: &[(&str, &str)], task: &Task) -> String {
        let mut labels: HashMap<String, String> =
            labels.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        labels.insert("skypanel.installation".to_owned(), self.installation.clone());
        let options = [("max-size", "10m"), ("max-file", "5"), ("compress", "false")];
        let config = options.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
        let body = ContainerCreateBody {
            image: Some(self.made.image.clone()),
            cmd: Some(
                [image::PROGRAM, "--exact", "task::be_a_task", "--nocapture", "--quiet"].map(str::to_owned).into(),
            ),
            env: Some(task.environment()),
            labels: Some(labels),
            host_config: Some(HostConfig {
                network_mode: Some("none".to_owned()),
                log_config: Some(HostConfigLogConfig { typ: Some("local".to_owned()), config: Some(config) }),
                ..Default::default()
            }),
            ..Default::default()
        };
        let made = self.engine.create_container(None::<CreateContainerOptions>, body).await.expect("makes a container");
        self.made.containers.push(made.id.clone());
        self.engine.start_container(&made.id, None::<StartContainerOptions>).await.expect("starts");
        made.id
    }

    /// The lines of an app behind a place, and the place behind them.
    pub(crate) async fn records_behind(
        &self,
        app: AppId,
        mut place: Option<LogCursor>,
    ) -> (Vec<LogRecord>, Option<LogCursor>) {
        let mut records = Vec::new();
        loop {
            let query = LogPageQuery {
                filter: LogFilter::default(),
                direction: LogDirection::Forward,
                cursor: place.clone(),
                lines: 10_000,
            };
            let page = self.logs.page(app, query).await.expect("reads");
            place = page.lines.last().map(|line| line.cursor.clone()).or(place);
            records.extend(page.lines.into_iter().map(|line| line.record));
            match page.next {
                Some(next) => place = Some(next),
                None => return (records, place),
            }
        }
    }

    /// All lines of an app in the order they were stored.
    pub(crate) async fn records(&self, app: AppId) -> Vec<LogRecord> {
        self.records_behind(app, None).await.0
    }

    /// The lines of an app, as soon as they are right.
    pub(crate) async fn until(
        &self,
        app: AppId,
        limit: Duration,
        right: impl Fn(&[LogRecord]) -> bool,
    ) -> Vec<LogRecord> {
        let begun = Instant::now();
        let (mut records, mut place) = (Vec::new(), None);
        loop {
            let (more, behind) = self.records_behind(app, place).await;
            records.extend(more);
            place = behind;
            if right(&records) {
                return records;
            }
            let last = records.last().map(|record: &LogRecord| String::from_utf8_lossy(&record.text).into_owned());
            assert!(begun.elapsed() < limit, "still {} lines, the last is {last:?}", records.len());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Removes a container, as Swarm does with those of replicas that are gone.
    pub(crate) async fn remove(&mut self, container: &str) {
        let options = RemoveContainerOptionsBuilder::new().force(true).build();
        self.engine.remove_container(container, Some(options)).await.expect("is removed");
        self.made.containers.retain(|made| made != container);
    }

    pub(crate) async fn close(mut self) {
        self.stop().await;
        let Self { database, made, .. } = self;
        drop(made);
        database.close().await;
    }
}

impl Drop for Made {
    fn drop(&mut self) {
        for container in &self.containers {
            let _ = Command::new("docker").args(["rm", "--force", container]).output();
        }
        let _ = Command::new("docker").args(["rmi", "--force", &self.image]).output();
    }
}

/// The texts of lines.
pub(crate) fn texts(records: &[LogRecord]) -> Vec<String> {
    records.iter().map(|record| String::from_utf8_lossy(&record.text).into_owned()).collect()
}
