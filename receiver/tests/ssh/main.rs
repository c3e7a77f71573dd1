//! The receiver against the real clients: every way of pushing, fetching and commanding, and every hostile one.

mod access;
mod commands;
mod console;
mod hostile;
mod one_off;
mod push;
mod refs;
#[path = "../../../core/tests/support/mod.rs"]
mod support;
mod tokens;
mod turns;
mod worker;
mod world;
