//! Logs: collected from what runs, kept on this machine in the embedded store, and read from it.

pub mod collect;
mod keeper;
mod read;
mod store;

pub use keeper::keep_logs;
pub use store::{EmbeddedLogs, LogLimits, LogStoreOptions};
