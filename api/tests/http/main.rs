//! What is served over HTTP, asked for by real clients.

mod apps;
mod billing;
mod deployments;
mod env;
mod images;
mod pages;
mod plans;
mod processes;
mod releases;
mod serving;
#[path = "../../../core/tests/support/mod.rs"]
mod support;
mod world;
