//! What apps and machines use over time, as readers see it. Measured and kept by the observer, whose implementation of
//! [`Measurements`] is handed in.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use crate::model::{AppId, ProcessType};
use crate::{Error, Result};

/// Steps that answers come in, in seconds.
const STEPS: [u64; 5] = [10, 60, 300, 1_800, 7_200];
/// Most steps of an answer, unless the longest ones do not suffice.
const MAX_STEPS: u64 = 400;

/// What [`Measurements::traffic`] looks back over.
pub const TRAFFIC_SPAN: Duration = Duration::from_secs(300);

/// Upper bounds of the durations of requests that the edge tells apart, in seconds.
pub const DURATION_BOUNDS: [f64; 11] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

/// One replica of a process type, shown as `web.1`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Replica {
    /// The process type.
    pub process: ProcessType,
    /// The number of the replica, from 1.
    pub number: u64,
}

impl fmt::Display for Replica {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.process, self.number)
    }
}

impl FromStr for Replica {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let wrong = || Error::Invalid(format!("{text:?} is no replica. Write one as web.1."));
        let (process, number) = text.rsplit_once('.').ok_or_else(wrong)?;
        Ok(Self { process: process.parse()?, number: number.parse().map_err(|_| wrong())? })
    }
}

/// One value over time.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    /// What is measured, such as `cpu`.
    pub name: &'static str,
    /// Its unit: `cores`, `bytes`, `bytes_per_second`, `requests_per_second`, `seconds`, …
    pub unit: &'static str,
    /// The replica that it is of; none where it is of the whole app or node.
    pub of: Option<Replica>,
    /// How long a step is.
    pub step: Duration,
    /// Points, oldest first. Steps in which nothing was measured have none.
    pub points: Vec<Point>,
}

impl Series {
    /// The mean of all points; none where there are none.
    pub fn mean(&self) -> Option<f64> {
        #[expect(clippy::cast_precision_loss, reason = "a few hundred")]
        let count = self.points.len() as f64;
        (count > 0.0).then(|| self.points.iter().map(|point| point.mean).sum::<f64>() / count)
    }

    /// The greatest value within all steps; none where there are none.
    pub fn max(&self) -> Option<f64> {
        self.points.iter().map(|point| point.max).reduce(f64::max)
    }
}

/// What was measured within a step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    /// Beginning of the step.
    pub at: DateTime<Utc>,
    /// Mean within the step.
    pub mean: f64,
    /// Greatest value within the step.
    pub max: f64,
    /// What 95 of 100 values within the step do not exceed.
    pub p95: f64,
}

/// What a node uses at the moment.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NodeUsage {
    /// When it was measured.
    pub at: DateTime<Utc>,
    /// CPU time a second, in cores.
    pub cpu_cores: f64,
    /// Memory that is not available to programs, in bytes.
    pub memory_bytes: f64,
    /// Memory it has, in bytes.
    pub memory_limit_bytes: f64,
    /// Space in use on the disk of the data directory, in bytes.
    pub disk_bytes: f64,
    /// Space on that disk, in bytes.
    pub disk_limit_bytes: f64,
    /// Processes that ran or wanted to, as a mean over a minute.
    pub load: f64,
    /// Running containers.
    pub containers: f64,
}

/// What the edge counted of an app's requests within the last [`TRAFFIC_SPAN`].
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Traffic {
    /// How many there were.
    pub requests: f64,
    /// How many of them were answered with 500 or more.
    pub errors: f64,
    /// What 95 of 100 of them took at most, in seconds; none where there were none.
    pub p95_seconds: Option<f64>,
}

/// The step in which a span is answered, so that it has at most a few hundred of them.
pub fn step_for(span: Duration) -> Duration {
    let fits = |step: &&u64| span.as_secs() <= **step * MAX_STEPS;
    Duration::from_secs(*STEPS.iter().find(fits).unwrap_or(&STEPS[STEPS.len() - 1]))
}

/// The measurements of apps and nodes, as readers see them.
#[async_trait]
pub trait Measurements: Send + Sync + 'static {
    /// All series of an app between two times, in steps that suit the span ([`step_for`]).
    async fn of_app(&self, app: AppId, from: DateTime<Utc>, to: DateTime<Utc>) -> Result<Vec<Series>>;

    /// All series of a node, by its name in the Swarm.
    async fn of_node(&self, node: &str, from: DateTime<Utc>, to: DateTime<Utc>) -> Result<Vec<Series>>;

    /// What each node uses now, by its name in the Swarm. A node of which nothing is known at this time is not there.
    async fn nodes_now(&self, now: DateTime<Utc>) -> Result<BTreeMap<String, NodeUsage>>;

    /// What the edge counts of all apps' requests now. An app of which nothing is known is not there.
    async fn traffic(&self, now: DateTime<Utc>) -> Result<BTreeMap<AppId, Traffic>>;
}

/// In place of measurements, for processes that have none.
#[derive(Clone, Copy, Debug)]
pub struct NoMeasurements;

#[async_trait]
impl Measurements for NoMeasurements {
    async fn of_app(&self, _app: AppId, _from: DateTime<Utc>, _to: DateTime<Utc>) -> Result<Vec<Series>> {
        Ok(Vec::new())
    }

    async fn of_node(&self, _node: &str, _from: DateTime<Utc>, _to: DateTime<Utc>) -> Result<Vec<Series>> {
        Ok(Vec::new())
    }

    async fn nodes_now(&self, _now: DateTime<Utc>) -> Result<BTreeMap<String, NodeUsage>> {
        Ok(BTreeMap::new())
    }

    async fn traffic(&self, _now: DateTime<Utc>) -> Result<BTreeMap<AppId, Traffic>> {
        Ok(BTreeMap::new())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_have_a_few_hundred_steps() {
        let step = |hours: u64| step_for(Duration::from_secs(hours * 3_600)).as_secs();
        assert_eq!([1, 6, 24, 7 * 24, 30 * 24, 90 * 24].map(step), [10, 60, 300, 1_800, 7_200, 7_200]);
    }

    #[test]
    fn replicas_are_read_as_they_are_shown() {
        let replica: Replica = "my-worker.12".parse().expect("is one");
        assert_eq!(
            (replica.process.as_str(), replica.number, replica.to_string().as_str()),
            ("my-worker", 12, "my-worker.12")
        );
        for wrong in ["web", "web.x", ".1", "../1", "web.-1"] {
            assert!(wrong.parse::<Replica>().is_err(), "{wrong}");
        }
    }
}
