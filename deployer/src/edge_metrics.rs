//! Where the edge tells what it counts: at a port of the loopback, which is found once for an installation, so that
//! several of them share a host, and kept, so that the edge is not made anew for it.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;

use serde_json::{Value, json};
use skypanel_core::measurements::DURATION_BOUNDS;

use crate::{DeployError, Parts, edge, routes};

/// Name of its entry point.
const ENTRY_POINT: &str = "metrics";
/// The file that the port is kept in.
const FILE: &str = "metrics-port";
/// Where the search for a free one begins and ends.
const PORTS: std::ops::Range<u16> = 9_181..9_981;

/// Where the edge of this installation tells it; none before it was made for the first time.
pub(crate) fn address(parts: &Parts) -> Option<SocketAddr> {
    let configured = Some(parts.options.edge.metrics_port).filter(|port| *port != 0);
    let port = configured.or_else(|| kept(&edge::directory(parts).join(FILE)))?;
    Some(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))
}

/// Finds a port if there is none yet. One that another program has taken while the edge did not run is given up.
pub(crate) fn ensure(parts: &Parts, edge_runs: bool) -> Result<(), DeployError> {
    if parts.options.edge.metrics_port != 0 {
        return Ok(());
    }
    let path = edge::directory(parts).join(FILE);
    if kept(&path).is_some_and(|port| edge_runs || is_free(port)) {
        return Ok(());
    }
    let Some(port) = PORTS.into_iter().find(|port| is_free(*port)) else {
        return Err(DeployError::Host(format!(
            "None of the ports from {} to {} of the loopback is free for what the edge counts. Set \
             SKYPANEL_EDGE_METRICS_PORT to one that is.",
            PORTS.start,
            PORTS.end - 1
        )));
    };
    routes::write_if_changed(&edge::staging_directory(parts), &path, port.to_string().as_bytes())
        .map(drop)
        .map_err(|error| DeployError::Host(format!("The file {} cannot be written: {error}.", path.display())))
}

/// Adds to the edge's static configuration that it counts, and where it tells.
pub(crate) fn add(config: &mut Value, address: SocketAddr) {
    config["entryPoints"][ENTRY_POINT] = json!({ "address": address.to_string() });
    config["metrics"] = json!({ "prometheus": {
        "entryPoint": ENTRY_POINT,
        "addEntryPointsLabels": true,
        "addRoutersLabels": true,
        "addServicesLabels": true,
        "buckets": DURATION_BOUNDS,
    }});
}

fn kept(path: &Path) -> Option<u16> {
    std::fs::read_to_string(path).ok()?.trim().parse().ok()
}

fn is_free(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_edge_tells_it_to_this_host_alone() {
        let mut config = json!({ "entryPoints": { "web": { "address": ":80" } } });
        add(&mut config, SocketAddr::from((Ipv4Addr::LOCALHOST, 9_181)));
        assert_eq!(config["entryPoints"]["metrics"], json!({ "address": "127.0.0.1:9181" }));
        assert_eq!(config["entryPoints"]["web"], json!({ "address": ":80" }));
        assert_eq!(config["metrics"]["prometheus"]["entryPoint"], "metrics");
        assert_eq!(config["metrics"]["prometheus"]["buckets"].as_array().map(Vec::len), Some(11));
    }
}
