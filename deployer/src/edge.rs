//! The edge of this host: Traefik as a container in the host's network, with its routes in files. It outlives
//! Skypanel's processes and is made anew only when its image or its static configuration changed.

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bollard::models::{ContainerCreateBody, HostConfig, Mount, MountType, RestartPolicy, RestartPolicyNameEnum};
use bollard::query_parameters::{
    CreateContainerOptionsBuilder, CreateImageOptionsBuilder, ListContainersOptionsBuilder,
    RemoveContainerOptionsBuilder, StartContainerOptions,
};
use futures_util::TryStreamExt as _;
use serde::Deserialize;
use serde_json::{Value, json};
use skypanel_core::console::Edge;
use skypanel_core::model::Sha256Digest;
use tokio_util::io::ReaderStream;

use crate::engine::{call, filters, find};
use crate::{
    DeployError, Parts, access_log, acme, app_logs, certificate, edge_metrics, edge_probe, image, names, routes,
};

/// Where the edge's directory is mounted in its container.
const MOUNTED: &str = "/etc/traefik";
const CONFIG: &str = "traefik.yml";
/// The directory that the edge watches. It reads all that is below it after any change of what is directly inside.
const DYNAMIC: &str = "dynamic";
/// The directory in that one with a file of each app. What is written there is read once the edge is told.
const APPS: &str = "apps";
/// Files are written here first and renamed into place: the edge must not read half of one, whenever it looks.
const STAGING: &str = "staging";
/// What the edge gives to running requests when it is stopped, in seconds; the container gets more.
const GRACE_SECONDS: u32 = 10;
/// Longest import of the image's archive.
const IMPORT_LIMIT: Duration = Duration::from_mins(5);
/// Longest the edge may take until it accepts connections.
const START_LIMIT: Duration = Duration::from_secs(15);

/// `<data_dir>/edge`.
pub(crate) fn directory(parts: &Parts) -> PathBuf {
    parts.options.data_dir.join("edge")
}

/// Where the routes of apps are: a file of each.
pub(crate) fn routes_directory(parts: &Parts) -> PathBuf {
    dynamic_directory(parts).join(APPS)
}

fn dynamic_directory(parts: &Parts) -> PathBuf {
    directory(parts).join(DYNAMIC)
}

/// Where route files are written before they are renamed into place.
pub(crate) fn staging_directory(parts: &Parts) -> PathBuf {
    directory(parts).join(STAGING)
}

/// Brings up the edge as configured, and waits until it accepts connections.
pub(crate) async fn ensure(parts: &Parts) -> Result<(), DeployError> {
    make_directories(parts)?;
    edge_metrics::ensure(parts, runs(parts).await?)?;
    let config = static_config(parts).to_string();
    write_files(parts, &config)?;
    let trusted = acme::prepare(parts)?;
    let image = ensure_image(parts).await?;
    let inspected = call("Looking at the edge's image", parts.engine.inspect_image(&image)).await?;
    let entrypoint = inspected.config.and_then(|config| config.entrypoint).filter(|entrypoint| !entrypoint.is_empty());
    let container = container(parts, &image, entrypoint, &format!("{config} {trusted} {:?}", inspected.id));
    replace_if_changed(parts, container).await?;
    wait_until_up(parts).await
}

fn make_directories(parts: &Parts) -> Result<(), DeployError> {
    for (dir, mode) in [(directory(parts), 0o755), (routes_directory(parts), 0o755), (staging_directory(parts), 0o700)]
    {
        std::fs::create_dir_all(&dir)
            .and_then(|()| std::fs::set_permissions(&dir, std::fs::Permissions::from_mode(mode)))
            .map_err(|error| unwritable(&dir, &error))?;
    }
    Ok(())
}

fn unwritable(dir: &Path, error: &std::io::Error) -> DeployError {
    DeployError::Host(format!("The edge's files in {} cannot be written: {error}.", dir.display()))
}

/// Whether the edge of this host serves. There is one where an agent of this data directory ever made one.
pub(crate) async fn look(parts: &Parts) -> Result<Edge, DeployError> {
    let config = directory(parts).join(CONFIG);
    let made = tokio::fs::try_exists(&config).await.map_err(|error| {
        DeployError::Host(format!("The edge's file {} cannot be looked for: {error}.", config.display()))
    })?;
    if !made {
        return Ok(Edge::Absent);
    }
    edge_probe::serves(parts).await?;
    Ok(Edge::Serves)
}

fn write_files(parts: &Parts, config: &str) -> Result<(), DeployError> {
    let dir = directory(parts);
    routes::write_if_changed(&staging_directory(parts), &dir.join(CONFIG), config.as_bytes())
        .map_err(|error| unwritable(&dir, &error))?;
    certificate::ensure(&dir)?;
    let fallback = routes::fallback(&parts.options.edge.pages, Path::new(MOUNTED)).to_string();
    routes::write_if_changed(
        &staging_directory(parts),
        &dynamic_directory(parts).join(routes::FALLBACK),
        fallback.as_bytes(),
    )
    .map_err(|error| DeployError::Host(format!("The edge's fallback route cannot be written: {error}.")))?;
    Ok(())
}

/// Traefik's static configuration. JSON is YAML.
fn static_config(parts: &Parts) -> Value {
    let edge = &parts.options.edge;
    let entry_point = |port: u16| {
        json!({
            "address": format!(":{port}"),
            // X_Forwarded_For reaches WSGI, Rack and PHP apps under the same name as X-Forwarded-For; drop such twins.
            "http": { "aliasHeadersStrategy": "delete" },
            "transport": {
                // Counts the whole request with its body, so the default of 60 s would cut slow uploads. Responses may
                // stream for ever.
                "respondingTimeouts": { "readTimeout": "600s", "writeTimeout": "0s", "idleTimeout": "180s" },
                "lifeCycle": { "graceTimeOut": format!("{GRACE_SECONDS}s") },
            },
        })
    };
    let mut config = json!({
        "global": { "checkNewVersion": false, "sendAnonymousUsage": false },
        "log": { "level": "WARN", "format": "json" },
        "entryPoints": { routes::HTTP: entry_point(edge.http_port), routes::HTTPS: entry_point(edge.https_port) },
        "providers": {
            // At most one reload in this time; the first change after a pause is taken at once.
            "providersThrottleDuration": "10ms",
            "file": { "directory": format!("{MOUNTED}/{DYNAMIC}"), "watch": true },
        },
        "serversTransport": {
            "maxIdleConnsPerHost": 512,
            "forwardingTimeouts": {
                // A task is on this host: an address that does not answer at once is gone.
                "dialTimeout": "2s",
                // Shorter than app servers' keep-alive (gunicorn 2 s), so that a request never meets a connection
                // that the app is just closing.
                "idleConnTimeout": "1s",
            },
        },
    });
    access_log::add(&mut config);
    if let Some(address) = edge_metrics::address(parts) {
        edge_metrics::add(&mut config, address);
    }
    if let Some(acme) = &edge.acme {
        config["certificatesResolvers"] = acme::static_config(acme, Path::new(MOUNTED));
    }
    config
}

/// What `edge.json` beside the archive says.
#[derive(Deserialize)]
struct Archive {
    image: String,
    sha256: String,
}

/// The image to run, imported or pulled if it is not there.
async fn ensure_image(parts: &Parts) -> Result<String, DeployError> {
    const DIGEST: &str = "skypanel.archive";
    let edge = &parts.options.edge;
    if !edge.image.is_empty() {
        if find("Looking for the edge's image", parts.engine.inspect_image(&edge.image)).await?.is_none() {
            image::pull(parts, &edge.image).await?;
        }
        return Ok(edge.image.clone());
    }
    let Some(dir) = &edge.archive else {
        return Err(DeployError::Host("Neither an image nor an archive of the edge is configured.".to_owned()));
    };
    let unreadable = |path: &Path, error: &dyn std::fmt::Display| {
        DeployError::Host(format!(
            "The edge's archive {} cannot be read: {error}. Build it with `make edge`.",
            path.display()
        ))
    };
    let description = dir.join("edge.json");
    let json = tokio::fs::read(&description).await.map_err(|error| unreadable(&description, &error))?;
    let archive: Archive = serde_json::from_slice(&json).map_err(|error| unreadable(&description, &error))?;
    let present = find("Looking for the edge's image", parts.engine.inspect_image(&archive.image)).await?;
    let label = present.and_then(|image| image.config?.labels?.remove(DIGEST));
    if label.as_deref() == Some(archive.sha256.as_str()) {
        return Ok(archive.image);
    }
    let path = dir.join("edge.tar");
    let file = tokio::fs::File::open(&path).await.map_err(|error| unreadable(&path, &error))?;
    let (repository, tag) = archive.image.split_once(':').unwrap_or((&archive.image, "latest"));
    tracing::info!(image = archive.image, "importing the edge's image");
    let options = CreateImageOptionsBuilder::new()
        .from_src("-")
        .repo(repository)
        .tag(tag)
        .changes(vec![format!("LABEL {DIGEST}={}", archive.sha256), "ENTRYPOINT [\"/traefik\"]".to_owned()])
        .build();
    let body = bollard::body_try_stream(ReaderStream::with_capacity(file, 256 * 1024));
    let import = parts.engine.create_image(Some(options), Some(body), None).try_for_each(|_| async { Ok(()) });
    let action = "Importing the edge's image";
    tokio::time::timeout(IMPORT_LIMIT, import)
        .await
        .map_err(|_| DeployError::EngineSilent { action })?
        .map_err(|source| DeployError::Engine { action, source })?;
    Ok(archive.image)
}

/// The container, labelled with a digest of all that makes it what it is.
fn container(parts: &Parts, image: &str, entrypoint: Option<Vec<String>>, changes: &str) -> ContainerCreateBody {
    // The directory, never single files: a file's mount keeps the old file when it is replaced.
    let files = Mount {
        typ: Some(MountType::BIND),
        source: Some(directory(parts).to_string_lossy().into_owned()),
        target: Some(MOUNTED.to_owned()),
        read_only: Some(true),
        ..Default::default()
    };
    let mut body = ContainerCreateBody {
        image: Some(image.to_owned()),
        user: Some("0:0".to_owned()),
        entrypoint: Some(entrypoint.unwrap_or_else(|| vec!["/traefik".to_owned()])),
        cmd: Some(vec![format!("--configFile={MOUNTED}/{CONFIG}")]),
        stop_timeout: Some(i64::from(GRACE_SECONDS) + 5),
        host_config: Some(HostConfig {
            network_mode: Some("host".to_owned()),
            restart_policy: Some(RestartPolicy {
                name: Some(RestartPolicyNameEnum::ALWAYS),
                maximum_retry_count: None,
            }),
            readonly_rootfs: Some(true),
            cap_drop: Some(vec!["ALL".to_owned()]),
            cap_add: Some(vec!["NET_BIND_SERVICE".to_owned()]),
            security_opt: Some(vec!["no-new-privileges".to_owned()]),
            log_config: Some(crate::service_spec::container_log_config()),
            mounts: Some(std::iter::once(files).chain(acme::mount(parts)).collect()),
            ..Default::default()
        }),
        ..Default::default()
    };
    let fingerprint = Sha256Digest::of(format!("{} {changes}", json!(body)).as_bytes()).hex();
    body.labels = Some(HashMap::from(
        [
            (names::INSTALLATION, parts.options.installation.clone()),
            (names::ROLE, names::role::EDGE.to_owned()),
            (names::FINGERPRINT, fingerprint),
        ]
        .map(|(key, value)| (key.to_owned(), value)),
    ));
    body
}

/// The container's name: more than one installation can share a host, but not a port.
fn container_name(parts: &Parts) -> String {
    match parts.options.edge.http_port {
        80 => "skypanel-edge".to_owned(),
        port => format!("skypanel-edge-{port}"),
    }
}

/// Whether this installation's edge runs.
async fn runs(parts: &Parts) -> Result<bool, DeployError> {
    let found = find("Looking for the edge", parts.engine.inspect_container(&container_name(parts), None)).await?;
    Ok(found.is_some_and(|found| {
        let labels = found.config.and_then(|config| config.labels).unwrap_or_default();
        let ours = labels.get(names::INSTALLATION) == Some(&parts.options.installation);
        ours && found.state.is_some_and(|state| state.running == Some(true))
    }))
}

async fn replace_if_changed(parts: &Parts, body: ContainerCreateBody) -> Result<(), DeployError> {
    let engine = &parts.engine;
    let name = container_name(parts);
    let ours = filters([(
        "label",
        vec![
            names::pair(names::INSTALLATION, &parts.options.installation),
            names::pair(names::ROLE, names::role::EDGE),
        ],
    )]);
    let options = ListContainersOptionsBuilder::new().all(true).filters(&ours).build();
    let fingerprint = |labels: &Option<HashMap<String, String>>| {
        labels.as_ref().and_then(|labels| labels.get(names::FINGERPRINT)).cloned()
    };
    let mut present = false;
    for found in call("Looking for the edge", engine.list_containers(Some(options))).await? {
        let Some(id) = found.id else { continue };
        let named = found.names.iter().flatten().any(|found| found.trim_start_matches('/') == name);
        if named && fingerprint(&found.labels) == fingerprint(&body.labels) {
            present = true;
            continue;
        }
        tracing::info!(container = id, "the edge's configuration changed; making it anew");
        remove(parts, &id).await?;
    }
    if !present {
        // One of that name without our label is another installation's that is gone, or else holds our port.
        if find("Looking for the edge", engine.inspect_container(&name, None)).await?.is_some() {
            return Err(DeployError::Host(format!(
                "There is a container {name} that belongs to another installation. If that one is gone, remove it: \
                 docker rm --force {name}. Otherwise give this one another port: SKYPANEL_EDGE_HTTP_PORT."
            )));
        }
        let options = CreateContainerOptionsBuilder::new().name(&name).build();
        call("Making the edge", engine.create_container(Some(options), body)).await?;
    }
    // Does nothing where it runs already.
    call("Starting the edge", engine.start_container(&name, None::<StartContainerOptions>)).await
}

async fn remove(parts: &Parts, id: &str) -> Result<(), DeployError> {
    let engine = &parts.engine;
    // Lets running requests end first.
    let stop = engine.stop_container(id, None);
    call("Stopping the old edge", async {
        match stop.await {
            Err(bollard::errors::Error::DockerResponseServerError { status_code: 304 | 404, .. }) => Ok(()),
            other => other,
        }
    })
    .await?;
    let options = RemoveContainerOptionsBuilder::new().force(true).build();
    find("Removing the old edge", engine.remove_container(id, Some(options))).await.map(drop)
}

async fn wait_until_up(parts: &Parts) -> Result<(), DeployError> {
    let edge = &parts.options.edge;
    let https = SocketAddr::from((Ipv4Addr::LOCALHOST, edge.https_port));
    let serves = async {
        // Its ports are open before its routes are read.
        edge_probe::until_taken_over(parts, "localhost", routes::FALLBACK_REVISION).await;
        while tokio::net::TcpStream::connect(https).await.is_err() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let name = container_name(parts);
    let up = tokio::time::timeout(START_LIMIT, serves).await.is_ok();
    let state = call("Looking at the edge", parts.engine.inspect_container(&name, None)).await?.state;
    if up && state.is_some_and(|state| state.running == Some(true) && state.restarting != Some(true)) {
        return Ok(());
    }
    let lines = app_logs::last_lines_of_container(parts, &name, 5).await.join("\n");
    Err(DeployError::Host(format!(
        "The edge does not serve on the ports {} and {}. Is another program using them, or the port {} of the loopback? \
         It says:\n{lines}",
        edge.http_port,
        edge.https_port,
        edge_metrics::address(parts).map_or(0, |address| address.port())
    )))
}
