//! What apps and nodes use: measured on each node every ten seconds by the agent's [`Sampler`], kept in files of fixed
//! size, and read from there or from a Prometheus by whoever answers users.

mod collector;
mod columns;
mod configured;
mod containers;
mod counters;
mod edge;
mod exposition;
mod files;
mod host;
mod listener;
mod prometheus;
mod readings;
mod sampler;
mod store;

pub use collector::{Apps, SamplerOptions};
pub use configured::ConfiguredMeasurements;
pub use prometheus::PrometheusMeasurements;
pub use sampler::Sampler;
pub use store::{EmbeddedMeasurements, Writer};
