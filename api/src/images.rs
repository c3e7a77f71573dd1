//! The image endpoint: the pull half of the OCI distribution specification 1.1, straight from the blob store.
//! Everything is addressed by digest, so names are checked for their form and mean nothing else.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::json;
use skypanel_core::blob::{BlobError, BlobKey, BlobReader, Blobs};
use skypanel_core::model::Sha256Digest;
use tokio::io::AsyncReadExt as _;
use tokio_util::io::ReaderStream;

use crate::layer;

/// Largest manifest there can be: engines refuse larger ones.
const MAX_MANIFEST: u64 = 4 * 1024 * 1024;
/// Longest the blob store may take until it begins to answer.
const OPEN_LIMIT: Duration = Duration::from_secs(30);
/// Layers whose raw sizes are remembered; the oldest knowledge is dropped whole beyond that.
const MAX_KNOWN: usize = 8_192;
/// Longest name of a repository, as most registries have it.
const MAX_NAME: usize = 255;
const MANIFEST_TYPE: &str = "application/vnd.oci.image.manifest.v1+json";

/// State of the endpoint. Layers are stored compressed while the engine wants to know their raw size: manifests
/// tell it, and every pull begins with one.
#[derive(Clone)]
struct Images {
    blobs: Blobs,
    raw_sizes: Arc<Mutex<HashMap<Sha256Digest, u64>>>,
}

/// The routes, to be served on a loopback address only.
pub(crate) fn routes(blobs: Blobs) -> Router {
    // One fallback in place of routes: a repository's name holds slashes and what follows it is at the end.
    Router::new().fallback(serve).with_state(Images { blobs, raw_sizes: Arc::default() })
}

/// An error in the form of the specification.
#[derive(Debug, PartialEq, Eq)]
struct Refusal(StatusCode, &'static str, &'static str);

const UNKNOWN_PATH: Refusal = Refusal(StatusCode::NOT_FOUND, "UNSUPPORTED", "there is nothing at this path");
const NAME_INVALID: Refusal = Refusal(StatusCode::BAD_REQUEST, "NAME_INVALID", "invalid repository name");
const DIGEST_INVALID: Refusal =
    Refusal(StatusCode::BAD_REQUEST, "DIGEST_INVALID", "digests are sha256:<64 hex digits>");
const MANIFEST_UNKNOWN: Refusal = Refusal(StatusCode::NOT_FOUND, "MANIFEST_UNKNOWN", "manifest unknown");
const BLOB_UNKNOWN: Refusal = Refusal(StatusCode::NOT_FOUND, "BLOB_UNKNOWN", "blob unknown");
const UNSUPPORTED: Refusal = Refusal(StatusCode::METHOD_NOT_ALLOWED, "UNSUPPORTED", "images can only be pulled here");
const UNAVAILABLE: Refusal =
    Refusal(StatusCode::SERVICE_UNAVAILABLE, "UNAVAILABLE", "the blob store does not answer; Skypanel's log says why");

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let Self(status, code, message) = self;
        (status, axum::Json(json!({ "errors": [{ "code": code, "message": message }] }))).into_response()
    }
}

/// What a path asks for.
#[derive(Debug, PartialEq, Eq)]
enum Wanted<'a> {
    Version,
    Manifest(Sha256Digest),
    Tag,
    Blob(Sha256Digest),
    Tags(&'a str),
}

fn wanted(path: &str) -> Result<Wanted<'_>, Refusal> {
    let rest = match path {
        "/v2" | "/v2/" => return Ok(Wanted::Version),
        _ => path.strip_prefix("/v2/").ok_or(UNKNOWN_PATH)?,
    };
    let named = |name: &str| if is_name(name) { Ok(()) } else { Err(NAME_INVALID) };
    if let Some(name) = rest.strip_suffix("/tags/list") {
        named(name)?;
        return Ok(Wanted::Tags(name));
    }
    let (front, reference) = rest.rsplit_once('/').ok_or(UNKNOWN_PATH)?;
    let (name, kind) = front.rsplit_once('/').ok_or(UNKNOWN_PATH)?;
    match kind {
        "manifests" => {
            named(name)?;
            if !reference.contains(':') {
                return Ok(Wanted::Tag);
            }
            Ok(Wanted::Manifest(reference.parse().map_err(|_| DIGEST_INVALID)?))
        }
        "blobs" => {
            named(name)?;
            Ok(Wanted::Blob(reference.parse().map_err(|_| DIGEST_INVALID)?))
        }
        _ => Err(UNKNOWN_PATH),
    }
}

/// `[a-z0-9]+(([._]|__|-+)[a-z0-9]+)*` between slashes.
fn is_name(name: &str) -> bool {
    let component = |text: &str| {
        let alphanumeric = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        let separators = text.as_bytes().split(alphanumeric).filter(|run| !run.is_empty());
        let ends = |byte: Option<&u8>| byte.is_some_and(alphanumeric);
        ends(text.as_bytes().first())
            && ends(text.as_bytes().last())
            && separators.into_iter().all(|run| matches!(run, b"." | b"_" | b"__") || run.iter().all(|b| *b == b'-'))
    };
    name.len() <= MAX_NAME && name.split('/').all(component)
}

async fn serve(State(images): State<Images>, method: Method, uri: Uri, headers: HeaderMap) -> Response {
    let answered = if matches!(method, Method::GET | Method::HEAD) {
        images.answer(&uri, &headers, method == Method::HEAD).await
    } else {
        Err(UNSUPPORTED)
    };
    let mut response = answered.unwrap_or_else(IntoResponse::into_response);
    response.headers_mut().insert("docker-distribution-api-version", HeaderValue::from_static("registry/2.0"));
    response
}

impl Images {
    async fn answer(&self, uri: &Uri, headers: &HeaderMap, head: bool) -> Result<Response, Refusal> {
        match wanted(uri.path())? {
            Wanted::Version => Ok(axum::Json(json!({})).into_response()),
            // Images have no tags; clients that list them want an answer all the same.
            Wanted::Tags(name) => Ok(axum::Json(json!({ "name": name, "tags": [] })).into_response()),
            Wanted::Tag => Err(MANIFEST_UNKNOWN),
            Wanted::Manifest(digest) => self.manifest(digest).await,
            Wanted::Blob(digest) => {
                if let Some(unchanged) = unchanged(headers, digest) {
                    return Ok(unchanged);
                }
                self.blob(digest, head).await
            }
        }
    }

    async fn manifest(&self, digest: Sha256Digest) -> Result<Response, Refusal> {
        let Some((reader, bytes)) = self.open(&BlobKey::image(digest)).await? else { return Err(MANIFEST_UNKNOWN) };
        if bytes > MAX_MANIFEST {
            return Err(MANIFEST_UNKNOWN);
        }
        let content = read_whole(reader, digest).await?;
        // Configurations lie beside manifests, and are none.
        let manifest: Manifest = serde_json::from_slice(&content).map_err(|_| MANIFEST_UNKNOWN)?;
        self.remember(&manifest);
        let media_type = HeaderValue::from_str(&manifest.media_type).map_err(|_| MANIFEST_UNKNOWN)?;
        Ok(described(digest, media_type, Some(bytes), Body::from(content)))
    }

    async fn blob(&self, digest: Sha256Digest, head: bool) -> Result<Response, Refusal> {
        let octets = HeaderValue::from_static("application/octet-stream");
        let raw_size = self.raw_sizes.lock().unwrap_or_else(PoisonError::into_inner).get(&digest).copied();
        let config = BlobKey::image(digest);
        if raw_size.is_none()
            && let Some((reader, bytes)) = self.open(&config).await?
        {
            let body = if head { Body::empty() } else { Body::from_stream(ReaderStream::new(reader)) };
            return Ok(described(digest, octets, Some(bytes), body));
        }
        for key in [BlobKey::slug(digest), BlobKey::layer(digest)] {
            if let Some((reader, _)) = self.open(&key).await? {
                let body = if head { Body::empty() } else { Body::from_stream(layer::unpacked(reader)) };
                return Ok(described(digest, octets, raw_size, body));
            }
        }
        Err(BLOB_UNKNOWN)
    }

    async fn open(&self, key: &BlobKey) -> Result<Option<(BlobReader, u64)>, Refusal> {
        match tokio::time::timeout(OPEN_LIMIT, self.blobs.get(key)).await {
            Ok(Ok(opened)) => Ok(Some(opened)),
            Ok(Err(BlobError::Missing(_))) => Ok(None),
            Ok(Err(error)) => {
                tracing::warn!(%error, %key, "an image could not be read");
                Err(UNAVAILABLE)
            }
            Err(_) => {
                tracing::warn!(%key, limit = ?OPEN_LIMIT, "the blob store did not answer in time");
                Err(UNAVAILABLE)
            }
        }
    }

    fn remember(&self, manifest: &Manifest) {
        let mut known = self.raw_sizes.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() + manifest.layers.len() > MAX_KNOWN {
            known.clear();
        }
        known.extend(manifest.layers.iter().take(MAX_KNOWN).map(|layer| (layer.digest, layer.size)));
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Manifest {
    #[serde(default = "manifest_type")]
    media_type: String,
    layers: Vec<Layer>,
}

fn manifest_type() -> String {
    MANIFEST_TYPE.to_owned()
}

#[derive(Deserialize)]
struct Layer {
    digest: Sha256Digest,
    size: u64,
}

async fn read_whole(mut reader: BlobReader, digest: Sha256Digest) -> Result<Vec<u8>, Refusal> {
    let mut content = Vec::new();
    match tokio::time::timeout(OPEN_LIMIT, reader.read_to_end(&mut content)).await {
        Ok(Ok(_)) => Ok(content),
        failed => {
            tracing::warn!(%digest, ?failed, "a manifest could not be read");
            Err(UNAVAILABLE)
        }
    }
}

fn etag(digest: Sha256Digest) -> String {
    format!("\"{digest}\"")
}

fn unchanged(headers: &HeaderMap, digest: Sha256Digest) -> Option<Response> {
    let asked = headers.get(header::IF_NONE_MATCH)?.to_str().ok()?;
    let same = asked.split(',').any(|tag| tag.trim().trim_start_matches("W/") == etag(digest));
    same.then(|| (StatusCode::NOT_MODIFIED, [(header::ETAG, etag(digest))]).into_response())
}

fn described(digest: Sha256Digest, media_type: HeaderValue, bytes: Option<u64>, body: Body) -> Response {
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, media_type);
    if let Some(bytes) = bytes {
        headers.insert(header::CONTENT_LENGTH, bytes.into());
    }
    for (name, value) in [("docker-content-digest", digest.to_string()), ("etag", etag(digest))] {
        if let Ok(value) = HeaderValue::from_str(&value) {
            headers.insert(name, value);
        }
    }
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("max-age=31536000, immutable"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_the_specification() {
        for good in ["hello", "stacks/skypanel-12", "a.b", "a_b", "a__b", "a---b", "0", "a/b/c"] {
            assert!(is_name(good), "{good}");
        }
        for bad in
            ["", "/", "a//b", "a/", "/a", "A", "a..b", "a___b", ".a", "a-", "../a", "a/../b", "a%2e", "a b", "ä", "a\0"]
        {
            assert!(!is_name(bad), "{bad:?}");
        }
        assert!(is_name(&"a".repeat(MAX_NAME)));
        assert!(!is_name(&"a".repeat(MAX_NAME + 1)));
    }

    #[test]
    fn paths_are_read_from_their_end() {
        let digest = Sha256Digest::of(b"x");
        assert_eq!(wanted("/v2/"), Ok(Wanted::Version));
        assert_eq!(wanted(&format!("/v2/a/manifests/{digest}")), Ok(Wanted::Manifest(digest)));
        assert_eq!(wanted(&format!("/v2/a/blobs/blobs/{digest}")), Ok(Wanted::Blob(digest)));
        assert_eq!(wanted("/v2/a/b/tags/list"), Ok(Wanted::Tags("a/b")));
        assert_eq!(wanted("/v2/a/manifests/latest"), Ok(Wanted::Tag));
    }

    #[test]
    fn hostile_paths_are_refused() {
        let digest = Sha256Digest::of(b"x");
        for (path, refusal) in [
            ("/", UNKNOWN_PATH),
            ("/v2/_catalog", UNKNOWN_PATH),
            ("/v2/a", UNKNOWN_PATH),
            ("/v2/manifests/x", UNKNOWN_PATH),
            ("/v2/a/uploads/x", UNKNOWN_PATH),
            ("/v2/a/blobs/", DIGEST_INVALID),
            ("/v2/a/blobs/..", DIGEST_INVALID),
            ("/v2/a/blobs/sha256:..%2f..%2fetc%2fpasswd", DIGEST_INVALID),
            ("/v2/a/manifests/sha256:00", DIGEST_INVALID),
            ("/v2/a/manifests/sha512:00", DIGEST_INVALID),
            (&format!("/v2/../etc/blobs/{digest}"), NAME_INVALID),
            (&format!("/v2/A/blobs/{digest}"), NAME_INVALID),
            (&format!("/v2/%61/manifests/{digest}"), NAME_INVALID),
            (&format!("/v2//blobs/{digest}"), NAME_INVALID),
        ] {
            assert_eq!(wanted(path), Err(refusal), "{path}");
        }
    }
}
