//! Requests made up from the OpenAPI document: what the handlers can read, for those who may not send it.

use serde_json::{Map, Value, json};

/// A body that the handler can read: what is refused is refused for who asks.
pub(crate) fn body(document: &Value, operation: &Value) -> Option<(String, String)> {
    let (content_type, content) = operation["requestBody"]["content"].as_object()?.iter().next()?;
    if content_type != "application/json" {
        return Some((content_type.clone(), "NAME=value".to_owned()));
    }
    Some((content_type.clone(), example(document, &content["schema"], 0).to_string()))
}

/// A value of a schema: its example, its first choice, or the least of its type.
fn example(document: &Value, schema: &Value, depth: u8) -> Value {
    if depth > 6 {
        return Value::Null;
    }
    if let Some(reference) = schema["$ref"].as_str() {
        let name = reference.rsplit('/').next().unwrap_or_default();
        return example(document, &document["components"]["schemas"][name], depth + 1);
    }
    if let Some(value) = schema.get("example").or_else(|| schema["enum"].get(0)) {
        return value.clone();
    }
    for choice in ["oneOf", "anyOf"] {
        if let Some(list) = schema[choice].as_array() {
            let first = list.iter().find(|schema| schema["type"] != "null").unwrap_or(&Value::Null);
            return example(document, first, depth + 1);
        }
    }
    if let Some(list) = schema["allOf"].as_array() {
        let parts = list.iter().map(|schema| example(document, schema, depth + 1));
        let merged = parts.filter_map(|part| part.as_object().cloned()).flatten().collect::<Map<_, _>>();
        return Value::Object(merged);
    }
    let kind = match &schema["type"] {
        Value::Array(list) => list.iter().filter_map(Value::as_str).find(|kind| *kind != "null").unwrap_or("null"),
        kind => kind.as_str().unwrap_or("null"),
    };
    match kind {
        "object" => {
            let required = schema["required"].as_array().cloned().unwrap_or_default();
            let property = |name: &Value| {
                let name = name.as_str()?;
                Some((name.to_owned(), example(document, &schema["properties"][name], depth + 1)))
            };
            Value::Object(required.iter().filter_map(property).collect())
        }
        "array" => json!([]),
        "integer" | "number" => schema.get("minimum").cloned().unwrap_or_else(|| json!(1)),
        "boolean" => json!(true),
        "string" => match schema["format"].as_str() {
            Some("uuid") => json!(uuid::Uuid::nil()),
            Some("date-time") => json!("2026-03-01T00:00:00Z"),
            _ => json!("a value"),
        },
        _ => Value::Null,
    }
}
