//! What goes into a build container before it starts: source, config vars and CA bundle, as one tar stream.

use std::io::{self, ErrorKind};
use std::path::Path;
use std::time::Duration;

use bollard::query_parameters::UploadToContainerOptionsBuilder;
use skypanel_core::settings::Settings;
use tokio::task::spawn_blocking;
use tokio_util::sync::CancellationToken;

use crate::stack::join;
use crate::tarball::{APP_ID, Move, MoveError, add_file};
use crate::{BuildError, BuildRequest, Parts, members, source, transfer};

/// Where Debian's programs look for CA certificates; the stack's do the same.
pub(crate) const CA_BUNDLE: &str = "/etc/ssl/certs/ca-certificates.crt";
/// The variables by which programs are told of another place.
pub(crate) const CA_VARIABLES: [&str; 6] =
    ["SSL_CERT_FILE", "PIP_CERT", "REQUESTS_CA_BUNDLE", "NODE_EXTRA_CA_CERTS", "CURL_CA_BUNDLE", "GIT_SSL_CAINFO"];
/// Where hosts keep theirs: Debian and its kin, Red Hat and its kin, SUSE, Alpine.
const HOST_BUNDLES: [&str; 4] =
    [CA_BUNDLE, "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/ca-bundle.pem", "/etc/ssl/cert.pem"];
/// Longest an upload may take.
const LIMIT: Duration = Duration::from_mins(15);

/// The CA bundle that builds are to trust, as the setting says; none for the stack's own.
pub(crate) async fn ca_bundle(settings: &Settings) -> Result<Option<Vec<u8>>, BuildError> {
    match settings.build_ca_bundle.as_str() {
        "image" => Ok(None),
        "host" => {
            for path in HOST_BUNDLES {
                match tokio::fs::read(path).await {
                    Ok(bundle) => return Ok(Some(bundle)),
                    Err(error) if error.kind() == ErrorKind::NotFound => {}
                    Err(source) => return Err(BuildError::Io { action: "Reading the host's CA bundle", source }),
                }
            }
            Ok(None)
        }
        path => tokio::fs::read(path).await.map(Some).map_err(|error| {
            BuildError::Setting(format!(
                "The CA bundle {path} of the setting build.ca_bundle cannot be read: {error}. Tell an admin."
            ))
        }),
    }
}

/// Streams source, config vars and CA bundle into the container.
pub(crate) async fn upload(
    parts: &Parts,
    container: &str,
    request: &BuildRequest<'_>,
    ca_bundle: Option<Vec<u8>>,
    stop: &CancellationToken,
) -> Result<(), BuildError> {
    let action = "Putting the source into the build container";
    let reader = source::open(parts, &request.deployment.source_key()).await?;
    let source = source::unpack(reader, stop).map_err(BuildError::io(action))?;
    let (mut writer, body) = transfer::channel();
    let config = request.config.clone();
    let write = spawn_blocking(move || {
        let written = (|| -> Result<(), MoveError> {
            let mut builder = tar::Builder::new(&mut writer);
            if let Some(bundle) = ca_bundle {
                add_file(&mut builder, CA_BUNDLE.trim_start_matches('/'), 0o644, 0, 0, &bundle)?;
            }
            for (key, value) in &config {
                add_file(&mut builder, Path::new("tmp/env").join(key.as_str()), 0o400, APP_ID, 0, value)?;
            }
            let rule = Move { from: "", to: "tmp/app", modified: None, layer: false };
            members::visit(source, |member| rule.member(member, &mut builder))?;
            builder.into_inner()?;
            Ok(io::Write::flush(&mut writer)?)
        })();
        // The engine must not take a part of the source for the whole.
        if written.is_err() {
            writer.fail("the source could not be read to its end");
        }
        Ok(written)
    });
    let options = UploadToContainerOptionsBuilder::new().path("/").build();
    // It answers when everything is unpacked.
    let engine = parts.engine.clone().with_timeout(LIMIT);
    let put = engine.upload_to_container(container, Some(options), bollard::body_try_stream(body));
    let put = tokio::time::timeout(LIMIT, put).await;
    let written = join(write).await.map_err(BuildError::io(action))?;
    match (written, put) {
        (_, Err(_)) => Err(BuildError::EngineSilent { action }),
        // Reading the source failed first, and the engine only noticed.
        (Err(MoveError::Refused(why)), _) => Err(BuildError::UnusableSlug(why)),
        (Err(MoveError::Io(source)), _) if source.kind() != ErrorKind::BrokenPipe => {
            Err(BuildError::Io { action, source })
        }
        (_, Ok(put)) => put.map_err(BuildError::engine(action)),
    }
}
