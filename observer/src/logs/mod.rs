//! Logs: collected from what runs, kept on this machine in the embedded store or handed on to a Loki, and read from
//! either.

pub mod collect;
mod configured;
mod drains;
mod keeper;
mod loki;
mod positions;
mod read;
mod store;

pub use configured::ConfiguredLogs;
pub use drains::Drains;
pub use keeper::keep_logs;
pub use loki::{LokiLogs, LokiOptions, Shipper};
pub use store::{EmbeddedLogs, LogLimits, LogStoreOptions};
