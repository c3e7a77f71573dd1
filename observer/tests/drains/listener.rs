//! What drains lead to: listeners for syslog, and for HTTPS, that remember what they are told.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};

use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};
use tokio_rustls::TlsAcceptor;

use crate::ports::free_port;

/// What it was told.
#[derive(Default)]
pub(crate) struct Heard {
    /// Messages of syslog, without their lengths.
    pub(crate) messages: Vec<String>,
    /// Posts over HTTPS.
    pub(crate) posts: Vec<Post>,
    pub(crate) connections: usize,
    /// What posts are answered.
    status: u16,
    /// Longest body of a post that is taken, in bytes.
    most: usize,
    /// Whether it reads nothing.
    is_deaf: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct Post {
    pub(crate) path: String,
    pub(crate) authorization: Option<String>,
    pub(crate) lines: Vec<Value>,
    /// What it was answered.
    pub(crate) status: u16,
}

/// A listener on loopback; stops when dropped.
pub(crate) struct Listener {
    pub(crate) address: SocketAddr,
    tls: Option<TlsAcceptor>,
    is_http: bool,
    heard: Arc<Mutex<Heard>>,
    serving: Option<JoinHandle<()>>,
}

impl Listener {
    pub(crate) async fn syslog(tls: Option<TlsAcceptor>) -> Self {
        Self::start(tls, false).await
    }

    pub(crate) async fn https(tls: TlsAcceptor) -> Self {
        Self::start(Some(tls), true).await
    }

    async fn start(tls: Option<TlsAcceptor>, is_http: bool) -> Self {
        let address = SocketAddr::from(([127, 0, 0, 1], free_port()));
        let heard = Heard { status: 200, most: usize::MAX, ..Heard::default() };
        let mut listener = Self { address, tls, is_http, heard: Arc::new(Mutex::new(heard)), serving: None };
        listener.up().await;
        listener
    }

    pub(crate) async fn up(&mut self) {
        let listener = TcpListener::bind(self.address).await.expect("listens");
        let (tls, heard, is_http) = (self.tls.clone(), self.heard.clone(), self.is_http);
        self.serving = Some(tokio::spawn(async move {
            // Connections end with the listener.
            let mut connections = JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.expect("accepts");
                locked(&heard).connections += 1;
                connections.spawn(attend(stream, tls.clone(), heard.clone(), is_http));
            }
        }));
    }

    pub(crate) async fn down(&mut self) {
        if let Some(serving) = self.serving.take() {
            serving.abort();
            let _ = serving.await;
        }
    }

    pub(crate) fn answer(&self, status: u16) {
        self.heard().status = status;
    }

    /// Answers 413 to posts that are longer than that.
    pub(crate) fn take_at_most(&self, bytes: usize) {
        self.heard().most = bytes;
    }

    pub(crate) fn be_deaf(&self) {
        self.heard().is_deaf = true;
    }

    pub(crate) fn heard(&self) -> MutexGuard<'_, Heard> {
        locked(&self.heard)
    }

    /// Texts of the messages of syslog, or of the lines of posts that were taken.
    pub(crate) fn texts(&self) -> Vec<String> {
        let heard = self.heard();
        let messages =
            heard.messages.iter().map(|message| message.splitn(8, ' ').nth(7).expect("has a text").to_owned());
        let taken = heard.posts.iter().filter(|post| post.status == 200).flat_map(|post| &post.lines);
        messages.chain(taken.map(|line| line["message"].as_str().expect("is text").to_owned())).collect()
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        if let Some(serving) = &self.serving {
            serving.abort();
        }
    }
}

fn locked(heard: &Mutex<Heard>) -> MutexGuard<'_, Heard> {
    heard.lock().expect("is whole")
}

async fn attend(stream: TcpStream, tls: Option<TlsAcceptor>, heard: Arc<Mutex<Heard>>, is_http: bool) {
    match tls {
        // One that does not trust us goes away.
        Some(tls) => match tls.accept(stream).await {
            Ok(stream) if is_http => posts(stream, heard).await,
            Ok(stream) => messages(stream, heard).await,
            Err(_) => {}
        },
        None => messages(stream, heard).await,
    }
}

/// Messages with their lengths before them: RFC 6587, 3.4.1.
async fn messages(mut stream: impl AsyncRead + Unpin, heard: Arc<Mutex<Heard>>) {
    if locked(&heard).is_deaf {
        std::future::pending::<()>().await;
    }
    let mut bytes = Vec::new();
    while stream.read_buf(&mut bytes).await.is_ok_and(|read| read > 0) {
        while let Some(digits) = bytes.iter().position(|byte| *byte == b' ') {
            let length: usize =
                std::str::from_utf8(&bytes[..digits]).expect("is text").parse().expect("a length is before a message");
            let end = digits + 1 + length;
            if bytes.len() < end {
                break;
            }
            let message = String::from_utf8_lossy(&bytes[digits + 1..end]).into_owned();
            locked(&heard).messages.push(message);
            bytes.drain(..end);
        }
    }
}

async fn posts(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, heard: Arc<Mutex<Heard>>) {
    let service = service_fn(move |request| post(heard.clone(), request));
    let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}

async fn post(heard: Arc<Mutex<Heard>>, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    assert_eq!(
        (request.method().as_str(), &request.headers()["content-type"]),
        ("POST", &"application/json".parse().expect("one"))
    );
    let path = request.uri().to_string();
    let authorization = request.headers().get("authorization").map(|value| value.to_str().expect("is text").to_owned());
    let body = request.into_body().collect().await.expect("is read").to_bytes();
    let lines: Vec<Value> = serde_json::from_slice(&body).expect("is a list");
    let mut heard = locked(&heard);
    let status = if body.len() > heard.most { 413 } else { heard.status };
    heard.posts.push(Post { path, authorization, lines, status });
    Ok(Response::builder().status(status).body(Full::from("Not\nnow")).expect("is an answer"))
}
