//! Writes that a browser sends for a page of another site are refused, before anything else looks at them. Programs
//! that are no browsers send neither header.

use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};

use crate::error::ApiError;
use crate::http::Shared;

/// The layer.
pub(crate) async fn check(State(shared): State<Shared>, request: Request, next: Next) -> Response {
    let reads = matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS);
    if reads || is_ours(request.headers(), &shared.options.public_url) {
        return next.run(request).await;
    }
    ApiError::new(
        StatusCode::FORBIDDEN,
        "CROSS_SITE",
        "This request comes from a page of another site, and those may change nothing here.",
    )
    .into_response()
}

/// Whether a request comes from one of our own pages, or from a program that is no browser.
pub(crate) fn is_ours(headers: &HeaderMap, public_url: &str) -> bool {
    let text = |name| headers.get(name).map(|value| value.to_str().unwrap_or("unreadable"));
    // `same-site` is no better than `cross-site`: apps of other tenants may live under the same domain.
    if text(header::HeaderName::from_static("sec-fetch-site"))
        .is_some_and(|site| !matches!(site, "same-origin" | "none"))
    {
        return false;
    }
    let Some(origin) = text(header::ORIGIN) else { return true };
    let Some((_, authority)) = origin.split_once("://") else { return false };
    origin == public_url || text(header::HOST).is_some_and(|host| host.eq_ignore_ascii_case(authority))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_own_pages_and_programs_may_write() {
        let ours = |pairs: &[(&'static str, &'static str)]| {
            let headers = pairs
                .iter()
                .map(|(name, value)| (header::HeaderName::from_static(name), header::HeaderValue::from_static(value)));
            is_ours(&headers.collect(), "https://paas.example")
        };
        assert!(ours(&[]));
        assert!(ours(&[("origin", "https://paas.example"), ("host", "127.0.0.1:8080")]));
        assert!(ours(&[("origin", "http://127.0.0.1:8080"), ("host", "127.0.0.1:8080")]));
        assert!(ours(&[("sec-fetch-site", "same-origin")]));
        assert!(!ours(&[("sec-fetch-site", "cross-site")]));
        assert!(!ours(&[("sec-fetch-site", "same-site")]));
        assert!(!ours(&[("origin", "https://shop.paas.example"), ("host", "paas.example")]));
        assert!(!ours(&[("origin", "null"), ("host", "paas.example")]));
    }
}
