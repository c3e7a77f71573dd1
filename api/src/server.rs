//! The HTTP server below both routers: limits on connections and on slow clients, and an end in bounded time.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use skypanel_core::network::Networks;
use skypanel_core::{Error, Result};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tower::util::MapRequest;

use crate::connections::Connections;
use crate::http::request::Peer;

/// Most bytes of a request's line and headers.
const MAX_HEAD: usize = 32 * 1024;
/// Longest a client may take for a request's head, and longest an idle connection is kept.
const HEAD_LIMIT: Duration = Duration::from_secs(30);
/// How long connections of people are kept for further requests.
const PEOPLE_KEPT: Duration = Duration::from_secs(60);
/// Longest one connection of a person may live: live streams are taken up again by their clients after that.
const PEOPLE_LIMIT: Duration = Duration::from_secs(3600);
/// Longest one connection of the engine may live: several layers of some GB.
const ENGINE_LIMIT: Duration = Duration::from_secs(4 * 3600);
/// Longest the requests in flight may take once the server is told to stop.
const STOP_LIMIT: Duration = Duration::from_secs(5);

/// Whom a listener serves, which says how long a connection may live.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Patience {
    /// Browsers, scripts and the edge.
    People,
    /// The engine, which pulls layers.
    Engine,
}

/// Listens on `address`. `what` and `setting` are for the operator's eyes when that fails.
pub(crate) async fn bind(address: SocketAddr, what: &str, setting: &str) -> Result<TcpListener> {
    TcpListener::bind(address).await.map_err(|error| {
        Error::System(match error.kind() {
            ErrorKind::AddrInUse => format!(
                "{what} cannot listen on {address}: another program uses that port. Stop it, or choose another \
                 address with {setting}."
            ),
            ErrorKind::AddrNotAvailable => format!(
                "{what} cannot listen on {address}: this machine has no such address. Choose another with {setting}."
            ),
            ErrorKind::PermissionDenied => format!(
                "{what} cannot listen on {address}: this user may not. Run as root, or choose a port from 1024 on \
                 with {setting}."
            ),
            _ => format!("{what} cannot listen on {address} ({setting}): {error}."),
        })
    })
}

/// Serves `routes` until `cancel`.
pub(crate) async fn run(
    listener: TcpListener,
    routes: Router,
    patience: Patience,
    trusted: &Networks,
    cancel: &CancellationToken,
) {
    let places = Connections::new(trusted.clone());
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            () = cancel.cancelled() => break,
            Some(_) = connections.join_next() => continue,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, peer)) => {
                let Some(place) = places.open(peer.ip()) else {
                    tracing::debug!(%peer, "a connection was refused: there are too many");
                    continue;
                };
                let (routes, cancel) = (routes.clone(), cancel.clone());
                connections.spawn(async move {
                    serve(stream, peer, routes, patience, &cancel).await;
                    drop(place);
                });
            }
            Err(error) => {
                // Out of descriptors, mostly: that passes when connections end.
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
        }
    }
    drop(listener);
    let ended = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(STOP_LIMIT, ended).await.is_err() {
        tracing::warn!(left = connections.len(), "requests were cut off at shutdown");
        connections.shutdown().await;
    }
}

async fn serve(stream: TcpStream, peer: SocketAddr, routes: Router, patience: Patience, cancel: &CancellationToken) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "a connection ended early");
        return;
    }
    let routes = MapRequest::new(routes, move |mut request: hyper::Request<hyper::body::Incoming>| {
        request.extensions_mut().insert(Peer(peer));
        request
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_LIMIT)
        .max_header_size(MAX_HEAD)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(routes))
        .with_upgrades();
    let mut connection = std::pin::pin!(connection);
    // Kept-alive connections of people are closed between two requests after a while, or cut if one hangs.
    let (graceful, hard) = match patience {
        Patience::People => (PEOPLE_KEPT, PEOPLE_LIMIT),
        Patience::Engine => (ENGINE_LIMIT / 2, ENGINE_LIMIT),
    };
    let aged = async {
        tokio::select! {
            () = cancel.cancelled() => {}
            () = tokio::time::sleep(graceful) => {}
        }
    };
    let served = async {
        tokio::select! {
            ended = connection.as_mut() => return ended,
            () = aged => {}
        }
        connection.as_mut().graceful_shutdown();
        connection.await
    };
    match tokio::time::timeout(hard, served).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!(%error, "a connection ended early"),
        Err(_) => tracing::debug!("a connection was cut off for its age"),
    }
}
