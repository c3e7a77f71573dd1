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
    /// The engine refused or failed.
    #[error("{action} failed. The Docker engine says: {}", words(.source))]
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

/// The engine's own message, without the client's wrapping.
fn words(error: &EngineError) -> String {
    match error {
        EngineError::DockerResponseServerError { message, .. } => message.trim().to_owned(),
        other => other.to_string(),
    }
}
