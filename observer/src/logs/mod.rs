//! Logs: kept on this machine in the embedded store, and read from it.

mod read;
mod store;

pub use store::{EmbeddedLogs, LogLimits, LogStoreOptions};
