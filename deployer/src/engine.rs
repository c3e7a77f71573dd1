//! Calls of the engine with a time limit and a name, and the few questions asked of its errors.

use std::collections::HashMap;
use std::time::Duration;

use bollard::errors::Error as EngineError;

use crate::DeployError;

/// Longest an ordinary call may take. Swarm's own calls wait for consensus, which a loaded disk delays.
pub(crate) const LIMIT: Duration = Duration::from_secs(30);

/// Awaits one call of the engine; `action` names it in the error.
pub(crate) async fn call<T>(
    action: &'static str,
    future: impl Future<Output = Result<T, EngineError>>,
) -> Result<T, DeployError> {
    tokio::time::timeout(LIMIT, future)
        .await
        .map_err(|_| DeployError::EngineSilent { action })?
        .map_err(|source| DeployError::Engine { action, source })
}

/// Like [`call`], with none where the engine does not know the thing.
pub(crate) async fn find<T>(
    action: &'static str,
    future: impl Future<Output = Result<T, EngineError>>,
) -> Result<Option<T>, DeployError> {
    match call(action, future).await {
        Ok(found) => Ok(Some(found)),
        Err(error) if status(&error) == Some(404) => Ok(None),
        Err(error) => Err(error),
    }
}

/// The HTTP status of the engine's refusal, if that is what the error is.
pub(crate) fn status(error: &DeployError) -> Option<u16> {
    match error {
        DeployError::Engine { source: EngineError::DockerResponseServerError { status_code, .. }, .. } => {
            Some(*status_code)
        }
        _ => None,
    }
}

/// Filters of the engine's list calls.
pub(crate) fn filters<const N: usize>(entries: [(&'static str, Vec<String>); N]) -> HashMap<&'static str, Vec<String>> {
    entries.into()
}
