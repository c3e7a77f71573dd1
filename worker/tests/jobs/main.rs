//! Jobs done by a worker whose engine is a stand-in: what comes of them in the store, and what is left in the engine.

mod alerts;
mod destructions;
mod domains;
mod engine;
#[path = "../../../core/tests/alerts/hook.rs"]
mod hook;
mod leftovers;
#[expect(dead_code, reason = "these tests need fewer kinds of records")]
#[path = "../../../core/tests/domains/name_server.rs"]
mod name_server;
#[path = "../../../core/tests/webhooks/console.rs"]
mod no_engine;
#[path = "../../../core/tests/ports/mod.rs"]
mod ports;
mod releases;
mod rollouts;
mod sources;
#[path = "../../../core/tests/support/mod.rs"]
mod support;
mod swarm;
mod turns;
mod world;
