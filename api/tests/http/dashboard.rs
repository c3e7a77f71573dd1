//! The dashboard as the binary serves it: its page at every address, its files for ever, and everything compressed.

use std::io::Read as _;

use crate::serving::{Serving, request};

const BROWSER: &str = "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8\r\n";

#[tokio::test(flavor = "multi_thread")]
async fn browsers_get_the_dashboard_at_every_address_that_is_nothing_else() {
    let serving = Serving::start().await;
    for path in ["/", "/apps", "/apps/hello/deployments", "/sign-in?to=/apps", "/no/such/page"] {
        let (head, body) = request(serving.api, "GET", path, BROWSER).await;
        assert!(head.starts_with("HTTP/1.1 200"), "{path}: {head}");
        for line in ["content-type: text/html", "cache-control: no-cache", "vary: accept, accept-encoding"] {
            assert!(head.contains(line), "{line} is missing for {path}: {head}");
        }
        let policy = head.lines().find(|line| line.starts_with("content-security-policy: ")).expect("has a policy");
        for part in ["default-src 'none'", "script-src 'self'", "style-src 'self'", "connect-src 'self'"] {
            assert!(policy.contains(part), "{part} is missing: {policy}");
        }
        assert!(!policy.contains("unsafe") && !policy.contains("http"), "{policy}");
        let page = String::from_utf8(body).expect("is text");
        assert!(page.contains("<div id=\"root\">"), "{page}");
        // The policy would keep anything else that is inline, or from elsewhere, from working.
        assert_eq!(page.matches("<script>").count(), policy.matches(" 'sha256-").count(), "{policy}");
        for inline in ["<style", " style=", " onload=", "javascript:", "://"] {
            assert!(!page.contains(inline), "{inline} is in the page: {page}");
        }
        let (head, body) = request(serving.api, "HEAD", path, BROWSER).await;
        assert!(head.starts_with("HTTP/1.1 200") && body.is_empty(), "{path}: {head}");
    }
    serving.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn programs_writes_and_other_parts_never_get_it() {
    let serving = Serving::start().await;
    for (method, path, accept, status) in [
        ("GET", "/apps", "Accept: */*\r\n", 404),
        ("POST", "/apps", BROWSER, 404),
        ("GET", "/api/no/such", BROWSER, 404),
        ("GET", "/assets/gone-12345678.js", BROWSER, 404),
        ("GET", "/_edge/unknown", BROWSER, 404),
        ("GET", "/metrics", BROWSER, 401),
        ("GET", "/device", BROWSER, 200),
    ] {
        let (head, body) = request(serving.api, method, path, accept).await;
        assert!(head.starts_with(&format!("HTTP/1.1 {status}")), "{method} {path}: {head}");
        assert!(!String::from_utf8_lossy(&body).contains("<div id=\"root\">"), "{method} {path}");
    }
    serving.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn its_files_are_kept_for_ever_and_sent_in_the_form_that_the_client_takes() {
    let serving = Serving::start().await;
    let (_, page) = request(serving.api, "GET", "/", BROWSER).await;
    let page = String::from_utf8(page).expect("is text");
    let files: Vec<&str> = page.split('"').filter(|part| part.starts_with("/assets/")).collect();
    assert!(files.len() >= 2, "a script and a style: {page}");
    for path in files {
        let (head, plain) = request(serving.api, "GET", path, "").await;
        assert!(head.starts_with("HTTP/1.1 200"), "{path}: {head}");
        let kind = if path.contains(".js") { "text/javascript" } else { "text/css" };
        for line in [
            &format!("content-type: {kind}"),
            "cache-control: public, max-age=31536000, immutable",
            "vary: accept-encoding",
            "x-content-type-options: nosniff",
        ] {
            assert!(head.contains(line), "{line} is missing for {path}: {head}");
        }
        assert!(!head.contains("content-encoding"), "{head}");
        let (head, gzip) = request(serving.api, "GET", path, "Accept-Encoding: gzip\r\n").await;
        assert!(head.contains("content-encoding: gzip"), "{head}");
        let mut unpacked = Vec::new();
        flate2::read::GzDecoder::new(gzip.as_slice()).read_to_end(&mut unpacked).expect("is gzip");
        assert_eq!(unpacked, plain, "{path}");
        let (head, brotli) = request(serving.api, "GET", path, "Accept-Encoding: gzip, deflate, br\r\n").await;
        assert!(head.contains("content-encoding: br"), "{head}");
        assert!(brotli.len() <= gzip.len(), "{path}: {} and {}", brotli.len(), gzip.len());
    }
    let (head, _) = request(serving.api, "GET", "/favicon.svg", "").await;
    assert!(head.contains("image/svg+xml") && head.contains("cache-control: no-cache"), "{head}");
    serving.stop().await;
}
