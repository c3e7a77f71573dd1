//! The limit of processes in the containers that steps run in. The engine's builder takes no such limit, so each
//! container gets it as soon as the engine tells of it, which is before it starts or a moment after.

use std::time::Duration;

use bollard::errors::Error as EngineError;
use bollard::models::ContainerUpdateBody;
use bollard::query_parameters::InspectContainerOptions;
use skypanel_core::settings::Settings;

use crate::{Parts, network};

/// Longest the engine may take for it.
const LIMIT: Duration = Duration::from_secs(10);

/// Limits the processes of the step that is said to run in `container`.
pub(super) async fn limit(parts: &Parts, settings: &Settings, container: &str) {
    // What is said to be an id becomes a part of an address.
    if container.is_empty() || !container.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return;
    }
    let most = i64::try_from(settings.build_max_processes).unwrap_or(i64::MAX);
    let work = async {
        let found = parts.engine.inspect_container(container, None::<InspectContainerOptions>).await?;
        let host = found.host_config.unwrap_or_default();
        // A step can write another container's id: those of apps and of the host's owner are not touched.
        if host.network_mode.as_deref() != Some(network::NAME) || host.pids_limit.is_some_and(|limit| limit > 0) {
            return Ok(());
        }
        let body = ContainerUpdateBody { pids_limit: Some(most), ..Default::default() };
        parts.engine.update_container(container, body).await
    };
    match tokio::time::timeout(LIMIT, work).await {
        // Steps that run nothing are over at once.
        Ok(Ok(()) | Err(EngineError::DockerResponseServerError { status_code: 404 | 409, .. })) => {}
        Ok(Err(error)) => tracing::warn!(%error, container, "the processes of a build step could not be limited"),
        Err(_) => tracing::warn!(container, "the processes of a build step could not be limited in time"),
    }
}
