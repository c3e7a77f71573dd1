//! A small HTTP/1.1 client for calls to hosts that users name: one request a connection, to a checked address, without
//! redirects, bounded in time and size.

use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper::{Method, Request, Response, header};
use hyper_util::rt::TokioIo;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use super::{Guard, Networks};

/// Longest a call may take from connection to the end of the answer.
const CALL_TIME: Duration = Duration::from_secs(20);
/// Most bytes of an answer, unless the client is for greater ones.
const MAX_ANSWER: usize = 256 * 1024;

/// A call. Headers and body are not shown by `Debug`: tokens are in them.
#[derive(Clone)]
pub struct HttpRequest {
    /// `POST`, …
    pub method: Method,
    /// Whether to speak TLS.
    pub tls: bool,
    /// The host, as its certificate names it; an IPv6 address without brackets.
    pub host: String,
    /// The port.
    pub port: u16,
    /// Path and query.
    pub path: String,
    /// Names and values of headers, beside those every call has.
    pub headers: Vec<(&'static str, String)>,
    /// The body.
    pub body: Bytes,
}

impl fmt::Debug for HttpRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpRequest")
            .field("method", &self.method)
            .field("tls", &self.tls)
            .field("host", &self.host)
            .field("port", &self.port)
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

/// An answer.
#[derive(Clone, Debug)]
pub struct HttpAnswer {
    /// Its status code.
    pub status: u16,
    /// Its body.
    pub body: Bytes,
}

/// A connection for a protocol that is not HTTP, or goes on where HTTP ends.
pub type Connection = Box<dyn Stream>;

/// What can be read from and written to.
pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// Makes calls. Cheap to clone.
#[derive(Clone, Debug)]
pub struct HttpClient {
    guard: Guard,
    max_answer: usize,
    /// In place of what this host trusts.
    tls: Option<Arc<ClientConfig>>,
}

impl HttpClient {
    /// A client that connects to what `guard` allows.
    pub fn new(guard: Guard) -> Self {
        Self { guard, max_answer: MAX_ANSWER, tls: None }
    }

    /// The same, for answers of up to this many bytes.
    #[must_use]
    pub fn with_answers_up_to(self, max_answer: usize) -> Self {
        Self { max_answer, ..self }
    }

    /// The same, for the public Internet and these networks, whatever it was for before.
    #[must_use]
    pub fn allowing(self, allowed: Networks) -> Self {
        Self { guard: Guard { allowed, ..self.guard }, ..self }
    }

    /// The same, which trusts this authority alone; its certificate is in PEM.
    pub fn trusting(self, authority: &[u8]) -> Result<Self, String> {
        let mut roots = RootCertStore::empty();
        let certificate = CertificateDer::from_pem_slice(authority).map_err(|error| error.to_string())?;
        roots.add(certificate).map_err(|error| error.to_string())?;
        let config = config_trusting(roots).ok_or_else(no_tls)?;
        Ok(Self { tls: Some(config), ..self })
    }

    /// Makes one call. The error is in words, without anything secret.
    pub async fn call(&self, request: HttpRequest) -> Result<HttpAnswer, String> {
        let host = request.host.clone();
        timeout(CALL_TIME, self.exchange(request))
            .await
            .unwrap_or_else(|_| Err(format!("The host {host} took longer than {} s to answer.", CALL_TIME.as_secs())))
    }

    async fn exchange(&self, request: HttpRequest) -> Result<HttpAnswer, String> {
        let stream = self.open(request.tls, &request.host, request.port).await?;
        send(stream, request, self.max_answer).await
    }

    /// Opens a connection to an address that may be connected to, with TLS or without. The caller limits how long that
    /// may take. The error is in words.
    pub async fn open(&self, tls: bool, host: &str, port: u16) -> Result<Connection, String> {
        let stream = self.guard.connect(host, port).await.map_err(|error| error.to_string())?;
        if !tls {
            return Ok(Box::new(stream));
        }
        let name = ServerName::try_from(host.to_owned()).map_err(|_| "The host's name is not valid.".to_owned())?;
        let config = match &self.tls {
            Some(config) => config.clone(),
            None => tls_config()?,
        };
        let connected = TlsConnector::from(config).connect(name, stream).await;
        let stream = connected.map_err(|error| format!("No TLS connection to {host}: {error}."))?;
        Ok(Box::new(stream))
    }
}

async fn send(stream: Connection, request: HttpRequest, max_answer: usize) -> Result<HttpAnswer, String> {
    let broken = |error: hyper::Error| format!("The connection broke: {error}.");
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(broken)?;
    let bracketed = if request.host.contains(':') { format!("[{}]", request.host) } else { request.host.clone() };
    let standard = if request.tls { 443 } else { 80 };
    let authority = if request.port == standard { bracketed } else { format!("{bracketed}:{}", request.port) };
    let mut call = Request::builder()
        .method(request.method)
        .uri(&request.path)
        .header(header::HOST, authority)
        .header(header::USER_AGENT, concat!("skypanel/", env!("CARGO_PKG_VERSION")))
        .header(header::CONNECTION, "close");
    for (name, value) in request.headers {
        call = call.header(name, value);
    }
    let call = call.body(Full::new(request.body)).map_err(|_| "The call has no right form.".to_owned())?;
    let exchange = async {
        let answer: Response<Incoming> = sender.send_request(call).await.map_err(broken)?;
        let status = answer.status().as_u16();
        let body = Limited::new(answer.into_body(), max_answer)
            .collect()
            .await
            .map_err(|error| format!("The answer could not be read: {error}."))?;
        Ok(HttpAnswer { status, body: body.to_bytes() })
    };
    tokio::pin!(exchange);
    // The connection only moves while it is polled; it ends with the answer.
    tokio::select! {
        biased;
        answer = &mut exchange => answer,
        ended = connection => match ended {
            Ok(()) => exchange.await,
            Err(error) => Err(broken(error)),
        },
    }
}

/// TLS as this host trusts it; `SSL_CERT_FILE` and `SSL_CERT_DIR` choose other roots.
fn tls_config() -> Result<Arc<ClientConfig>, String> {
    static CONFIG: OnceLock<Option<Arc<ClientConfig>>> = OnceLock::new();
    let config = CONFIG.get_or_init(|| {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        config_trusting(roots)
    });
    config.clone().ok_or_else(no_tls)
}

fn config_trusting(roots: RootCertStore) -> Option<Arc<ClientConfig>> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().ok()?;
    Some(Arc::new(builder.with_root_certificates(roots).with_no_client_auth()))
}

fn no_tls() -> String {
    "This host has no usable TLS.".to_owned()
}
