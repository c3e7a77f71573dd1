//! What the edge counts: requests, how they ended, how long they took, and their bytes, for each app.

mod scrape;
pub(crate) mod text;

use std::collections::HashMap;
use std::net::SocketAddr;

use self::text::Sample;
use super::columns::BOUNDS;
use super::counters::EdgeCounters;

/// How the names of services of apps begin and end.
const SERVICE: (&str, &str) = ("app-", "@file");
/// What the names of what is counted for services begin with.
const OF_SERVICES: &str = "traefik_service_";

/// What the edge has counted since it was started.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Edge {
    /// When that was, in seconds since 1970.
    pub(crate) started: f64,
    /// By the slug of the app.
    pub(crate) apps: HashMap<String, EdgeCounters>,
}

impl Edge {
    /// Asks the edge.
    pub(crate) async fn ask(address: SocketAddr) -> Result<Self, String> {
        let mut edge = Self::default();
        scrape::lines(address, |line| edge.note(line)).await?;
        Ok(edge)
    }

    fn note(&mut self, line: &str) {
        if let Some(value) = line.strip_prefix("process_start_time_seconds ") {
            self.started = value.trim().parse().unwrap_or(0.0);
        }
        let Some(kind) = line.strip_prefix(OF_SERVICES) else { return };
        let Some(sample) = Sample::parse(line) else { return };
        let (Some(slug), Some(value)) = (sample.label("service").and_then(slug), sample.value()) else { return };
        if !value.is_finite() || value < 0.0 {
            return;
        }
        let is = |name: &str| kind.starts_with(name) && kind[name.len()..].starts_with('{');
        let app = match self.apps.get_mut(slug) {
            Some(app) => app,
            None => self.apps.entry(slug.to_owned()).or_default(),
        };
        if is("requests_total") {
            app.requests += value;
            let class = sample.label("code").and_then(|code| code.bytes().next()).unwrap_or(b'0');
            if let Some(of_class) = app.classes.get_mut(usize::from(class.wrapping_sub(b'2'))) {
                *of_class += value;
            }
        } else if is("requests_bytes_total") {
            app.request_bytes += value;
        } else if is("responses_bytes_total") {
            app.response_bytes += value;
        } else if is("request_duration_seconds_bucket") {
            let bound = sample.label("le").and_then(|bound| bound.parse::<f64>().ok());
            let place = bound.and_then(|bound| {
                if bound.is_infinite() {
                    Some(BOUNDS.len())
                } else {
                    BOUNDS.iter().position(|known| known.total_cmp(&bound).is_eq())
                }
            });
            if let Some(place) = place {
                app.within[place] += value;
            }
        }
    }
}

/// The slug of the app that a service is of.
fn slug(service: &str) -> Option<&str> {
    service.strip_prefix(SERVICE.0)?.strip_suffix(SERVICE.1)
}

/// Has `take` each line of what the edge tells of requests, with the slug of the app that it is of. Comments come too.
pub(crate) async fn pass_on(address: SocketAddr, mut take: impl FnMut(&str, Option<&str>)) -> Result<(), String> {
    scrape::lines(address, |line| {
        let of = line.strip_prefix("# HELP ").or_else(|| line.strip_prefix("# TYPE ")).unwrap_or(line);
        if of.starts_with("traefik_") {
            take(line, Sample::parse(line).and_then(|sample| sample.label("service")).and_then(slug));
        }
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_the_edge_are_counted_by_app() {
        let told = r#"
# TYPE traefik_service_requests_total counter
process_start_time_seconds 1.79597262473e+09
traefik_service_requests_total{code="200",method="GET",protocol="http",service="app-shop@file"} 7
traefik_service_requests_total{code="204",method="POST",protocol="http",service="app-shop@file"} 1
traefik_service_requests_total{code="404",method="GET",protocol="http",service="app-shop@file"} 2
traefik_service_requests_total{code="0",method="GET",protocol="http",service="app-shop@file"} 1
traefik_service_requests_total{code="502",method="GET",protocol="http",service="app-blog-2@file"} 3
traefik_service_requests_total{code="200",method="GET",protocol="http",service="unknown@file"} 9
traefik_service_requests_bytes_total{code="200",method="GET",protocol="http",service="app-shop@file"} 100
traefik_service_responses_bytes_total{code="200",method="GET",protocol="http",service="app-shop@file"} 2.73e+02
traefik_service_request_duration_seconds_bucket{code="200",method="GET",service="app-shop@file",le="0.005"} 5
traefik_service_request_duration_seconds_bucket{code="200",method="GET",service="app-shop@file",le="10"} 6
traefik_service_request_duration_seconds_bucket{code="200",method="GET",service="app-shop@file",le="+Inf"} 7
traefik_service_request_duration_seconds_bucket{code="404",method="GET",service="app-shop@file",le="+Inf"} 2
traefik_service_request_duration_seconds_bucket{code="200",method="GET",service="app-shop@file",le="0.3"} 6
traefik_service_request_duration_seconds_sum{code="200",method="GET",service="app-shop@file"} 0.5
traefik_service_requests_total{code="200",service="app-shop@file"} NaN
traefik_service_requests_total{code="200",service="app-shop@file" broken
traefik_router_requests_total{code="200",router="app-shop@file",service="app-shop@file"} 7
"#;
        let mut edge = Edge::default();
        told.lines().for_each(|line| edge.note(line));
        let mut within = [0.0; BOUNDS.len() + 1];
        (within[0], within[10], within[11]) = (5.0, 6.0, 9.0);
        let shop = EdgeCounters {
            requests: 11.0,
            classes: [8.0, 0.0, 2.0, 0.0],
            request_bytes: 100.0,
            response_bytes: 273.0,
            within,
        };
        let blog = EdgeCounters { requests: 3.0, classes: [0.0, 0.0, 0.0, 3.0], ..EdgeCounters::default() };
        let apps = HashMap::from([("shop".to_owned(), shop), ("blog-2".to_owned(), blog)]);
        assert_eq!(edge, Edge { started: 1_795_972_624.73, apps });
    }
}
