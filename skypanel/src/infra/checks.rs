//! Whether each service does what it is there for: not only that it answers, but that it takes a line, scrapes us,
//! routes a request.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use hyper::Method;
use serde_json::Value;
use skypanel_core::network::{Guard, HttpAnswer, HttpClient, HttpRequest, Networks, SystemResolver};
use skypanel_core::probes;
use skypanel_core::settings::HttpAddress;

use super::Ground;
use super::part::Part;

/// What was seen, or what is wrong, in words.
pub(super) type Outcome = Result<String, String>;

/// Whether the edge routes a request: one for a host that no app has ends at the platform's own page.
pub(super) async fn of_edge(ground: &Ground<'_>) -> Outcome {
    let address = SocketAddr::from(([127, 0, 0, 1], ground.config.edge_http_port));
    let answer = call(address, "/").await?;
    if answer.status == 404 && String::from_utf8_lossy(&answer.body).contains("There is no app here") {
        Ok("It routed a request to the platform.".to_owned())
    } else {
        Err(format!("It answered {} where the platform's own page was to be. Is `skypanel up` running?", answer.status))
    }
}

/// Whether a part works.
pub(super) async fn of_part(ground: &Ground<'_>, part: Part) -> Outcome {
    let address = part.listen(&ground.settings);
    match part {
        Part::Loki => loki(ground, address).await,
        Part::Prometheus => prometheus(ground, address).await,
        Part::Alertmanager => {
            expect(&call(address, "/-/ready").await?)?;
            Ok("It is ready for alerts.".to_owned())
        }
        Part::NodeExporter => {
            let answer = call(address, "/metrics?collect[]=cpu").await?;
            expect(&answer)?;
            if holds(&answer, "node_cpu_seconds_total") {
                Ok("It measures this machine.".to_owned())
            } else {
                Err("Its answer holds no CPU time of this machine.".to_owned())
            }
        }
        Part::Grafana => {
            let answer = call(address, "/api/health").await?;
            expect(&answer)?;
            let told: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
            match told["database"].as_str() {
                Some("ok") => Ok("It serves its dashboards.".to_owned()),
                other => Err(format!("Its database is {}.", other.unwrap_or("silent"))),
            }
        }
    }
}

async fn loki(ground: &Ground<'_>, address: SocketAddr) -> Outcome {
    let at = HttpAddress { tls: false, host: address.ip().to_string(), port: address.port(), prefix: String::new() };
    let now = ground.store.clock().now();
    probes::check_loki(&at, &ground.settings.logs_loki_tenant, now).await.map_err(|error| error.to_string())
}

/// Whether it scrapes the platform and its agent, and every other part that runs.
async fn prometheus(ground: &Ground<'_>, address: SocketAddr) -> Outcome {
    let running = ground.stack.running().await.map_err(|error| error.to_string())?;
    let mut jobs = vec!["skypanel", "skypanel-agent"];
    jobs.extend(
        [(Part::NodeExporter, "node"), (Part::Alertmanager, "alertmanager"), (Part::Loki, "loki")]
            .iter()
            .filter_map(|(part, job)| running.contains(part).then_some(*job)),
    );
    let answer = call(address, "/api/v1/query?query=up").await?;
    expect(&answer)?;
    let told: Value =
        serde_json::from_slice(&answer.body).map_err(|error| format!("Its answer is not JSON: {error}."))?;
    let targets = told["data"]["result"].as_array().map(Vec::as_slice).unwrap_or_default();
    let is_up = |job: &str| targets.iter().any(|target| target["metric"]["job"] == job && target["value"][1] == "1");
    let down: Vec<&str> = jobs.iter().copied().filter(|job| !is_up(job)).collect();
    if down.is_empty() {
        Ok(format!("It scrapes {}.", jobs.join(", ")))
    } else {
        Err(format!("It does not scrape {}; its page /targets says why.", down.join(", ")))
    }
}

async fn call(address: SocketAddr, path: &str) -> Result<HttpAnswer, String> {
    // Whoever set these addresses is the operator.
    let client = HttpClient::new(Guard::new(Arc::new(SystemResolver), Networks::all()));
    let request = HttpRequest {
        method: Method::GET,
        tls: false,
        host: address.ip().to_string(),
        port: address.port(),
        path: path.to_owned(),
        headers: Vec::new(),
        body: Bytes::new(),
    };
    client.call(request).await
}

fn expect(answer: &HttpAnswer) -> Result<(), String> {
    if answer.status == 200 { Ok(()) } else { Err(format!("It answered {}.", answer.status)) }
}

fn holds(answer: &HttpAnswer, text: &str) -> bool {
    String::from_utf8_lossy(&answer.body).contains(text)
}
