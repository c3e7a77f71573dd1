//! The API's description for people: Swagger UI over `/api/openapi.json`, served from this program, without anything
//! from elsewhere.

use std::io::Read as _;

use axum::Router;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse as _, Response};
use axum::routing::get;
use flate2::read::GzDecoder;

use crate::http::Shared;

/// Nothing from other origins, and neither scripts nor styles but our files.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
                      connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// The page and what it loads.
pub(crate) fn routes() -> Router<Shared> {
    let file = |kind, bytes| get(move |headers: HeaderMap| std::future::ready(compressed(&headers, kind, bytes)));
    let script = "text/javascript; charset=utf-8";
    Router::new()
        .route("/api/docs", get(page))
        .route("/api/docs/start.js", get(|| std::future::ready(plain(script, include_str!("start.js")))))
        .route(
            "/api/docs/page.css",
            get(|| std::future::ready(plain("text/css; charset=utf-8", include_str!("page.css")))),
        )
        .route(
            "/api/docs/swagger-ui-bundle.js",
            file(script, include_bytes!(concat!(env!("OUT_DIR"), "/swagger-ui-bundle.js.gz"))),
        )
        .route(
            "/api/docs/swagger-ui.css",
            file("text/css; charset=utf-8", include_bytes!(concat!(env!("OUT_DIR"), "/swagger-ui.css.gz"))),
        )
}

async fn page() -> Response {
    let policy = HeaderValue::from_static(POLICY);
    ([(header::CONTENT_SECURITY_POLICY, policy)], Html(include_str!("page.html"))).into_response()
}

fn plain(kind: &'static str, text: &'static str) -> Response {
    ([(header::CONTENT_TYPE, kind)], text).into_response()
}

/// A file that is kept compressed, also for clients that cannot read it so.
fn compressed(headers: &HeaderMap, kind: &'static str, bytes: &'static [u8]) -> Response {
    // It changes with Skypanel only.
    let fixed: [(HeaderName, &str); 3] = [
        (header::CONTENT_TYPE, kind),
        (header::CACHE_CONTROL, "public, max-age=3600"),
        (header::VARY, "accept-encoding"),
    ];
    let accepted = headers.get(header::ACCEPT_ENCODING).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if accepted.split(',').any(|coding| coding.trim().eq_ignore_ascii_case("gzip")) {
        return (fixed, [(header::CONTENT_ENCODING, "gzip")], bytes).into_response();
    }
    let mut text = Vec::new();
    match GzDecoder::new(bytes).read_to_end(&mut text) {
        Ok(_) => (fixed, text).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}
