//! What can go wrong between an image and a live app, in words for the person who pushed.

use bollard::errors::Error as EngineError;

/// Why a release did not go live, or a host could not be prepared.
#[derive(Debug, thiserror::Error)]
pub enum DeployError {
    /// The new tasks crashed, never became healthy or could not be placed; the text says which and shows the
    /// app's last lines.
    #[error("{0}")]
    Rollout(String),
    /// The `release` process failed.
    #[error("{0}")]
    Release(String),
    /// The deployment was cancelled by its owner.
    #[error("The deployment was cancelled.")]
    Cancelled,
    /// This host lacks something.
    #[error("{0}")]
    Host(String),
    /// The engine refused or failed, or could not be reached.
    #[error("{action} failed{}", words(.source))]
    Engine {
        /// What was being done.
        action: &'static str,
        /// The engine's answer.
        source: EngineError,
    },
    /// The engine did not answer in time.
    #[error("{action} failed: the Docker engine did not answer in time. Look whether it runs, then try again.")]
    EngineSilent {
        /// What was being done.
        action: &'static str,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] skypanel_core::Error),
}

impl DeployError {
    /// Whether the engine was away: silent, unreachable, or just started and without its Swarm yet.
    pub(crate) fn is_engine_away(&self) -> bool {
        match self {
            Self::EngineSilent { .. } => true,
            Self::Engine { source: EngineError::DockerResponseServerError { status_code, .. }, .. } => {
                *status_code == 503
            }
            Self::Engine { source, .. } => is_unreachable(source),
            _ => false,
        }
    }

    /// The stable code of this error, as in API answers.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Rollout(_) | Self::Engine { .. } | Self::EngineSilent { .. } => "DEPLOY_FAILED",
            Self::Release(_) => "RELEASE_FAILED",
            Self::Cancelled => "CANCELLED",
            Self::Host(_) => "SYSTEM_ERROR",
            Self::Store(error) => error.code(),
        }
    }
}

impl From<DeployError> for skypanel_core::Error {
    fn from(error: DeployError) -> Self {
        match error {
            DeployError::Store(error) => error,
            other => Self::System(other.to_string()),
        }
    }
}

/// The engine's own message, without the client's wrapping; or that there was none.
fn words(error: &EngineError) -> String {
    match error {
        EngineError::DockerResponseServerError { message, .. } => {
            format!(". The Docker engine says: {}", message.trim())
        }
        error if is_unreachable(error) => {
            ": the Docker engine cannot be reached; it is down or restarting. Look whether it runs, then try again."
                .to_owned()
        }
        other => format!(". The Docker engine's client says: {other}"),
    }
}

/// Whether the engine's answer did not come at all, or not whole.
fn is_unreachable(error: &EngineError) -> bool {
    matches!(
        error,
        EngineError::HyperLegacyError { .. }
            | EngineError::HyperResponseError { .. }
            | EngineError::HttpClientError { .. }
            | EngineError::IOError { .. }
            | EngineError::SocketNotFoundError(_)
            | EngineError::RequestTimeoutError
    )
}
