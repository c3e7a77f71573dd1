//! The receiver against the real clients: every way of pushing, fetching and commanding, and every hostile one.

mod console;
mod push;
#[path = "../../../core/tests/support/mod.rs"]
mod support;
mod worker;
mod world;
