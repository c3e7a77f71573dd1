//! What one container may use: the plan's share of the host, and what holds whatever the plan.

use std::collections::HashMap;

use bollard::models::{HostConfigLogConfig, ResourcesUlimits, TaskSpecLogDriver};
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive as _;
use skypanel_core::model::Plan;

/// Most processes and threads of one replica.
pub(crate) const MAX_PROCESSES: i64 = 1024;
/// How the engine keeps what a container writes: the bytes as they are, in files that the agent reads. The other driver
/// with files makes text of them, and so breaks characters that stand across two pieces of a long line.
const LOG_DRIVER: &str = "local";
/// Four full files are what the agent has time for before one of them goes: at 50,000 lines a second, eight seconds.
const LOG_OPTIONS: [(&str, &str); 3] = [("max-size", "10m"), ("max-file", "5"), ("compress", "false")];
/// Billionths of a core in one.
const CORE: i64 = 1_000_000_000;

/// The plan's CPU limit in billionths of a core.
pub(crate) fn nano_cpus(plan: &Plan) -> i64 {
    (plan.cpu_cores * Decimal::from(CORE)).to_i64().unwrap_or(i64::MAX)
}

/// The plan's memory limit in bytes.
pub(crate) fn memory_bytes(plan: &Plan) -> i64 {
    i64::from(plan.ram_mb) << 20
}

/// A core dump would fill the disk with what the process held in memory. The engine's limit on open files stays, which
/// may be lower than any that we could ask for.
pub(crate) fn no_core_dumps() -> ResourcesUlimits {
    ResourcesUlimits { name: Some("core".to_owned()), soft: Some(0), hard: Some(0) }
}

/// How the engine keeps the output of containers that are no tasks.
pub(crate) fn container_log_config() -> HostConfigLogConfig {
    HostConfigLogConfig { typ: Some(LOG_DRIVER.to_owned()), config: Some(log_options()) }
}

/// How the engine keeps the output of tasks.
pub(super) fn task_log_driver() -> TaskSpecLogDriver {
    TaskSpecLogDriver { name: Some(LOG_DRIVER.to_owned()), options: Some(log_options()) }
}

fn log_options() -> HashMap<String, String> {
    LOG_OPTIONS.map(|(key, value)| (key.to_owned(), value.to_owned())).into()
}
