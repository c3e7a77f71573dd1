//! The sampler against the real engine, and against the real Prometheus. Each test has an installation and containers of
//! its own, and removes all of it.

mod engine;
#[path = "../../../core/tests/ports/mod.rs"]
mod ports;
mod prometheus;
mod world;
