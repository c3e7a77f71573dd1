//! What the edge tells of each request, one JSON object a line on its standard output, which the agent makes lines of
//! apps' logs of. Of headers there is nothing but the request's id: the others can hold secrets.

use serde_json::{Map, Value, json};

/// Lines that wait to be written, so that no request waits for it.
const WAITING: u32 = 4_096;
/// What is told, by the edge's own names; `observer` reads these.
const FIELDS: [&str; 9] = [
    "ClientHost",
    "DownstreamContentSize",
    "DownstreamStatus",
    "OriginDuration",
    "Overhead",
    "RequestHost",
    "RequestMethod",
    "RequestPath",
    "RouterName",
];

/// Adds to the edge's static configuration that it tells of requests.
pub(crate) fn add(config: &mut Value) {
    let fields: Map<String, Value> = FIELDS.map(|field| (field.to_owned(), json!("keep"))).into_iter().collect();
    config["accessLog"] = json!({
        "format": "json",
        "bufferingSize": WAITING,
        "fields": {
            "defaultMode": "drop",
            "names": fields,
            "headers": { "defaultMode": "drop", "names": { "X-Request-Id": "keep" } },
        },
    });
}
