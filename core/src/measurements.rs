//! What apps and machines use over time, as readers see it. Measured and kept by the observer, whose implementation of
//! [`Measurements`] is handed in.

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use crate::Result;
use crate::model::AppId;

/// One value over time.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    /// What is measured, such as `cpu`.
    pub name: &'static str,
    /// Its unit: `cores`, `bytes`, `bytes_per_second`, `requests_per_second`, `seconds`, …
    pub unit: &'static str,
    /// Process and replica, such as `web.1`, or the edge (`router`), or none where it is of the whole.
    pub of: Option<String>,
    /// Points, oldest first.
    pub points: Vec<Point>,
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
}

/// The measurements of apps and nodes, as readers see them.
#[async_trait]
pub trait Measurements: Send + Sync + 'static {
    /// All series of an app between two times, in steps that suit the span.
    async fn of_app(&self, app: AppId, from: DateTime<Utc>, to: DateTime<Utc>) -> Result<Vec<Series>>;

    /// All series of a node, by its name in the Swarm.
    async fn of_node(&self, node: &str, from: DateTime<Utc>, to: DateTime<Utc>) -> Result<Vec<Series>>;
}
