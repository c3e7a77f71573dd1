//! Every answer that any test of a handler gets is held against the OpenAPI document: its status and its type.

use std::sync::OnceLock;

use axum::http::{HeaderMap, Method, StatusCode, header};
use serde_json::Value;

/// Panics if the operation that was asked for never answers so, by the document.
#[track_caller]
pub(crate) fn holds(method: &Method, uri: &str, status: StatusCode, headers: &HeaderMap) {
    let Some(operation) = operation(method, uri) else { return };
    let responses = &operation["responses"];
    let response = &responses[status.as_str()];
    assert!(response.is_object(), "{method} {uri} answered {status}, which the document does not name:\n{responses:#}");
    let Some(given) = headers.get(header::CONTENT_TYPE) else { return };
    let given = given.to_str().expect("is text").split(';').next().unwrap_or_default();
    assert!(response["content"][given].is_object(), "{method} {uri} answered {status} with {given}: {response:#}");
}

/// What the document says of a request; nothing of what it does not know, such as the document itself.
fn operation(method: &Method, uri: &str) -> Option<&'static Value> {
    static DOCUMENT: OnceLock<Value> = OnceLock::new();
    let document = DOCUMENT.get_or_init(|| serde_json::to_value(skypanel_api::openapi()).expect("is JSON"));
    let path = uri.split('?').next().unwrap_or_default();
    let parts: Vec<&str> = path.split('/').collect();
    let fits = |pattern: &str| {
        let pattern: Vec<&str> = pattern.split('/').collect();
        let same = |(wanted, given): (&&str, &&str)| wanted.starts_with('{') || wanted == given;
        pattern.len() == parts.len() && pattern.iter().zip(&parts).all(same)
    };
    let paths = document["paths"].as_object().expect("has paths").iter();
    // The one with the fewest variables is what the router takes.
    let (_, item) =
        paths.filter(|(pattern, _)| fits(pattern)).min_by_key(|(pattern, _)| pattern.matches('{').count())?;
    item.get(method.as_str().to_lowercase())
}
