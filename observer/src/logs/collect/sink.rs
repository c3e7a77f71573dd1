//! What the collector needs of the store that it writes to.

use async_trait::async_trait;
use skypanel_core::Result;
use skypanel_core::logs::{LogRecord, Logs};
use skypanel_core::model::AppId;

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
