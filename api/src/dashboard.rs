//! The dashboard: its files, which are part of this program, and its page for every address that people come to.

use std::io::Read as _;

use axum::Router;
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{MethodRouter, get};
use flate2::read::GzDecoder;

use crate::http::Shared;
use crate::pages;

/// Nothing from other origins, no inline script but the page's own, no inline style, and no text that becomes markup. A test
/// holds its hash against the page.
const POLICY: &str = "default-src 'none'; \
                      script-src 'self' 'sha256-pF9OXlkQhjlp/pLVzezzqWkqga71L1NddHbFUMlLv/U='; style-src 'self'; \
                      img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; \
                      frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'";
/// Names with a hash of what is in them: another content has another name.
const ASSETS: &str = "/assets/";
/// Where the start page for programs is, too.
const INDEX: &str = "/index.html";

/// A file of the dashboard in the forms that clients take.
struct File {
    path: &'static str,
    gzip: &'static [u8],
    brotli: &'static [u8],
}

/// Written by build.rs.
const FILES: &[File] = &include!(concat!(env!("OUT_DIR"), "/dashboard.rs"));

/// All files but the page.
pub(crate) fn routes() -> Router<Shared> {
    let files = FILES.iter().filter(|file| file.path != INDEX);
    files.fold(Router::new(), |router, file| router.route(file.path, served(file)))
}

fn served(file: &'static File) -> MethodRouter<Shared> {
    get(async move |headers: HeaderMap| file.answer(&headers))
}

/// Whether this is a browser that goes to an address, rather than a program or a script.
pub(crate) fn is_visit(method: &Method, path: &str, headers: &HeaderMap) -> bool {
    let read = *method == Method::GET || *method == Method::HEAD;
    // What an old page still asks for is not to be answered with a page.
    read && pages::accepts_html(headers) && !path.starts_with(ASSETS)
}

/// For whatever no other route is for: the dashboard, which knows its own addresses.
pub(crate) async fn page_or_nothing(request: Request) -> Response {
    if is_visit(request.method(), request.uri().path(), request.headers()) {
        return page(request.headers());
    }
    pages::nothing_here(request.headers())
}

/// The page of the dashboard.
pub(crate) fn page(headers: &HeaderMap) -> Response {
    match FILES.iter().find(|file| file.path == INDEX) {
        Some(file) => file.answer(headers),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

impl File {
    fn answer(&self, headers: &HeaderMap) -> Response {
        let is_page = self.path == INDEX;
        // The page names the files of one version, and has to be that of the server.
        let caching = if self.path.starts_with(ASSETS) { "public, max-age=31536000, immutable" } else { "no-cache" };
        let mut response = self.body(headers);
        let fields = response.headers_mut();
        fields.insert(header::CONTENT_TYPE, HeaderValue::from_static(self.kind()));
        fields.insert(header::CACHE_CONTROL, HeaderValue::from_static(caching));
        fields.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        fields.insert(
            header::VARY,
            HeaderValue::from_static(if is_page { "accept, accept-encoding" } else { "accept-encoding" }),
        );
        if is_page {
            fields.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
        }
        response
    }

    fn body(&self, headers: &HeaderMap) -> Response {
        if accepts(headers, "br") {
            return ([(header::CONTENT_ENCODING, "br")], self.brotli).into_response();
        }
        if accepts(headers, "gzip") {
            return ([(header::CONTENT_ENCODING, "gzip")], self.gzip).into_response();
        }
        let mut text = Vec::new();
        match GzDecoder::new(self.gzip).read_to_end(&mut text) {
            Ok(_) => text.into_response(),
            Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        }
    }

    fn kind(&self) -> &'static str {
        match self.path.rsplit_once('.').map(|(_, extension)| extension) {
            Some("html") => "text/html; charset=utf-8",
            Some("js") => "text/javascript; charset=utf-8",
            Some("css") => "text/css; charset=utf-8",
            Some("svg") => "image/svg+xml",
            Some("json") => "application/json",
            _ => "application/octet-stream",
        }
    }
}

/// Whether the client takes a coding; one with the weight 0 it does not take.
fn accepts(headers: &HeaderMap, coding: &str) -> bool {
    let wanted = headers.get_all(header::ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    wanted.flat_map(|value| value.split(',')).any(|one| {
        let (name, weight) = one.split_once(';').unwrap_or((one, ""));
        name.trim().eq_ignore_ascii_case(coding) && !matches!(weight.trim(), "q=0" | "q=0.0" | "q=0.00" | "q=0.000")
    })
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use sha2::Digest as _;

    use super::*;

    fn headers(name: header::HeaderName, value: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(name, HeaderValue::from_static(value))])
    }

    #[test]
    fn codings_are_taken_by_name_and_weight() {
        let takes = |value, coding| accepts(&headers(header::ACCEPT_ENCODING, value), coding);
        assert!(takes("gzip, deflate, br, zstd", "br"));
        assert!(takes("gzip;q=0.5", "gzip"));
        assert!(!takes("br;q=0, gzip", "br"));
        assert!(!takes("brotli", "br"));
        assert!(!accepts(&HeaderMap::new(), "gzip"));
    }

    #[test]
    fn the_policy_names_the_script_in_the_page() {
        let file = FILES.iter().find(|file| file.path == INDEX).expect("the page is built");
        let mut page = String::new();
        GzDecoder::new(file.gzip).read_to_string(&mut page).expect("the build compressed it");
        let scripts: Vec<&str> = page.split("<script>").skip(1).collect();
        let [script] = scripts[..] else { panic!("one script stands in the page, not {}", scripts.len()) };
        let (script, _) = script.split_once("</script>").expect("it ends");
        let hash = base64::engine::general_purpose::STANDARD.encode(sha2::Sha256::digest(script));
        assert!(POLICY.contains(&format!("'sha256-{hash}'")), "the script's hash is {hash}");
    }

    #[test]
    fn only_browsers_that_go_somewhere_get_the_page() {
        let browser = headers(header::ACCEPT, "text/html,application/xhtml+xml,*/*;q=0.8");
        assert!(is_visit(&Method::GET, "/apps/hello", &browser));
        assert!(!is_visit(&Method::POST, "/apps/hello", &browser));
        assert!(!is_visit(&Method::GET, "/assets/gone.js", &browser));
        assert!(!is_visit(&Method::GET, "/apps/hello", &headers(header::ACCEPT, "*/*")));
    }
}
