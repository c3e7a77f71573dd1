//! Logs: collected from what runs, kept on this machine in the embedded store, and read from it.

pub mod collect;
mod read;
mod store;

pub use store::{EmbeddedLogs, LogLimits, LogStoreOptions};
