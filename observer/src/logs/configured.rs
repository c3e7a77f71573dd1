//! Logs from where the settings say.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use futures_util::stream::BoxStream;
use skypanel_core::clock::Clock;
use skypanel_core::logs::{LogFilter, LogItem, LogPage, LogPageQuery, LogStart, Logs};
use skypanel_core::model::AppId;
use skypanel_core::settings::LogBackend;
use skypanel_core::store::Store;
use skypanel_core::{Error, Result};

use super::{EmbeddedLogs, LokiLogs, LokiOptions};

/// Reads the embedded store or a Loki, as `logs.backend` says at the moment.
#[derive(Debug)]
pub struct ConfiguredLogs {
    store: Store,
    embedded: EmbeddedLogs,
    clock: Clock,
    /// The Loki that was asked last, with the tails that are open there.
    loki: Mutex<Option<(LokiOptions, LokiLogs)>>,
}

impl ConfiguredLogs {
    /// `store` holds the settings.
    pub fn new(store: Store, embedded: EmbeddedLogs, clock: Clock) -> Self {
        Self { store, embedded, clock, loki: Mutex::default() }
    }

    async fn chosen(&self) -> Result<Arc<dyn Logs>> {
        let settings = self.store.settings().await?;
        if settings.logs_backend == LogBackend::Embedded {
            return Ok(Arc::new(self.embedded.clone()));
        }
        let options = LokiOptions::of(&settings).ok_or_else(|| {
            Error::System(
                "Logs are to be read from a Loki (logs.backend), but none is named: an admin has to set logs.loki_url."
                    .to_owned(),
            )
        })?;
        let mut known = self.loki.lock().unwrap_or_else(PoisonError::into_inner);
        let loki = match &*known {
            Some((of, loki)) if *of == options => loki.clone(),
            _ => known.insert((options.clone(), LokiLogs::new(options, self.clock.clone()))).1.clone(),
        };
        Ok(Arc::new(loki))
    }
}

#[async_trait]
impl Logs for ConfiguredLogs {
    async fn page(&self, app: AppId, query: LogPageQuery) -> Result<LogPage> {
        self.chosen().await?.page(app, query).await
    }

    async fn follow(
        &self,
        app: AppId,
        filter: LogFilter,
        start: LogStart,
    ) -> Result<BoxStream<'static, Result<LogItem>>> {
        self.chosen().await?.follow(app, filter, start).await
    }
}
