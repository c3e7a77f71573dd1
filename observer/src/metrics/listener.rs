//! Answers a Prometheus that asks this node for what it measures. Without authentication, so it listens where only those
//! reach it who may know; by default that is this machine.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode, header};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Mutex;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::collector::Collector;
use super::{edge, exposition};

/// Longest a connection may last.
const CONNECTION_LIMIT: Duration = Duration::from_secs(60);
/// Longest that a request's head may take.
const HEAD_LIMIT: Duration = Duration::from_secs(5);
/// Most connections at once.
const CONNECTIONS: usize = 8;
/// Pause after a connection that could not be taken, which may be for want of file descriptors.
const PAUSE: Duration = Duration::from_millis(100);

/// Serves until cancelled. Where the address cannot be had, that is told, and everything else goes on.
pub(super) async fn serve(address: SocketAddr, collector: Arc<Mutex<Collector>>, cancel: &CancellationToken) {
    let listener = match TcpListener::bind(address).await {
        Ok(listener) => listener,
        Err(error) => {
            tracing::warn!(%address, %error, "a Prometheus cannot ask this node; set metrics_listen to another address");
            return;
        }
    };
    // Those that are left end with this.
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            () = cancel.cancelled() => break,
            Some(_) = connections.join_next() => {}
            accepted = listener.accept(), if connections.len() < CONNECTIONS => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(tokio::time::timeout(CONNECTION_LIMIT, converse(stream, collector.clone())));
                }
                Err(error) => {
                    tracing::debug!(%error, "a connection could not be taken");
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }
    connections.shutdown().await;
}

async fn converse(stream: TcpStream, collector: Arc<Mutex<Collector>>) {
    let service = service_fn(|request| {
        let collector = collector.clone();
        async move { Ok::<_, Infallible>(answer(&request, &collector).await) }
    });
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_LIMIT)
        .serve_connection(TokioIo::new(stream), service);
    if let Err(error) = connection.await {
        tracing::debug!(%error, "a connection broke");
    }
}

async fn answer(request: &Request<Incoming>, collector: &Mutex<Collector>) -> Response<Full<Bytes>> {
    if request.uri().path() != "/metrics" {
        return told(StatusCode::NOT_FOUND, "There is /metrics only.\n".to_owned());
    }
    if request.method() != Method::GET && request.method() != Method::HEAD {
        return told(StatusCode::METHOD_NOT_ALLOWED, "It can be read only.\n".to_owned());
    }
    let (mut text, edge, node, ids) = {
        let mut collector = collector.lock().await;
        let measured = collector.recent().await;
        let Some(node) = collector.node().map(str::to_owned) else {
            return told(StatusCode::SERVICE_UNAVAILABLE, "The engine has not told this node's name yet.\n".to_owned());
        };
        (exposition::text(&measured, &node), collector.edge(), node, collector.ids().clone())
    };
    if let Some(address) = edge {
        let before = text.len();
        let passed = edge::pass_on(address, |line, slug| {
            let app = slug.and_then(|slug| Some((slug, ids.get(slug)?.to_string())));
            text.push_str(&exposition::line_of_edge(line, app, &node));
            text.push('\n');
        });
        if let Err(error) = passed.await {
            tracing::debug!(error, "the edge does not tell what it counts");
            // A part of it would look as if the rest had ended.
            text.truncate(before);
        }
    }
    told(StatusCode::OK, text)
}

fn told(status: StatusCode, text: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(text)));
    *response.status_mut() = status;
    let kind = header::HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}
