//! The collector against the real engine: containers as Swarm and the edge make them, a real database and the
//! embedded store. Each test has an installation of its own and removes all of it.

mod agent;
mod image;
#[path = "../../../core/tests/support/mod.rs"]
mod support;
mod task;
mod world;

mod kills;
mod lines;
mod queue;
mod requests;
