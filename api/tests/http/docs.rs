//! The page of the API's description: everything on it comes from here, and its policy lets nothing else in.

use std::io::Read as _;

use axum::body::to_bytes;
use axum::http::Request;
use flate2::read::GzDecoder;
use tower::ServiceExt as _;

use crate::world::World;

#[tokio::test]
async fn the_page_loads_only_what_is_served_beside_it() {
    let world = World::new().await;
    let page = world.get("/api/docs").send().await.is(200);
    assert_eq!(page.headers["content-type"], "text/html; charset=utf-8");
    let policy = page.headers["content-security-policy"].to_str().expect("is text");
    let scripts = policy.split(';').map(str::trim).find(|rule| rule.starts_with("script-src"));
    assert_eq!(scripts, Some("script-src 'self'"), "no script in the page, nor from elsewhere");
    assert!(policy.starts_with("default-src 'none';") && policy.contains("frame-ancestors 'none'"), "{policy}");
    assert!(!page.text.contains("<script>") && !page.text.contains("//"), "{}", page.text);
    let mut loaded = 0;
    for attribute in ["src=\"", "href=\""] {
        for address in page.text.split(attribute).skip(1).filter_map(|rest| rest.split('"').next()) {
            if address.starts_with("data:") {
                continue;
            }
            let answered = world.get(address).send().await.is(200);
            let wanted = match address.rsplit('.').next() {
                Some("js") => "text/javascript; charset=utf-8",
                Some("css") => "text/css; charset=utf-8",
                _ => "application/json",
            };
            assert_eq!(answered.headers["content-type"], wanted, "{address}");
            assert!(!answered.text.is_empty());
            loaded += 1;
        }
    }
    assert_eq!(loaded, 5, "two scripts, two style sheets, and the description itself");
    world.close().await;
}

#[tokio::test]
async fn the_script_travels_compressed_to_those_who_can_read_it_so() {
    let world = World::new().await;
    let path = "/api/docs/swagger-ui-bundle.js";
    let plain = world.get(path).send().await.is(200);
    assert!(!plain.headers.contains_key("content-encoding") && plain.text.contains("SwaggerUIBundle"));
    let request = Request::get(path).header("accept-encoding", "br, gzip").body(axum::body::Body::empty());
    let response = world.router.clone().oneshot(request.expect("is a request")).await.expect("answers");
    assert_eq!(response.headers()["content-encoding"], "gzip");
    assert_eq!(response.headers()["vary"], "accept-encoding");
    let bytes = to_bytes(response.into_body(), 1024 * 1024).await.expect("ends");
    let mut text = String::new();
    GzDecoder::new(bytes.as_ref()).read_to_string(&mut text).expect("is compressed text");
    assert_eq!(text, plain.text);
    world.close().await;
}
