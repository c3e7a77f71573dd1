//! Certificates for custom domains: what the edge needs to get them from a certificate authority that speaks ACME
//! (RFC 8555), with the HTTP-01 challenge, which it answers itself.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use bollard::models::{Mount, MountType};
use serde_json::{Value, json};
use skypanel_core::model::Sha256Digest;

use crate::{AcmeOptions, DeployError, Parts, edge, routes};

/// The authority's name in the edge's configuration.
pub(crate) const RESOLVER: &str = "acme";
/// Where account key and certificates are, as the edge sees it.
const MOUNTED: &str = "/acme";
/// The bundle that the authority's own certificate is checked by, in the edge's directory.
const BUNDLE: &str = "acme-ca.pem";

/// How long the edge waits before it lets the authority ask. It renews at its start, when its routes are not read yet:
/// an authority that asks at once would find nothing, and the next try would be a day later.
const CHALLENGE_DELAY: &str = "2s";

/// Account key and certificates: the one part of the edge's directory that is not written anew.
fn directory(parts: &Parts) -> PathBuf {
    edge::directory(parts).join("acme")
}

/// Makes the directory and puts the CA bundle where the edge sees it. Answers what changes when the bundle does.
pub(crate) fn prepare(parts: &Parts) -> Result<String, DeployError> {
    let Some(acme) = &parts.options.edge.acme else { return Ok(String::new()) };
    let dir = directory(parts);
    let made = std::fs::create_dir_all(&dir)
        .and_then(|()| std::fs::set_permissions(&dir, std::fs::Permissions::from_mode(0o700)));
    made.map_err(|error| {
        DeployError::Host(format!("The directory {} for certificates cannot be made: {error}.", dir.display()))
    })?;
    let Some(bundle) = &acme.ca_bundle else { return Ok(String::new()) };
    let copied = std::fs::read(bundle).and_then(|bytes| {
        routes::write_if_changed(&edge::staging_directory(parts), &edge::directory(parts).join(BUNDLE), &bytes)?;
        Ok(Sha256Digest::of(&bytes).hex())
    });
    copied.map_err(|error| {
        DeployError::Host(format!("The CA bundle {} (acme_ca_bundle) cannot be used: {error}.", bundle.display()))
    })
}

/// The authority in the edge's static configuration.
pub(crate) fn static_config(acme: &AcmeOptions, mounted: &Path) -> Value {
    let mut config = json!({
        "caServer": acme.directory,
        "storage": format!("{MOUNTED}/acme.json"),
        "keyType": "EC256",
        "httpChallenge": { "entryPoint": routes::HTTP, "delay": CHALLENGE_DELAY },
    });
    if !acme.email.is_empty() {
        config["email"] = json!(acme.email);
    }
    if acme.ca_bundle.is_some() {
        config["caCertificates"] = json!([mounted.join(BUNDLE)]);
        config["caSystemCertPool"] = json!(true);
    }
    json!({ RESOLVER: { "acme": config } })
}

/// The mount of account key and certificates, which the edge writes itself.
pub(crate) fn mount(parts: &Parts) -> Option<Mount> {
    parts.options.edge.acme.as_ref().map(|_| Mount {
        typ: Some(MountType::BIND),
        source: Some(directory(parts).to_string_lossy().into_owned()),
        target: Some(MOUNTED.to_owned()),
        read_only: Some(false),
        ..Default::default()
    })
}
