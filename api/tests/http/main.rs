//! What is served over HTTP, asked for by real clients.

mod billing;
mod images;
mod pages;
mod plans;
mod serving;
#[path = "../../../core/tests/support/mod.rs"]
mod support;
mod world;
