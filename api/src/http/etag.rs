//! `ETag` on what is read: a client that asks again sends it back as `If-None-Match`, and an answer that did not change
//! is 304 without a body.

use axum::body::{Body, HttpBody as _, to_bytes};
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use skypanel_core::model::Sha256Digest;

/// Largest answer that is given a tag, in bytes. Larger ones are streams or downloads.
const MAX_TAGGED: u64 = 4 * 1024 * 1024;

/// The layer.
pub(crate) async fn tag(request: Request, next: Next) -> Response {
    let wanted = (request.method() == Method::GET).then(|| request.headers().get(header::IF_NONE_MATCH).cloned());
    let response = next.run(request).await;
    let Some(known) = wanted else { return response };
    let bounded = response.body().size_hint().exact().is_some_and(|bytes| bytes <= MAX_TAGGED);
    if response.status() != StatusCode::OK || !is_json(response.headers()) || !bounded {
        return response;
    }
    let (mut parts, body) = response.into_parts();
    let Ok(bytes) = to_bytes(body, usize::try_from(MAX_TAGGED).unwrap_or(usize::MAX)).await else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    let tag = format!("\"{}\"", &Sha256Digest::of(&bytes).hex()[..32]);
    let same = known.as_ref().and_then(|value| value.to_str().ok()).is_some_and(|known| names(known, &tag));
    if let Ok(value) = HeaderValue::from_str(&tag) {
        parts.headers.insert(header::ETAG, value);
    }
    // May be kept by its reader alone, who must ask each time whether it still holds.
    parts.headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    if same {
        parts.status = StatusCode::NOT_MODIFIED;
        parts.headers.remove(header::CONTENT_LENGTH);
        parts.headers.remove(header::CONTENT_TYPE);
        return Response::from_parts(parts, Body::empty());
    }
    Response::from_parts(parts, Body::from(bytes))
}

fn is_json(headers: &HeaderMap) -> bool {
    headers.get(header::CONTENT_TYPE).is_some_and(|value| value.as_bytes().starts_with(b"application/json"))
}

/// Whether a list of tags names this one; proxies may have made it a weak one.
fn names(list: &str, tag: &str) -> bool {
    list.split(',').map(str::trim).any(|known| known == "*" || known.trim_start_matches("W/") == tag)
}

#[cfg(test)]
mod tests {
    use super::names;

    #[test]
    fn a_tag_is_found_in_every_form_of_the_header() {
        assert!(
            names("\"a\"", "\"a\"")
                && names("W/\"a\"", "\"a\"")
                && names("\"b\", \"a\"", "\"a\"")
                && names("*", "\"a\"")
        );
        assert!(!names("\"b\"", "\"a\"") && !names("", "\"a\"") && !names("a", "\"a\""));
    }
}
