//! What is served over HTTP, asked for by real clients.

mod admin;
mod apps;
mod auth;
mod billing;
mod browser;
mod deployments;
mod domains;
mod env;
mod images;
mod me;
#[expect(dead_code, reason = "these tests need fewer kinds of records")]
#[path = "../../../core/tests/domains/name_server.rs"]
mod name_server;
mod operations;
mod organizations;
mod pages;
mod plans;
mod processes;
mod product;
mod releases;
mod serving;
mod settings;
#[path = "../../../core/tests/support/mod.rs"]
mod support;
mod walk;
mod webhooks;
mod world;
