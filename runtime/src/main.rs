//! Process 1 of every app container: starts the process type's command, passes signals on, reaps zombies, and
//! answers the engine's health checks. Lives in the image as `/.skypanel/init`.
//!
//! The image may hold nothing but the app, so this binary has to be linked statically. Cargo has no setting for
//! one crate's target features, and a `.cargo/config.toml` would count by the folder one stands in, for every
//! crate built from there. So the flag is given on the command line, and `--target` keeps the result apart from
//! the workspace's own:
//!
//! ```text
//! cargo rustc --release -p skypanel-init --target x86_64-unknown-linux-gnu -- \
//!     -C target-feature=+crt-static -C panic=abort
//! ```
//!
//! `init --version` ends in `static` when that was done.

mod arguments;
mod config_vars;
mod health;
mod settings;
mod start;
mod supervise;
mod sys;

use std::{fmt, io::Write as _, process::ExitCode};

use arguments::Invocation;

/// Exit code when this program itself, not the app, cannot go on (as `env`, `timeout` and Docker have it).
pub(crate) const OWN_FAILURE: u8 = 125;

/// Writes an error into the app's log. A log that cannot be written to must not stop process 1, as a panic would.
pub(crate) fn complain(text: impl fmt::Display) {
    let _ = std::io::stderr().write_all(format!(" !     {text}\n").as_bytes());
}

fn main() -> ExitCode {
    match arguments::parse(std::env::args_os().skip(1)) {
        Ok(Invocation::Start(plan)) => start::run(plan),
        Ok(Invocation::Health { marker }) => health::run(&marker),
        Ok(Invocation::Version) => {
            let linkage = if cfg!(target_feature = "crt-static") { "static" } else { "dynamic" };
            println!("skypanel-init {} {linkage}", env!("CARGO_PKG_VERSION"));
            ExitCode::SUCCESS
        }
        Err(reason) => {
            complain(format_args!("skypanel-init: {reason}."));
            complain(arguments::USAGE);
            ExitCode::from(OWN_FAILURE)
        }
    }
}
