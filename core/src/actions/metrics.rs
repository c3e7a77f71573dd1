//! What apps use, as series of points.

use std::time::Duration;

use chrono::{DateTime, Utc};

use super::{Actions, Actor};
use crate::console::ReplicaUsage;
use crate::model::{AppRef, ProcessType};
use crate::store::Access;
use crate::{Error, Result};

/// Longest the engine may take: it looks twice, a second apart.
const ANSWER_LIMIT: Duration = Duration::from_secs(10);

text_enum! {
    /// How far back metrics go.
    MetricsRange {
        /// An hour.
        Hour = "1h",
        /// Six hours.
        SixHours = "6h",
        /// A day.
        Day = "24h",
        /// A week.
        Week = "7d",
    }
}

impl MetricsRange {
    /// How long that is.
    pub fn duration(self) -> Duration {
        let hours = match self {
            Self::Hour => 1,
            Self::SixHours => 6,
            Self::Day => 24,
            Self::Week => 7 * 24,
        };
        Duration::from_secs(hours * 3_600)
    }
}

/// One value of one replica over time.
#[derive(Clone, Debug)]
pub struct MetricSeries {
    /// What is measured, such as `cpu`.
    pub name: &'static str,
    /// Its unit: `cores` or `bytes`.
    pub unit: &'static str,
    /// Process type.
    pub process: ProcessType,
    /// Number of the replica, from 1.
    pub replica: u64,
    /// Times and values, oldest first.
    pub points: Vec<(DateTime<Utc>, f64)>,
}

impl Actions {
    /// What an app's replicas use. No history is kept, so that each series holds the present value, whatever the range.
    pub async fn app_metrics(&self, actor: &Actor, app: &AppRef) -> Result<Vec<MetricSeries>> {
        let app = self.app_of(actor, app, Access::Read).await?;
        if app.current_deployment_id.is_none() {
            return Ok(Vec::new());
        }
        let usage = tokio::time::timeout(ANSWER_LIMIT, self.console.usage(&app)).await.map_err(|_| {
            Error::Upstream("The container engine does not tell what runs. Try again in a minute.".to_owned())
        })??;
        Ok(usage.iter().flat_map(series).collect())
    }
}

#[expect(clippy::cast_precision_loss, reason = "sizes below 2^53 bytes are exact")]
fn series(usage: &ReplicaUsage) -> [MetricSeries; 5] {
    [
        ("cpu", "cores", usage.cpu_cores),
        ("memory", "bytes", usage.memory_bytes as f64),
        ("memory_limit", "bytes", usage.memory_limit_bytes as f64),
        ("network_received", "bytes", usage.received_bytes as f64),
        ("network_sent", "bytes", usage.sent_bytes as f64),
    ]
    .map(|(name, unit, value)| MetricSeries {
        name,
        unit,
        process: usage.process.clone(),
        replica: usage.replica,
        points: vec![(usage.at, value)],
    })
}
