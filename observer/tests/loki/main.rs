//! Logs in a Loki: what is written comes to it line by line, whatever ends in between, and is read and followed from
//! there. The Loki is a stand-in, which holds every request to what Loki's documentation says.

mod asked;
#[path = "../../../core/tests/ports/mod.rs"]
mod ports;
mod pushed;
mod query;
mod server;
#[path = "../../../core/tests/support/mod.rs"]
mod support;
mod world;

mod following;
mod reading;
mod shipping;
