//! Log drains: lines of apps come to real listeners for syslog and HTTPS, whatever those do meanwhile.

#[path = "../../../core/tests/certificates/mod.rs"]
mod certificates;
mod listener;
#[path = "../../../core/tests/ports/mod.rs"]
mod ports;
#[path = "../../../core/tests/support/mod.rs"]
mod support;
mod world;

mod https;
mod syslog;
