//! App images on this node: pulled before a rollout, so that Swarm finds them present, and what of their
//! configuration a rollout needs to know.

use std::time::Duration;

use bollard::models::ImageConfig;
use bollard::query_parameters::CreateImageOptionsBuilder;
use futures_util::TryStreamExt as _;
use skypanel_core::model::{AppSlug, Sha256Digest};

use crate::engine::{call, find};
use crate::{DeployError, Parts};

const PULL_LIMIT: Duration = Duration::from_mins(10);
/// The unprivileged user and group of every app, the stack image's `app`.
const APP_USER: u32 = 10001;
/// Where an image does not say which port it serves.
const DEFAULT_PORT: u16 = 5000;

/// What a rollout needs to know of an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ImageFacts {
    /// The user to start it as; never root.
    pub(crate) user: String,
    /// Who must be able to read the config vars: user and group id; none where the user is known by name only.
    pub(crate) owner: Option<(u32, u32)>,
    /// The port a routed process is told to serve.
    pub(crate) port: u16,
    /// Entrypoint and command, for process types without a command line.
    pub(crate) command: Vec<String>,
}

/// The reference of an app's image, at the image endpoint.
pub(crate) fn reference(parts: &Parts, slug: &AppSlug, image: Sha256Digest) -> String {
    format!("{}/{slug}@{image}", parts.options.image_endpoint)
}

/// Pulls the image if it is not there, and looks at it.
pub(crate) async fn ensure(parts: &Parts, reference: &str) -> Result<ImageFacts, DeployError> {
    let action = "Looking at the app's image";
    let mut found = find(action, parts.engine.inspect_image(reference)).await?;
    if found.is_none() {
        pull(parts, reference).await?;
        found = Some(call(action, parts.engine.inspect_image(reference)).await?);
    }
    let found = found.unwrap_or_default();
    Ok(facts(&found.config.unwrap_or_default()))
}

/// Pulls an image by its reference.
pub(crate) async fn pull(parts: &Parts, reference: &str) -> Result<(), DeployError> {
    let action = "Pulling the image";
    let options = CreateImageOptionsBuilder::new().from_image(reference).build();
    let pull = parts.engine.create_image(Some(options), None, None).try_for_each(|_| async { Ok(()) });
    tokio::time::timeout(PULL_LIMIT, pull)
        .await
        .map_err(|_| DeployError::EngineSilent { action })?
        .map_err(|source| DeployError::Engine { action, source })
}

fn facts(config: &ImageConfig) -> ImageFacts {
    let (user, owner) = user(config.user.as_deref().unwrap_or_default());
    let port = config
        .exposed_ports
        .iter()
        .flatten()
        .filter_map(|exposed| match exposed.split_once('/') {
            Some((port, "tcp")) => port.parse().ok(),
            None => exposed.parse().ok(),
            Some(_) => None,
        })
        .filter(|port| *port != 0)
        .min();
    let command = config.entrypoint.iter().chain(&config.cmd).flatten().cloned().collect();
    ImageFacts { user, owner, port: port.unwrap_or(DEFAULT_PORT), command }
}

/// The image's user unless it is root, with the ids that follow from it.
fn user(text: &str) -> (String, Option<(u32, u32)>) {
    let (name, group) = text.split_once(':').map_or((text, None), |(name, group)| (name, Some(group)));
    match name.parse::<u32>() {
        _ if matches!(name, "" | "root") => (format!("{APP_USER}:{APP_USER}"), Some((APP_USER, APP_USER))),
        Ok(0) => (format!("{APP_USER}:{APP_USER}"), Some((APP_USER, APP_USER))),
        Ok(id) => (text.to_owned(), Some((id, group.and_then(|group| group.parse().ok()).unwrap_or(0)))),
        Err(_) if name == "app" && group.is_none() => (text.to_owned(), Some((APP_USER, APP_USER))),
        Err(_) => (text.to_owned(), None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_runs_as_root() {
        for root in ["", "root", "0", "0:0", "root:root", "00"] {
            assert_eq!(user(root), ("10001:10001".to_owned(), Some((10001, 10001))), "{root}");
        }
        assert_eq!(user("app"), ("app".to_owned(), Some((10001, 10001))));
        assert_eq!(user("1000"), ("1000".to_owned(), Some((1000, 0))));
        assert_eq!(user("1000:100"), ("1000:100".to_owned(), Some((1000, 100))));
        assert_eq!(user("node"), ("node".to_owned(), None));
    }

    #[test]
    fn the_first_exposed_tcp_port_is_served() {
        let exposed = |ports: &[&str]| {
            let ports = ports.iter().map(|port| (*port).to_owned()).collect();
            facts(&ImageConfig { exposed_ports: Some(ports), ..Default::default() }).port
        };
        assert_eq!(exposed(&[]), 5000);
        assert_eq!(exposed(&["53/udp", "9090/tcp", "8080/tcp"]), 8080);
        assert_eq!(exposed(&["53/udp"]), 5000);
    }
}
