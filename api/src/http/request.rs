//! Around every request: its id, its line in the log, its time limit, and the headers that every answer has.

use std::net::SocketAddr;
use std::panic::AssertUnwindSafe;
use std::time::{Duration, Instant};

use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use futures_util::FutureExt as _;
use tracing::Instrument as _;

use crate::error::ApiError;
use crate::http::Shared;
use crate::http::client::Client;

/// Longest a request may take until its answer begins. Live streams begin at once and go on longer.
pub(crate) const TIME_LIMIT: Duration = Duration::from_secs(60);
/// The same for uploads of archives, which also have to keep coming.
const UPLOAD_LIMIT: Duration = Duration::from_secs(3600);
/// Where those go.
const UPLOADS: &str = "/api/paas/apps/{app}/deploy/archive";
/// Header of the request's id.
pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

tokio::task_local! {
    static CURRENT: Context;
}

/// What is known of the request that is being answered.
#[derive(Clone, Debug)]
struct Context {
    id: String,
}

/// The address that a connection comes from; put into every request by the server.
#[derive(Clone, Copy, Debug)]
pub struct Peer(pub SocketAddr);

/// The id of the request that this task answers.
pub(crate) fn current_id() -> Option<String> {
    CURRENT.try_with(|context| context.id.clone()).ok()
}

/// The same request in a task of its own: its id and its place in the log.
pub(crate) fn carried_on<F: Future>(work: F) -> impl Future<Output = F::Output> {
    let context = CURRENT.try_with(Clone::clone).unwrap_or_else(|_| Context { id: String::new() });
    skypanel_core::request::within(context.id.clone(), CURRENT.scope(context, work.in_current_span()))
}

/// The layer.
pub(crate) async fn answer(State(shared): State<Shared>, mut request: Request, next: Next) -> Response {
    let id = skypanel_core::request::new_id();
    let route = request.extensions().get::<MatchedPath>().map_or("", MatchedPath::as_str).to_owned();
    let span = tracing::info_span!(
        "request",
        id,
        method = %request.method(),
        route = route.as_str(),
        user = tracing::field::Empty,
    );
    if let Some(peer) = request.extensions().get::<Peer>() {
        let client = Client::of(request.headers(), peer.0, &shared.options.trusted_proxies);
        request.extensions_mut().insert(client);
    }
    let limit = time_limit(&route);
    let started = Instant::now();
    let header_id = HeaderValue::from_str(&id).unwrap_or_else(|_| HeaderValue::from_static("unknown"));
    let answered = CURRENT.scope(
        Context { id: id.clone() },
        async {
            let mut response = bounded(limit, next.run(request)).await;
            let milliseconds = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
            tracing::info!(status = response.status().as_u16(), milliseconds, "answered");
            response.headers_mut().insert(REQUEST_ID, header_id);
            secure(&mut response, shared.is_encrypted());
            response
        }
        .instrument(span),
    );
    // The jobs that follow from it know it, too.
    skypanel_core::request::within(id, answered).await
}

/// The answer, or what there is to say when there is none.
async fn bounded(limit: Duration, work: impl Future<Output = Response>) -> Response {
    // What a panic left behind is dropped with its request; everything shared is behind transactions or locks.
    match tokio::time::timeout(limit, AssertUnwindSafe(work).catch_unwind()).await {
        Ok(Ok(response)) => response,
        Ok(Err(_)) => {
            tracing::error!("a handler panicked");
            broke_down().into_response()
        }
        Err(_) => given_up(limit).into_response(),
    }
}

/// The error of a request that panicked.
pub(crate) fn broke_down() -> ApiError {
    let message = "Skypanel failed at this. The operator finds the reason in its log under this request id.";
    ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, "SYSTEM_ERROR", message)
}

/// The error of a request that took too long.
pub(crate) fn given_up(limit: Duration) -> ApiError {
    let message = format!("This took longer than {} s and was given up. Try again.", limit.as_secs());
    ApiError::new(StatusCode::GATEWAY_TIMEOUT, "TIMEOUT", message)
}

/// Longest that a request of this route may take.
fn time_limit(route: &str) -> Duration {
    if route == UPLOADS { UPLOAD_LIMIT } else { TIME_LIMIT }
}

/// Headers that keep browsers from doing with an answer what it is not for. An answer may bring its own.
fn secure(response: &mut Response, encrypted: bool) {
    let headers = response.headers_mut();
    if encrypted {
        // Of this host alone: apps below it may have no certificate.
        headers.insert(header::STRICT_TRANSPORT_SECURITY, HeaderValue::from_static("max-age=31536000"));
    }
    for (name, value) in [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
        (header::CACHE_CONTROL, "no-store"),
    ] {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uploads_have_the_time_they_need() {
        assert!(crate::openapi().paths.paths.contains_key(UPLOADS), "is a route");
        assert_eq!(time_limit(UPLOADS), UPLOAD_LIMIT);
        assert_eq!(time_limit("/api/paas/apps/{app}/deploy"), TIME_LIMIT);
    }

    async fn answered(work: impl Future<Output = Response>) -> (StatusCode, serde_json::Value) {
        let response = bounded(Duration::from_millis(10), work).await;
        let status = response.status();
        let body = axum::body::to_bytes(response.into_body(), 10_000).await.expect("ends");
        (status, serde_json::from_slice(&body).expect("is JSON"))
    }

    #[tokio::test]
    async fn a_panic_is_answered() {
        let (status, body) = answered(async { panic!("on purpose") }).await;
        assert_eq!((status, &body["code"]), (StatusCode::INTERNAL_SERVER_ERROR, &"SYSTEM_ERROR".into()));
        assert!(!body.to_string().contains("on purpose"), "{body}");
    }

    #[tokio::test]
    async fn what_takes_too_long_is_given_up() {
        let (status, body) = answered(std::future::pending()).await;
        assert_eq!((status, &body["code"]), (StatusCode::GATEWAY_TIMEOUT, &"TIMEOUT".into()));
    }
}
