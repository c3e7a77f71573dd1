//! Drives the built `init` the way the engine does. Needs root, as the engine has: privileges are dropped and PID
//! namespaces made.

mod harness;
mod health;
mod process_one;
mod signals;
mod start;
mod terminal;
