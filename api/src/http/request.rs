//! Around every request: its id, its line in the log, its time limit, and the headers that every answer has.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use axum::extract::{MatchedPath, Request};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use tracing::Instrument as _;

use crate::error::ApiError;

/// Longest a request may take until its answer begins. Live streams begin at once and go on longer.
const TIME_LIMIT: Duration = Duration::from_secs(60);
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
    CURRENT.scope(context, work.in_current_span())
}

/// The layer.
pub(crate) async fn answer(request: Request, next: Next) -> Response {
    let id = uuid::Uuid::now_v7().simple().to_string();
    let route = request.extensions().get::<MatchedPath>().map_or("", MatchedPath::as_str).to_owned();
    let span = tracing::info_span!(
        "request",
        id,
        method = %request.method(),
        route,
        user = tracing::field::Empty,
    );
    let started = Instant::now();
    let header_id = HeaderValue::from_str(&id).unwrap_or_else(|_| HeaderValue::from_static("unknown"));
    let answered = CURRENT.scope(
        Context { id },
        async {
            let mut response = match tokio::time::timeout(TIME_LIMIT, next.run(request)).await {
                Ok(response) => response,
                Err(_) => ApiError::new(
                    StatusCode::GATEWAY_TIMEOUT,
                    "TIMEOUT",
                    format!("This took longer than {} s and was given up. Try again.", TIME_LIMIT.as_secs()),
                )
                .into_response(),
            };
            let milliseconds = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
            tracing::info!(status = response.status().as_u16(), milliseconds, "answered");
            response.headers_mut().insert(REQUEST_ID, header_id);
            secure(&mut response);
            response
        }
        .instrument(span),
    );
    answered.await
}

/// Headers that keep browsers from doing with an answer what it is not for. An answer may bring its own.
fn secure(response: &mut Response) {
    let headers = response.headers_mut();
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
