//! Certificates for the servers that tests start.

use std::sync::Arc;

use rcgen::{CertificateParams, CertifiedIssuer, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use tokio_rustls::TlsAcceptor;

/// A certificate for a host, by its name or address, and the authority that issued it.
pub(crate) fn certified(host: &str) -> (TlsAcceptor, String) {
    let mut params = CertificateParams::new(Vec::new()).expect("has no names");
    // A name of its own: who is certified by somebody of the same name counts as self-signed.
    params.distinguished_name.push(rcgen::DnType::CommonName, "Skypanel tests");
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().expect("makes a key")).expect("is signed");
    let key = KeyPair::generate().expect("makes a key");
    let leaf = CertificateParams::new(vec![host.to_owned()]).expect("has a name");
    let leaf = leaf.signed_by(&key, &authority).expect("is signed");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("are versions")
        .with_no_client_auth()
        .with_single_cert(vec![leaf.der().clone()], PrivateKeyDer::Pkcs8(key.serialize_der().into()))
        .expect("fit");
    (TlsAcceptor::from(Arc::new(config)), authority.pem())
}
