//! Why a build failed: in words for the developer who pushed, with a stable code and whether a retry can help.

use skypanel_core::blob::BlobError;

/// Why there is no artifact. `Display` is the last thing the developer reads.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// The build container went over its memory limit.
    #[error(
        "The build ran out of memory: it may use {limit_mb} MB.\n\
         Let it do less at once (fewer parallel jobs, smaller bundles), or ask an admin to raise the setting build.memory_mb."
    )]
    OutOfMemory {
        /// The limit, in MiB.
        limit_mb: u64,
    },
    /// The build took too long and was stopped.
    #[error(
        "The build ran out of time: it may take {limit_seconds} seconds, and was stopped.\n\
         If it really needs longer, ask an admin to raise the setting build.timeout_seconds."
    )]
    OutOfTime {
        /// The limit, in seconds.
        limit_seconds: u64,
    },
    /// Its owner cancelled it.
    #[error("The build was cancelled.")]
    Cancelled,
    /// The build itself failed; its output says why.
    #[error("The build failed (exit status {status}). The end of its log says why; nothing was released.")]
    Failed {
        /// Exit status of the build.
        status: i64,
    },
    /// A step of the app's Dockerfile failed.
    #[error("The Dockerfile could not be built, at: {step}\n{message}")]
    Dockerfile {
        /// The failing step as the engine counts and writes it.
        step: String,
        /// The engine's reason.
        message: String,
    },
    /// What the app declares to run is unusable.
    #[error("{0}")]
    ProcessTypes(String),
    /// The slug is over the limit.
    #[error(
        "The slug is too big: it may have {limit_mb} MB compressed.{biggest}\n\
         Keep files the app does not need at run time out of it with a .slugignore file, or ask an admin to raise the \
         setting slug.max_mb."
    )]
    SlugTooBig {
        /// The limit, in MiB.
        limit_mb: u64,
        /// A sentence that names the biggest directories, with a space before it; or nothing.
        biggest: String,
    },
    /// The built app holds something that cannot be in a slug.
    #[error("The built app cannot be packed: {0}")]
    UnusableSlug(String),
    /// This installation cannot build on the app's stack.
    #[error("{0}")]
    Stack(String),
    /// The source of the deployment is not kept any more.
    #[error("The pushed source is not in the blob store any more. Push again.")]
    SourceMissing,
    /// A setting of the platform is wrong.
    #[error("{0}")]
    Setting(String),
    /// The container engine failed or could not be reached.
    #[error("{action} failed: the container engine did not do as expected. Push again; if it stays, tell an admin.")]
    Engine {
        /// What was being done.
        action: &'static str,
        /// The engine's reason, for the log.
        source: bollard::errors::Error,
    },
    /// The container engine took too long for one call.
    #[error("{action} failed: the container engine did not answer in time. Push again; if it stays, tell an admin.")]
    EngineSilent {
        /// What was being done.
        action: &'static str,
    },
    /// The database or the blob store failed.
    #[error(transparent)]
    Domain(#[from] skypanel_core::Error),
    /// A stream or a file of this machine failed.
    #[error("{action} failed: {source}.")]
    Io {
        /// What was being done.
        action: &'static str,
        /// Why it failed.
        source: std::io::Error,
    },
}

impl BuildError {
    /// The stable code of this failure.
    pub fn code(&self) -> &'static str {
        match self {
            Self::OutOfMemory { .. } => "BUILD_OUT_OF_MEMORY",
            Self::OutOfTime { .. } => "BUILD_TIMEOUT",
            Self::Cancelled => "BUILD_CANCELLED",
            Self::SlugTooBig { .. } => "SLUG_TOO_BIG",
            Self::Engine { .. } | Self::EngineSilent { .. } => "ENGINE_ERROR",
            Self::Domain(error) => error.code(),
            Self::Failed { .. }
            | Self::Dockerfile { .. }
            | Self::ProcessTypes(_)
            | Self::UnusableSlug(_)
            | Self::Stack(_)
            | Self::SourceMissing
            | Self::Setting(_)
            | Self::Io { .. } => "BUILD_FAILED",
        }
    }

    /// Whether the same build may succeed when it is tried again: what failed was ours, not the app's.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Engine { source, .. } => {
                !matches!(source, bollard::errors::Error::DockerResponseServerError { status_code: 400..=499, .. })
            }
            Self::EngineSilent { .. } | Self::Io { .. } => true,
            Self::Domain(error) => matches!(
                error,
                skypanel_core::Error::Database(_)
                    | skypanel_core::Error::Blob(BlobError::Disk { .. } | BlobError::Remote { .. })
            ),
            _ => false,
        }
    }

    /// For `map_err` on an engine call.
    pub(crate) fn engine(action: &'static str) -> impl FnOnce(bollard::errors::Error) -> Self {
        move |source| Self::Engine { action, source }
    }

    /// For `map_err` on a file or stream.
    pub(crate) fn io(action: &'static str) -> impl FnOnce(std::io::Error) -> Self {
        move |source| Self::Io { action, source }
    }
}

impl From<BlobError> for BuildError {
    fn from(error: BlobError) -> Self {
        Self::Domain(error.into())
    }
}
