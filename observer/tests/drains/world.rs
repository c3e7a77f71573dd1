//! An app whose lines are forwarded.

use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::{TimeDelta, Utc};
use skypanel_core::clock::Clock;
use skypanel_core::logs::{LogRecord, LogSource};
use skypanel_core::model::{Application, LogDrain};
use skypanel_core::network::{Guard, HttpClient, Networks, SystemResolver};
use skypanel_observer::logs::{Drains, EmbeddedLogs, LogStoreOptions};
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::support::Database;

/// Longest anything may take that follows by itself.
pub(crate) const LIMIT: Duration = Duration::from_secs(60);

pub(crate) struct World {
    pub(crate) app: Application,
    pub(crate) logs: EmbeddedLogs,
    pub(crate) database: Database,
    client: HttpClient,
    running: Option<(JoinHandle<()>, CancellationToken)>,
    _directory: TempDir,
}

impl World {
    /// Forwards to loopback; trusts an authority, or what the host does.
    pub(crate) async fn new(authority: Option<&str>) -> Self {
        let database = Database::new().await;
        let store = database.store();
        store.set_setting("network.allowed", "127.0.0.0/8").await.expect("is set");
        let organization = store.ensure_organization("acme").await.expect("makes one");
        let app = store.create_app(&"shop".parse().expect("a slug"), &organization).await.expect("makes an app");
        let directory = tempfile::tempdir().expect("makes a directory");
        let logs = EmbeddedLogs::open(directory.path(), LogStoreOptions::default()).expect("opens");
        let client = HttpClient::new(Guard::new(Arc::new(SystemResolver), Networks::default()));
        let client = match authority {
            Some(authority) => client.trusting(authority.as_bytes()).expect("is one"),
            None => client,
        };
        let mut world = Self { app, logs, database, client, running: None, _directory: directory };
        world.start();
        world
    }

    pub(crate) fn start(&mut self) {
        let (logs, store, client) = (self.logs.clone(), self.database.store().clone(), self.client.clone());
        let drains = Drains::new(logs, store, Clock::system(), "one".to_owned(), client);
        let stop = CancellationToken::new();
        self.running = Some((tokio::spawn(drains.run(stop.clone())), stop));
    }

    pub(crate) async fn stop(&mut self) {
        if let Some((running, stop)) = self.running.take() {
            stop.cancel();
            tokio::time::timeout(LIMIT, running).await.expect("stops in time").expect("ends well");
        }
    }

    /// Ends it wherever it is, as a kill does.
    pub(crate) async fn kill(&mut self) {
        if let Some((running, _)) = self.running.take() {
            running.abort();
            let _ = running.await;
        }
    }

    pub(crate) async fn close(mut self) {
        self.stop().await;
        self.database.close().await;
    }

    pub(crate) async fn add(&self, url: &str) -> LogDrain {
        let store = self.database.store();
        let mut connection = store.pool().acquire().await.expect("connects");
        let address = url.parse().expect("is an address");
        store.add_log_drain(&mut connection, &self.app, &address, None, Utc::now()).await.expect("is kept")
    }

    pub(crate) async fn append(&self, numbers: std::ops::Range<usize>) {
        let records = numbers.map(|number| record(&format!("line {number}"))).collect();
        self.logs.append(self.app.id, records).await.expect("appends");
    }

    /// What is written down of the only drain, once it is like this.
    pub(crate) async fn noted(&self, enough: impl Fn(&LogDrain) -> bool) -> LogDrain {
        let began = Instant::now();
        loop {
            let drains = self.database.store().log_drains(self.app.id).await.expect("reads");
            if let Some(drain) = drains.into_iter().find(&enough) {
                return drain;
            }
            assert!(began.elapsed() < LIMIT, "nothing was written down");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

/// A line of `web.1` of this moment.
pub(crate) fn record(text: &str) -> LogRecord {
    LogRecord {
        at: Utc::now(),
        source: LogSource::App,
        process: "web.1".to_owned(),
        level: None,
        continues: false,
        text: text.to_owned().into(),
    }
}

/// The same, an hour ago.
pub(crate) fn old(text: &str) -> LogRecord {
    LogRecord { at: Utc::now() - TimeDelta::hours(1), ..record(text) }
}

pub(crate) fn lines(numbers: std::ops::Range<usize>) -> Vec<String> {
    numbers.map(|number| format!("line {number}")).collect()
}

pub(crate) async fn until(what: &str, mut found: impl FnMut() -> bool) {
    let began = Instant::now();
    while !found() {
        assert!(began.elapsed() < LIMIT, "{what}: not within {LIMIT:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
