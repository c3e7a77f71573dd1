//! How a deployment fails: a stable code and words for the pusher.

use std::error::Error as StdError;

use skypanel_buildkit::BuildError;
use skypanel_core::Error;
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
        tracing::info!(code = error.code(), error = %build_reason(&error), "a build failed");
        let (code, text) = (error.code(), error.to_string());
        if error.is_retryable() { Self::Passing { code, text } } else { Self::Told { code, text } }
    }
}

impl From<DeployError> for Failure {
    fn from(error: DeployError) -> Self {
        tracing::info!(code = error.code(), error = %rollout_reason(&error), "a rollout failed");
        let (code, text) = (error.code(), error.to_string());
        match error {
            DeployError::Rollout(_) | DeployError::Release(_) => Self::Told { code, text },
            DeployError::Cancelled => Self::Cancelled,
            DeployError::Store(error) => error.into(),
            DeployError::Host(_) | DeployError::Engine { .. } | DeployError::EngineSilent { .. } => {
                Self::Passing { code, text }
            }
        }
    }
}

impl From<skypanel_core::Error> for Failure {
    fn from(error: skypanel_core::Error) -> Self {
        tracing::error!(error = %chain(&error), "a deployment failed");
        let (code, text) = (error.code(), error.to_string());
        match error {
            Error::Database(_) | Error::Blob(_) | Error::System(_) => Self::Passing { code, text },
            _ => Self::Told { code, text },
        }
    }
}

/// Stands in the operator's log for words that are the app's or its pusher's. They may hold config vars and whatever
/// else the app prints, and they are in the deployment's own output.
const TOLD_TO_THE_PUSHER: &str = "the reason was told to the pusher";

/// Why a build failed, for the operator's log.
fn build_reason(error: &BuildError) -> String {
    match error {
        BuildError::Dockerfile { .. }
        | BuildError::ProcessTypes(_)
        | BuildError::SlugTooBig { .. }
        | BuildError::UnusableSlug(_) => TOLD_TO_THE_PUSHER.to_owned(),
        ours => chain(ours),
    }
}

/// Why a rollout failed, for the operator's log.
fn rollout_reason(error: &DeployError) -> String {
    match error {
        DeployError::Rollout(_) | DeployError::Release(_) => TOLD_TO_THE_PUSHER.to_owned(),
        ours => chain(ours),
    }
}

/// An error with its causes, for the log: on one line, so that it cannot pass for another of its lines.
pub(crate) fn chain(error: &(dyn StdError + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text.chars().map(|character| if character.is_control() { ' ' } else { character }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const FORGED: &str = "web.1 crashed.\nPASSWORD=hunter2\n2026-01-01T00:00:00Z  INFO skypanel: all is well\x1b[2J";

    #[test]
    fn what_an_app_writes_is_told_and_not_logged() {
        let errors = [DeployError::Rollout(FORGED.to_owned()), DeployError::Release(FORGED.to_owned())];
        for error in errors {
            assert_eq!(rollout_reason(&error), TOLD_TO_THE_PUSHER);
            assert!(matches!(Failure::from(error), Failure::Told { text, .. } if text == FORGED));
        }
        let error = BuildError::Dockerfile { step: "RUN x".to_owned(), message: FORGED.to_owned() };
        assert_eq!(build_reason(&error), TOLD_TO_THE_PUSHER);
    }

    #[test]
    fn an_error_is_one_line_of_the_log_with_its_causes() {
        let error = DeployError::Host(FORGED.to_owned());
        let logged = rollout_reason(&error);
        assert!(logged.starts_with("web.1 crashed. ") && !logged.contains(char::is_control), "{logged}");
        let cause = std::io::Error::other("full\ndisk");
        let logged = build_reason(&BuildError::Io { action: "Storing the slug", source: cause });
        assert!(logged.contains("full disk"), "{logged}");
    }
}
