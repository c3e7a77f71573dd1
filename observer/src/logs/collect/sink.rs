//! What the collector needs of the store that it writes to.

use async_trait::async_trait;
use skypanel_core::logs::{LogRecord, Logs};
use skypanel_core::model::AppId;
use skypanel_core::{Error, Result};

use crate::logs::EmbeddedLogs;

/// Where collected lines go. What is read through [`Logs`] is what was appended.
#[async_trait]
pub trait LogSink: Logs {
    /// Adds lines to an app's log, in this order. They outlive a kill of the process once this returns.
    async fn append(&self, app: AppId, records: Vec<LogRecord>) -> Result<()>;

    /// The apps of which there are lines.
    async fn apps(&self) -> Result<Vec<AppId>>;

    /// Drops an app's log.
    async fn remove(&self, app: AppId) -> Result<()>;
}

#[async_trait]
impl LogSink for EmbeddedLogs {
    async fn append(&self, app: AppId, records: Vec<LogRecord>) -> Result<()> {
        Self::append(self, app, records).await
    }

    async fn apps(&self) -> Result<Vec<AppId>> {
        Self::apps(self)
    }

    async fn remove(&self, app: AppId) -> Result<()> {
        let logs = self.clone();
        tokio::task::spawn_blocking(move || Self::remove(&logs, app))
            .await
            .map_err(|error| Error::System(format!("Removing logs broke down: {error}.")))?
    }
}
