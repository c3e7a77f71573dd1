//! What is served over HTTP, asked for by real clients.

mod apps;
mod auth;
mod billing;
mod browser;
mod deployments;
mod env;
mod images;
mod me;
mod organizations;
mod pages;
mod plans;
mod processes;
mod releases;
mod serving;
#[path = "../../../core/tests/support/mod.rs"]
mod support;
mod world;
