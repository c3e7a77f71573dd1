//! Whether the services that operators run beside Skypanel do what they are there for.
//!
//! Only admins name them, and they usually have private addresses, so every address may be connected to here.

use std::sync::Arc;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use hyper::Method;
use serde_json::{Value, json};

use crate::network::{Guard, HttpAnswer, HttpClient, HttpRequest, Networks, SystemResolver};
use crate::settings::{HttpAddress, Settings};
use crate::{Error, Result};

/// Most characters of a refusal that are passed on.
const SHOWN: usize = 200;

/// Has the Loki of the settings answer a query; none where they name none.
pub async fn ask_log_store(settings: &Settings, now: DateTime<Utc>) -> Result<Option<()>> {
    let Some(address) = settings.logs_loki_url.get() else { return Ok(None) };
    ask_loki(address, &settings.logs_loki_tenant, now).await.map(Some)
}

/// Has the Prometheus of the settings answer a query; none where they name none.
pub async fn ask_metrics_source(settings: &Settings) -> Result<Option<()>> {
    let Some(address) = settings.metrics_prometheus_url.get() else { return Ok(None) };
    check_prometheus(address).await.map(|_| Some(()))
}

/// Has a Loki take one line, with the label `job="skypanel-check"`. Answers what was seen.
pub async fn check_loki(address: &HttpAddress, tenant: &str, now: DateTime<Utc>) -> Result<String> {
    let nanoseconds = now.timestamp_nanos_opt().unwrap_or_default().to_string();
    let line = json!([nanoseconds, "Skypanel tries whether this Loki takes lines."]);
    let body = json!({ "streams": [{ "stream": { "job": "skypanel-check" }, "values": [line] }] });
    let mut headers = of_tenant(tenant);
    headers.push(("content-type", "application/json".to_owned()));
    let answer = call(address, "The Loki", Method::POST, "/loki/api/v1/push", headers, body.to_string()).await?;
    if !(200..300).contains(&answer.status) {
        return Err(refused("The Loki", "did not take a line", &answer));
    }
    Ok("The Loki took a line, labelled job=\"skypanel-check\".".to_owned())
}

/// Has a Loki answer which labels the last minute has, and leaves nothing in it.
pub async fn ask_loki(address: &HttpAddress, tenant: &str, now: DateTime<Utc>) -> Result<()> {
    let seconds = now.timestamp();
    let path = format!("/loki/api/v1/labels?start={}000000000&end={seconds}000000000", seconds - 60);
    let answer = call(address, "The Loki", Method::GET, &path, of_tenant(tenant), String::new()).await?;
    let told: Option<Value> = serde_json::from_slice(&answer.body).ok();
    if answer.status != 200 || told.is_none_or(|told| told["status"] != "success") {
        return Err(refused("The Loki", "did not answer a query", &answer));
    }
    Ok(())
}

/// Has a Prometheus answer a query. Answers what was seen.
pub async fn check_prometheus(address: &HttpAddress) -> Result<String> {
    let path = "/api/v1/query?query=count(up)";
    let answer = call(address, "The Prometheus", Method::GET, path, Vec::new(), String::new()).await?;
    let told: Option<Value> = serde_json::from_slice(&answer.body).ok();
    let result =
        told.as_ref().filter(|told| told["status"] == "success").and_then(|told| told["data"]["result"].as_array());
    let (200, Some(result)) = (answer.status, result) else {
        return Err(refused("The Prometheus", "did not answer a query", &answer));
    };
    let targets = result.first().and_then(|vector| vector["value"][1].as_str()).unwrap_or("0");
    Ok(format!("The Prometheus answers queries; it watches {targets} targets."))
}

fn of_tenant(tenant: &str) -> Vec<(&'static str, String)> {
    if tenant.is_empty() { Vec::new() } else { vec![("x-scope-orgid", tenant.to_owned())] }
}

async fn call(
    address: &HttpAddress,
    who: &str,
    method: Method,
    path: &str,
    headers: Vec<(&'static str, String)>,
    body: String,
) -> Result<HttpAnswer> {
    let client = HttpClient::new(Guard::new(Arc::new(SystemResolver), Networks::all()));
    let request = HttpRequest {
        method,
        tls: address.tls,
        host: address.host.clone(),
        port: address.port,
        path: format!("{}{path}", address.prefix),
        headers,
        body: Bytes::from(body),
    };
    client.call(request).await.map_err(|reason| Error::Upstream(format!("{who} cannot be reached. {reason}")))
}

fn refused(who: &str, what: &str, answer: &HttpAnswer) -> Error {
    let text: String = String::from_utf8_lossy(&answer.body)
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(SHOWN)
        .collect();
    let text = text.trim();
    let said = if text.is_empty() { String::new() } else { format!(": {text}") };
    Error::Upstream(format!("{who} {what}; it answered {}{said}. Check its address and its own log.", answer.status))
}
