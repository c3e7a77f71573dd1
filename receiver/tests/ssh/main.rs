//! The receiver against the real clients: every way of pushing, fetching and commanding, and every hostile one.

mod access;
mod account;
mod admin;
mod changes;
mod commands;
mod console;
mod document;
mod domains;
mod every_command;
#[path = "../../../core/tests/git_hosts/mod.rs"]
mod git_hosts;
mod hostile;
mod json;
mod logs;
mod measurements;
mod money;
#[expect(dead_code, reason = "these tests need fewer kinds of records")]
#[path = "../../../core/tests/domains/name_server.rs"]
mod name_server;
mod one_off;
mod people;
#[path = "../../../core/tests/ports/mod.rs"]
mod ports;
mod push;
mod refs;
mod rights;
mod sessions;
mod sources;
#[path = "../../../core/tests/support/mod.rs"]
mod support;
mod tokens;
mod turns;
mod worker;
mod world;
