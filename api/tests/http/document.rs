//! Every answer that any test of a handler gets is held against the OpenAPI document: its status, its type and its body.

use std::sync::OnceLock;

use axum::http::{HeaderMap, Method, StatusCode, header};
use serde_json::{Value, json};

/// Panics if the operation that was asked for never answers so, by the document.
#[track_caller]
pub(crate) fn holds(method: &Method, uri: &str, status: StatusCode, headers: &HeaderMap, body: &Value) {
    let Some(operation) = operation(method, uri) else { return };
    let responses = &operation["responses"];
    let response = &responses[status.as_str()];
    assert!(response.is_object(), "{method} {uri} answered {status}, which the document does not name:\n{responses:#}");
    let Some(given) = headers.get(header::CONTENT_TYPE) else { return };
    let given = given.to_str().expect("is text").split(';').next().unwrap_or_default();
    let content = &response["content"][given];
    assert!(content.is_object(), "{method} {uri} answered {status} with {given}: {response:#}");
    if given == "application/json" {
        let problems = problems(&content["schema"], body);
        assert!(
            problems.is_empty(),
            "{method} {uri} answered {status}, {body:#}\nwhich breaks its schema: {problems:#?}"
        );
    }
}

fn problems(schema: &Value, body: &Value) -> Vec<String> {
    let schema = json!({ "allOf": [schema], "components": document()["components"] });
    let validator = jsonschema::options().should_validate_formats(true).build(&schema).expect("is a schema");
    validator.iter_errors(body).map(|error| format!("{}: {error}", error.instance_path())).collect()
}

fn document() -> &'static Value {
    static DOCUMENT: OnceLock<Value> = OnceLock::new();
    DOCUMENT.get_or_init(|| serde_json::to_value(skypanel_api::openapi()).expect("is JSON"))
}

/// What the document says of a request; nothing of what it does not know, such as the document itself.
fn operation(method: &Method, uri: &str) -> Option<&'static Value> {
    let path = uri.split('?').next().unwrap_or_default();
    let parts: Vec<&str> = path.split('/').collect();
    let fits = |pattern: &str| {
        let pattern: Vec<&str> = pattern.split('/').collect();
        let same = |(wanted, given): (&&str, &&str)| wanted.starts_with('{') || wanted == given;
        pattern.len() == parts.len() && pattern.iter().zip(&parts).all(same)
    };
    let paths = document()["paths"].as_object().expect("has paths").iter();
    // The one with the fewest variables is what the router takes.
    let (_, item) =
        paths.filter(|(pattern, _)| fits(pattern)).min_by_key(|(pattern, _)| pattern.matches('{').count())?;
    item.get(method.as_str().to_lowercase())
}

#[test]
fn bodies_are_really_looked_at() {
    let plans = &operation(&Method::GET, "/api/paas/plans").expect("is there")["responses"]["200"];
    let schema = &plans["content"]["application/json"]["schema"];
    assert_eq!(problems(schema, &json!({ "items": [], "next_cursor": null })), Vec::<String>::new());
    assert_ne!(problems(schema, &json!({ "items": [{ "id": "no uuid" }], "next_cursor": null })), Vec::<String>::new());
    assert_ne!(problems(schema, &json!({})), Vec::<String>::new());
}
