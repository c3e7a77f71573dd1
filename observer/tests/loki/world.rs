//! A node whose logs go to a Loki, as far as that is there.

use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use skypanel_core::clock::Clock;
use skypanel_core::logs::{LogDirection, LogFilter, LogLine, LogPageQuery, LogRecord, LogSource, Logs};
use skypanel_core::model::Application;
use skypanel_observer::logs::{EmbeddedLogs, LogLimits, LogStoreOptions, LokiLogs, LokiOptions, Shipper};
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::server::{Loki, TENANT};
use crate::support::Database;

/// Longest anything may take that follows by itself.
pub(crate) const LIMIT: Duration = Duration::from_secs(60);
pub(crate) const NODE: &str = "one";

pub(crate) struct World {
    pub(crate) loki: Loki,
    pub(crate) app: Application,
    pub(crate) database: Database,
    directory: TempDir,
    node: Option<Node>,
    began: DateTime<Utc>,
}

struct Node {
    logs: EmbeddedLogs,
    shipping: JoinHandle<()>,
    stop: CancellationToken,
}

impl World {
    pub(crate) async fn new() -> Self {
        let loki = Loki::start().await;
        let database = Database::new().await;
        let store = database.store();
        let url = format!("http://{}", loki.address);
        for (key, value) in [("logs.backend", "loki"), ("logs.loki_url", &url), ("logs.loki_tenant", TENANT)] {
            store.set_setting(key, value).await.expect("is set");
        }
        let organization = store.ensure_organization("acme").await.expect("makes one");
        let app = store.create_app(&"shop".parse().expect("a slug"), &organization).await.expect("makes an app");
        let directory = tempfile::tempdir().expect("makes a directory");
        let began = Utc::now() - TimeDelta::minutes(5);
        let mut world = Self { loki, app, database, directory, node: None, began };
        world.start(LogLimits::default());
        world
    }

    /// Starts the node's part: the store and who carries lines from it.
    pub(crate) fn start(&mut self, limits: LogLimits) {
        let options = LogStoreOptions { clock: Clock::system(), limits };
        let logs = EmbeddedLogs::open(self.directory.path(), options).expect("opens");
        // As the agent does at its start.
        logs.look_through().expect("takes over what was left");
        let stop = CancellationToken::new();
        let store = self.database.store().clone();
        let shipper = Shipper::new(logs.clone(), store, Clock::system(), NODE.to_owned());
        let shipping = tokio::spawn(shipper.run(stop.clone()));
        self.node = Some(Node { logs, shipping, stop });
    }

    /// Ends it wherever it is, as a kill does.
    pub(crate) async fn kill(&mut self) {
        if let Some(node) = self.node.take() {
            node.shipping.abort();
            let _ = node.shipping.await;
        }
    }

    pub(crate) async fn close(mut self) {
        if let Some(node) = self.node.take() {
            node.stop.cancel();
            tokio::time::timeout(LIMIT, node.shipping).await.expect("stops in time").expect("ends well");
        }
        assert_eq!(self.loki.wrong(), Vec::<String>::new(), "Loki would not have understood these");
        self.database.close().await;
    }

    pub(crate) fn embedded(&self) -> &EmbeddedLogs {
        &self.node.as_ref().expect("runs").logs
    }

    pub(crate) async fn append(&self, records: Vec<LogRecord>) {
        self.embedded().append(self.app.id, records).await.expect("appends");
    }

    pub(crate) fn reader(&self) -> LokiLogs {
        self.reader_keeping(Duration::from_hours(7 * 24))
    }

    pub(crate) fn reader_keeping(&self, retention: Duration) -> LokiLogs {
        let options = LokiOptions { address: self.loki.address(), tenant: TENANT.to_owned(), retention };
        LokiLogs::new(options, Clock::system())
    }

    /// Milliseconds after the beginning of the test's time.
    pub(crate) fn at(&self, milliseconds: i64) -> DateTime<Utc> {
        self.began + TimeDelta::milliseconds(milliseconds)
    }

    /// A line of `web.1`.
    pub(crate) fn record(&self, milliseconds: i64, text: &str) -> LogRecord {
        LogRecord {
            at: self.at(milliseconds),
            source: LogSource::App,
            process: "web.1".to_owned(),
            level: None,
            continues: false,
            text: text.to_owned().into(),
        }
    }

    /// Numbered lines.
    pub(crate) fn numbered(&self, numbers: std::ops::Range<i64>) -> Vec<LogRecord> {
        numbers.map(|number| self.record(number, &format!("line {number}"))).collect()
    }

    /// Every line that a filter wants, read page by page.
    pub(crate) async fn all(
        &self,
        logs: &dyn Logs,
        filter: &LogFilter,
        direction: LogDirection,
        lines: usize,
    ) -> Vec<LogLine> {
        let mut pages: Vec<Vec<LogLine>> = Vec::new();
        let mut cursor = None;
        loop {
            let query = LogPageQuery { filter: filter.clone(), direction, cursor, lines };
            let page = logs.page(self.app.id, query).await.expect("a page");
            assert!(page.lines.len() <= lines && page.notice.is_none());
            pages.push(page.lines);
            cursor = page.next;
            if cursor.is_none() {
                break;
            }
        }
        if direction == LogDirection::Backward {
            pages.reverse();
        }
        pages.concat()
    }
}

pub(crate) fn texts(lines: &[LogLine]) -> Vec<String> {
    lines.iter().map(|line| String::from_utf8_lossy(&line.record.text).into_owned()).collect()
}

pub(crate) fn numbers(numbers: std::ops::Range<i64>) -> Vec<String> {
    numbers.map(|number| format!("line {number}")).collect()
}

pub(crate) async fn until(what: &str, mut found: impl FnMut() -> bool) {
    let began = Instant::now();
    while !found() {
        assert!(began.elapsed() < LIMIT, "{what}: not within {LIMIT:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
