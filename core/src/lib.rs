//! The domain of Skypanel: the model, its Postgres store, settings, secrets, blobs, jobs and live streams.
//!
//! Every other crate builds on this one; it knows no transport (SSH, HTTP) and no container engine.

pub mod alerts;
pub mod blob;
pub mod changes;
pub mod clock;
pub mod console;
pub mod credentials;
pub mod dns;
pub mod dotenv;
pub mod embedded_postgres;
pub mod error;
pub mod identity;
pub mod invoice;
pub mod jobs;
pub mod labels;
pub mod locks;
#[macro_use]
pub mod model;
pub mod actions;
pub mod logs;
pub mod mail;
pub mod measurements;
pub mod network;
pub mod notifications;
pub mod private_file;
pub mod probes;
pub mod quantity;
pub mod repository;
pub mod request;
pub mod secrets;
pub mod settings;
pub mod source;
pub mod store;
pub mod stream;
pub mod terminal;
pub mod usage_csv;
pub mod webhook;

pub use error::{Error, Result};
