//! The certificate that the edge shows where it has none for the host asked for. Without one of ours Traefik makes
//! an RSA key at every reload of its routes, which costs 60 ms on average and delays each of them.

use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair};

use crate::DeployError;

/// File names, in the edge's directory.
pub(crate) const CERTIFICATE: &str = "default.crt";
pub(crate) const KEY: &str = "default.key";

/// Makes a self-signed certificate in `dir`, unless there is one.
pub(crate) fn ensure(dir: &Path) -> Result<(), DeployError> {
    let (certificate, key) = (dir.join(CERTIFICATE), dir.join(KEY));
    if certificate.exists() && key.exists() {
        return Ok(());
    }
    let failed = |error: &dyn std::fmt::Display| {
        DeployError::Host(format!("The edge's default certificate in {} cannot be made: {error}.", dir.display()))
    };
    let pair = KeyPair::generate().map_err(|error| failed(&error))?;
    let mut params =
        CertificateParams::new(vec!["edge.skypanel.invalid".to_owned()]).map_err(|error| failed(&error))?;
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, "Skypanel edge, default certificate");
    params.distinguished_name = name;
    let signed = params.self_signed(&pair).map_err(|error| failed(&error))?;
    write(&key, pair.serialize_pem().as_bytes(), 0o600).map_err(|error| failed(&error))?;
    write(&certificate, signed.pem().as_bytes(), 0o644).map_err(|error| failed(&error))
}

fn write(path: &Path, bytes: &[u8], mode: u32) -> std::io::Result<()> {
    use std::io::Write as _;
    let part = path.with_extension("part");
    let mut file = std::fs::OpenOptions::new().create(true).truncate(true).write(true).mode(mode).open(&part)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    std::fs::rename(part, path)
}
