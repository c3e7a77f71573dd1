//! What is served over HTTP, asked for by real clients.

mod admin;
mod alerts;
mod app_settings;
mod apps;
mod audited;
mod auth;
mod billing;
mod browser;
mod changes;
mod console;
mod dashboard;
mod deployments;
mod device_page;
mod docs;
mod document;
mod domains;
mod drains;
mod env;
mod events;
#[path = "../../../core/tests/git_hosts/mod.rs"]
mod git_hosts;
mod health;
#[path = "../../../core/tests/alerts/hook.rs"]
mod hook;
mod images;
mod large;
mod lists;
mod live;
mod logs;
mod me;
#[expect(dead_code, reason = "these tests need fewer kinds of records")]
#[path = "../../../core/tests/domains/name_server.rs"]
mod name_server;
mod openmetrics;
mod operations;
mod organizations;
mod pages;
mod plans;
#[path = "../../../core/tests/ports/mod.rs"]
mod ports;
mod processes;
mod product;
mod prometheus_rules;
mod proxy;
mod races;
mod redeploy;
mod reference;
mod releases;
mod requests;
mod schema;
mod scopes;
#[expect(dead_code, reason = "these tests look at nothing behind the server's back")]
#[path = "../../../core/tests/seaweed/mod.rs"]
mod seaweed;
mod serving;
mod settings;
#[path = "../../../core/tests/services/stand_ins.rs"]
mod stand_ins;
#[path = "../../../core/tests/support/mod.rs"]
mod support;
mod things;
mod traffic;
mod walk;
mod webhooks;
mod world;
