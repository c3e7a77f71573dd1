//! The network of all builds: a bridge of its own with a fixed name, so that the host's firewall can tell
//! builds apart, on which containers cannot reach each other.

use std::collections::HashMap;
use std::time::Duration;

use bollard::models::NetworkCreateRequest;
use bollard::query_parameters::InspectNetworkOptions;

use crate::{BuildError, Parts};

/// Name of the network.
pub(crate) const NAME: &str = "skypanel-build";
/// Name of its bridge on the host. The deployer's firewall rules name it, too.
const BRIDGE: &str = "skypanel-build0";
const LIMIT: Duration = Duration::from_secs(30);

/// Makes the network if it is not there.
pub(crate) async fn ensure(parts: &Parts) -> Result<(), BuildError> {
    let action = "Preparing the network of builds";
    let work = async {
        match parts.engine.inspect_network(NAME, None::<InspectNetworkOptions>).await {
            Ok(_) => return Ok(()),
            Err(bollard::errors::Error::DockerResponseServerError { status_code: 404, .. }) => {}
            Err(error) => return Err(error),
        }
        let options = [("com.docker.network.bridge.name", BRIDGE), ("com.docker.network.bridge.enable_icc", "false")];
        let request = NetworkCreateRequest {
            name: NAME.to_owned(),
            driver: Some("bridge".to_owned()),
            options: Some(options.map(|(key, value)| (key.to_owned(), value.to_owned())).into()),
            labels: Some(HashMap::from([("skypanel.installation".to_owned(), parts.options.installation.clone())])),
            ..Default::default()
        };
        match parts.engine.create_network(request).await {
            // Made by another worker in between: the name, or the bridge, is taken.
            Err(bollard::errors::Error::DockerResponseServerError { status_code: 403 | 409, .. }) => Ok(()),
            other => other.map(drop),
        }
    };
    tokio::time::timeout(LIMIT, work)
        .await
        .map_err(|_| BuildError::EngineSilent { action })?
        .map_err(BuildError::engine(action))
}
