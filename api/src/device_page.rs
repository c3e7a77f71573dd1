//! `/device`: where a person enters the code that `skypanel login` shows, and lets the terminal in or not. It works
//! with the API alone, as anybody's page could; script and style are files of their own, so that the content policy
//! allows no other.

use axum::Router;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use crate::http::Shared;

const PAGE: &str = include_str!("device_page/device.html");
const SCRIPT: &str = include_str!("device_page/device.js");
const STYLE: &str = include_str!("device_page/device.css");
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; base-uri 'none'; \
                      form-action 'none'; frame-ancestors 'none'";

/// The page and its parts.
pub(crate) fn routes() -> Router<Shared> {
    Router::new()
        .route("/device", get(async || served("text/html; charset=utf-8", PAGE)))
        .route("/device/device.css", get(async || served("text/css; charset=utf-8", STYLE)))
        .route("/device/device.js", get(async || served("text/javascript; charset=utf-8", SCRIPT)))
}

fn served(content_type: &'static str, body: &'static str) -> Response {
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(content_type)),
        (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY)),
    ];
    (StatusCode::OK, headers, body).into_response()
}
