//! Drives a running Skypanel from outside, as its users do: the real `git`, `ssh` and HTTP, and the engine's own
//! words about what runs. `infra/dev/e2e` starts the instance that the tests attach to.
//!
//! Nothing here waits for a fixed time: whatever is waited for has a condition and a deadline, and what misses it
//! ends the test with all that was seen until then.

mod api;
mod app;
mod command;
mod engine;
mod http;
mod instance;
mod repository;
mod user;
mod wait;

pub use api::{Answer, Api};
pub use app::{App, Push};
pub use command::{Finished, Running, run};
pub use engine::Engine;
pub use http::{Connection, Load, Response, Served};
pub use instance::{Instance, SettingGuard, root};
pub use repository::Repository;
pub use user::User;
pub use wait::{until, until_some};

use std::time::Duration;

/// Longest a push with its build and rollout may take before a test gives up on it.
pub const PUSH_LIMIT: Duration = Duration::from_mins(4);
/// Longest a command over SSH may take, rollouts included.
pub const COMMAND_LIMIT: Duration = Duration::from_secs(90);
/// Longest something may take that follows by itself, such as a route or a removed container.
pub const SETTLE_LIMIT: Duration = Duration::from_secs(30);
