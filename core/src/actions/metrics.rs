//! What apps and nodes use, as series of points.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, Utc};

use super::plans::admin;
use super::{Actions, Actor};
use crate::measurements::{NodeUsage, Series};
use crate::model::AppRef;
use crate::store::Access;
use crate::{Error, Result};

/// Longest that reading measurements may take.
const ANSWER_LIMIT: Duration = Duration::from_secs(30);
/// The same for what nodes use now, which is beside something else.
const NOW_LIMIT: Duration = Duration::from_secs(5);
/// Longest name of a node.
const MAX_NODE_NAME: usize = 255;

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

/// What something used over a span of time.
#[derive(Clone, Debug)]
pub struct Metrics {
    /// The beginning of the range.
    pub from: DateTime<Utc>,
    /// Its end: now.
    pub to: DateTime<Utc>,
    /// All there is of it.
    pub series: Vec<Series>,
}

impl Actions {
    /// What an app's replicas used, and the requests that the edge got for it.
    pub async fn app_metrics(&self, actor: &Actor, app: &AppRef, range: MetricsRange) -> Result<Metrics> {
        let app = self.app_of(actor, app, Access::Read).await?;
        self.metrics(range, |from, to| self.measurements.of_app(app.id, from, to)).await
    }

    /// What a node used, by its name in the Swarm. For admins of the platform.
    pub async fn node_metrics(&self, actor: &Actor, node: &str, range: MetricsRange) -> Result<Metrics> {
        admin(actor)?;
        if node.is_empty() || node.len() > MAX_NODE_NAME {
            return Err(Error::NotFound("There is no such node.".to_owned()));
        }
        self.metrics(range, |from, to| self.measurements.of_node(node, from, to)).await
    }

    /// What each node uses now, by its name in the Swarm; none of those of which nothing is known.
    pub async fn nodes_now(&self) -> BTreeMap<String, NodeUsage> {
        match tokio::time::timeout(NOW_LIMIT, self.measurements.nodes_now(self.clock.now())).await {
            Ok(Ok(nodes)) => return nodes,
            Ok(Err(error)) => tracing::debug!(%error, "it is not known what the nodes use"),
            Err(_) => tracing::debug!("it is not known what the nodes use"),
        }
        BTreeMap::new()
    }

    async fn metrics<F>(
        &self,
        range: MetricsRange,
        read: impl FnOnce(DateTime<Utc>, DateTime<Utc>) -> F,
    ) -> Result<Metrics>
    where
        F: Future<Output = Result<Vec<Series>>>,
    {
        let to = self.clock.now();
        let from = to - range.duration();
        let series = tokio::time::timeout(ANSWER_LIMIT, read(from, to)).await.map_err(|_| {
            Error::Upstream(format!(
                "The measurements could not be read within {} s. Try again, or ask for a shorter range.",
                ANSWER_LIMIT.as_secs()
            ))
        })??;
        Ok(Metrics { from, to, series })
    }
}
