//! Labels of what Skypanel makes in the container engine, by which its parts know it again.

/// Which installation it belongs to.
pub const INSTALLATION: &str = "skypanel.installation";
/// Slug of the app it belongs to.
pub const APP: &str = "skypanel.app";
/// Id of that app.
pub const APP_ID: &str = "skypanel.app_id";
/// Id of the deployment that it runs or builds.
pub const DEPLOYMENT: &str = "skypanel.deployment";
/// Number of the release that it runs.
pub const VERSION: &str = "skypanel.version";
/// Process type.
pub const PROCESS: &str = "skypanel.process";
/// What it is for: `task`, `edge`, `release`, `run`, `build`, `cache`.
pub const ROLE: &str = "skypanel.role";
/// The port of a task that the edge sends requests to.
pub const PORT: &str = "skypanel.port";

/// Values of the label [`ROLE`].
pub mod role {
    /// A replica of an app's process.
    pub const TASK: &str = "task";
}
