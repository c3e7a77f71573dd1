//! The certificate that the edge really shows to somebody who asks for a domain: its state, issuer and expiry.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, SignatureScheme};
use skypanel_core::model::{CertificateStatus, Domain};
use skypanel_core::store::SeenCertificate;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::X509Certificate;

use crate::{DeployError, Deployer};

/// Longest a handshake with the edge of this host may take.
const LIMIT: Duration = Duration::from_secs(5);
/// Until then a new domain may have no certificate without that being a failure.
const TIME_TO_GET_ONE: TimeDelta = TimeDelta::hours(1);

impl Deployer {
    /// Asks the edge of this host for an active domain over TLS. Whether its issuer is trusted is for browsers to say:
    /// an authority of one's own is trusted by those who know it.
    pub async fn served_certificate(
        &self,
        domain: &Domain,
        now: DateTime<Utc>,
    ) -> Result<SeenCertificate, DeployError> {
        let edge = &self.parts.options.edge;
        let der = tokio::time::timeout(LIMIT, handshake(edge.https_port, domain.domain.as_str()))
            .await
            .map_err(|_| DeployError::Host("The edge did not answer over TLS in time.".to_owned()))??;
        let (_, certificate) = x509_parser::parse_x509_certificate(&der).map_err(|error| {
            DeployError::Host(format!("The edge shows a certificate that cannot be read: {error}."))
        })?;
        Ok(judge(domain, &certificate, edge.acme.is_some(), now))
    }
}

fn judge(domain: &Domain, certificate: &X509Certificate<'_>, obtainable: bool, now: DateTime<Utc>) -> SeenCertificate {
    let name = domain.domain.as_str();
    let none =
        |status, problem: String| SeenCertificate { status, issuer: None, expires_at: None, problem: Some(problem) };
    if !is_for(certificate, name) {
        if !obtainable {
            let problem = "No certificate authority is configured here (acme_directory). Ask the operator.";
            return none(CertificateStatus::Pending, problem.to_owned());
        }
        let since = domain.active_since.unwrap_or(domain.created_at);
        if now - since < TIME_TO_GET_ONE {
            return none(CertificateStatus::Pending, "The edge is getting a certificate.".to_owned());
        }
        return none(
            CertificateStatus::Failed,
            format!(
                "The edge could not get a certificate since {} and goes on trying. Often an AAAA or a CAA record of \
                 {name} is the reason; the edge's log tells it.",
                since.format("%Y-%m-%d %H:%M UTC")
            ),
        );
    }
    let expires_at = DateTime::from_timestamp(certificate.validity().not_after.timestamp(), 0);
    let expired = expires_at.is_some_and(|at| at <= now);
    SeenCertificate {
        status: if expired { CertificateStatus::Failed } else { CertificateStatus::Active },
        issuer: Some(issuer(certificate)),
        expires_at,
        problem: expired.then(|| "The certificate is over, and the edge could not renew it so far.".to_owned()),
    }
}

/// Whether the certificate names the domain.
fn is_for(certificate: &X509Certificate<'_>, domain: &str) -> bool {
    let Ok(Some(names)) = certificate.subject_alternative_name() else { return false };
    let parent = domain.split_once('.').map(|(_, parent)| parent);
    names.value.general_names.iter().any(|name| match name {
        GeneralName::DNSName(name) => {
            name.eq_ignore_ascii_case(domain)
                || name
                    .strip_prefix("*.")
                    .is_some_and(|zone| parent.is_some_and(|parent| parent.eq_ignore_ascii_case(zone)))
        }
        _ => false,
    })
}

/// Organisation and name of the issuer, such as `Let's Encrypt R11`.
fn issuer(certificate: &X509Certificate<'_>) -> String {
    let issuer = certificate.issuer();
    let parts = issuer.iter_organization().chain(issuer.iter_common_name());
    let text = parts.filter_map(|part| part.as_str().ok()).collect::<Vec<_>>().join(" ");
    if text.is_empty() { issuer.to_string() } else { text }
}

/// The first certificate of the edge's chain for this name.
async fn handshake(port: u16, name: &str) -> Result<CertificateDer<'static>, DeployError> {
    let failed = |error: &dyn std::fmt::Display| DeployError::Host(format!("The edge does not speak TLS: {error}."));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| failed(&error))?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(AnyCertificate(provider)))
        .with_no_client_auth();
    let server = ServerName::try_from(name.to_owned()).map_err(|error| failed(&error))?;
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let stream = TcpStream::connect(address).await.map_err(|error| failed(&error))?;
    let stream = TlsConnector::from(Arc::new(config)).connect(server, stream).await.map_err(|error| failed(&error))?;
    let chain = stream.get_ref().1.peer_certificates().unwrap_or_default();
    let first = chain.first().ok_or_else(|| failed(&"it shows no certificate"))?;
    Ok(first.clone().into_owned())
}

/// Takes every certificate: it is looked at, nothing is sent to who shows it.
#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
