//! How a deployment fails: a stable code and words for the pusher.

use std::error::Error as StdError;

use skypanel_buildkit::BuildError;
use skypanel_deployer::DeployError;

/// Why a deployment did not go live.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The reason, told to the pusher.
    Told {
        /// Stable code, as in API answers.
        code: &'static str,
        /// Words for users.
        text: String,
    },
    /// The same, but what failed was ours (the engine, the blob store, the database) and may be over soon.
    Passing {
        /// Stable code, as in API answers.
        code: &'static str,
        /// Words for users.
        text: String,
    },
    /// Its owner cancelled it, or the app is being destroyed.
    Cancelled,
}

impl From<BuildError> for Failure {
    fn from(error: BuildError) -> Self {
        tracing::info!(error = %chain(&error), "a build failed");
        let (code, text) = (error.code(), error.to_string());
        if error.is_retryable() { Self::Passing { code, text } } else { Self::Told { code, text } }
    }
}

impl From<DeployError> for Failure {
    fn from(error: DeployError) -> Self {
        tracing::info!(error = %chain(&error), "a rollout failed");
        Self::Told { code: error.code(), text: error.to_string() }
    }
}

impl From<skypanel_core::Error> for Failure {
    fn from(error: skypanel_core::Error) -> Self {
        tracing::error!(error = %chain(&error), "a deployment failed");
        Self::Told { code: error.code(), text: error.to_string() }
    }
}

/// An error with its causes, for the log.
pub(crate) fn chain(error: &(dyn StdError + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}
