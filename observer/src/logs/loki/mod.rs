//! Loki as the store of logs: read with its queries, followed through its tail, filled by the agents from their embedded
//! stores, which hold what the Loki has not taken yet.

mod api;
mod entry;
mod follow;
mod hub;
mod page;
mod ship;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::stream::BoxStream;
use skypanel_core::Result;
use skypanel_core::clock::Clock;
use skypanel_core::logs::{LogFilter, LogItem, LogPage, LogPageQuery, LogStart, Logs};
use skypanel_core::model::AppId;
use skypanel_core::network::{Guard, HttpClient, Networks, SystemResolver};
use skypanel_core::settings::{HttpAddress, Settings};

use self::api::Api;
use self::hub::Hubs;
pub use self::ship::Shipper;

/// Lines may come so much later than others that are newer: from machines that are behind. In nanoseconds.
const LATE: i64 = 5_000_000_000;

/// A Loki's address and what to ask of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LokiOptions {
    /// Where it is. Only admins name it, and it usually has a private address, so it may have any.
    pub address: HttpAddress,
    /// The tenant; empty for none.
    pub tenant: String,
    /// How long it keeps lines: nothing older is asked for.
    pub retention: Duration,
}

impl LokiOptions {
    /// What the settings say; none where they name no Loki.
    pub fn of(settings: &Settings) -> Option<Self> {
        let days = u32::try_from(settings.logs_retention_days).unwrap_or(u32::MAX);
        Some(Self {
            address: settings.logs_loki_url.get()?.clone(),
            tenant: settings.logs_loki_tenant.clone(),
            retention: Duration::from_hours(24).saturating_mul(days),
        })
    }

    fn api(self) -> Api {
        Api::new(HttpClient::new(Guard::new(Arc::new(SystemResolver), Networks::all())), self.address, self.tenant)
    }
}

/// Logs in a Loki. Cheap to clone; clones share what they follow.
#[derive(Clone, Debug)]
pub struct LokiLogs {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    api: Api,
    clock: Clock,
    retention: Duration,
    hubs: Hubs,
}

impl LokiLogs {
    /// The logs in that Loki.
    pub fn new(options: LokiOptions, clock: Clock) -> Self {
        let retention = options.retention;
        Self { inner: Arc::new(Inner { api: options.api(), clock, retention, hubs: Hubs::default() }) }
    }
}

impl Inner {
    /// Nanoseconds since 1970.
    fn now(&self) -> i64 {
        super::store::nanoseconds(self.clock.now())
    }
}

#[async_trait]
impl Logs for LokiLogs {
    async fn page(&self, app: AppId, query: LogPageQuery) -> Result<LogPage> {
        page::read(&self.inner, app, query).await
    }

    async fn follow(
        &self,
        app: AppId,
        filter: LogFilter,
        start: LogStart,
    ) -> Result<BoxStream<'static, Result<LogItem>>> {
        follow::follow(self.inner.clone(), app, filter, start).await
    }
}
