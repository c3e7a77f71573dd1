//! The rules that need nothing but the store. Those that look at the engine, the edge or the machine are the worker's.

mod deploys;

pub use deploys::{AppDeploysFailing, DeployFailures};

use chrono::TimeDelta;

use super::Rule;

/// All of them.
pub fn of_the_store() -> Vec<Box<dyn Rule>> {
    vec![Box::new(AppDeploysFailing), Box::new(DeployFailures)]
}

fn minutes(number: u64) -> TimeDelta {
    TimeDelta::minutes(i64::try_from(number).unwrap_or(i64::from(i32::MAX)))
}
