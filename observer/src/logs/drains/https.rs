//! Lines as JSON, posted to an HTTPS endpoint in batches.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use hyper::Method;
use serde_json::{Value, json};
use skypanel_core::logs::{LogLevel, LogRecord};
use skypanel_core::model::DrainAddress;
use skypanel_core::network::{HttpClient, HttpRequest};

use super::run::{Origin, Outcome};

/// Most characters of a refusal that are passed on.
const SHOWN: usize = 200;

pub(super) async fn post(
    http: &HttpClient,
    address: &DrainAddress,
    origin: &Origin<'_>,
    records: &[LogRecord],
) -> Outcome {
    let lines: Vec<Value> = records.iter().map(|record| line(origin, record)).collect();
    let mut headers = vec![("content-type", "application/json".to_owned())];
    headers.extend(
        address.login.as_ref().map(|login| ("authorization", format!("Basic {}", BASE64_STANDARD.encode(login)))),
    );
    let request = HttpRequest {
        method: Method::POST,
        tls: true,
        host: address.host.clone(),
        port: address.port,
        path: address.path.clone(),
        headers,
        body: Value::from(lines).to_string().into(),
    };
    let answer = match http.call(request).await {
        Ok(answer) => answer,
        Err(why) => return Outcome::Failed(why),
    };
    let text = String::from_utf8_lossy(&answer.body);
    let text: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(SHOWN).collect();
    let why = format!("It answered {}: {}", answer.status, text.trim());
    match answer.status {
        200..300 => Outcome::Taken,
        // It understood that it does not want these lines; the same lines are not offered again.
        400 | 406 | 415 | 422 => Outcome::Refused(why),
        413 => Outcome::TooMany(why),
        _ => Outcome::Failed(why),
    }
}

fn line(origin: &Origin<'_>, record: &LogRecord) -> Value {
    json!({
        "timestamp": record.at,
        "app": origin.app,
        "node": origin.node,
        "source": record.source.as_str(),
        "process": record.process,
        "level": record.level.map(LogLevel::as_str),
        "message": String::from_utf8_lossy(&record.text),
        "continues": record.continues,
    })
}
