//! The deployer against the real engine, Swarm and edge. Each test has an installation, an edge and apps of its own
//! and removes all of it.

mod authority;
mod image;
mod load;
#[expect(dead_code, reason = "these tests need fewer kinds of records")]
#[path = "../../../core/tests/domains/name_server.rs"]
mod name_server;
#[path = "../../../core/tests/ports/mod.rs"]
mod ports;
mod registry;
#[path = "../../../core/tests/support/mod.rs"]
mod support;
mod task;
mod world;

mod console;
mod crashes;
mod domains;
mod edge;
mod failures;
mod isolation;
mod one_off;
mod rolling;
