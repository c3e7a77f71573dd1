//! What a Prometheus answers, and the series that are made of it.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::Deserialize;
use skypanel_core::measurements::{NodeUsage, Point, Replica, Series, Traffic};
use skypanel_core::model::AppId;

use super::super::columns::{Layout, node};
use super::expressions::{ERRORS, P95, PERCENTILES, REQUESTS, Which};

/// An answer of the HTTP API.
#[derive(Debug, Deserialize)]
pub(super) struct Answer {
    pub(super) status: String,
    pub(super) error: Option<String>,
    data: Option<Data>,
}

#[derive(Debug, Deserialize)]
struct Data {
    result: Vec<Found>,
}

/// One series of it. Whatever Prometheus it is: labels and values are looked at before they are believed.
#[derive(Debug, Deserialize)]
struct Found {
    metric: Labels,
    #[serde(default)]
    values: Vec<(f64, String)>,
    value: Option<(f64, String)>,
}

#[derive(Debug, Default, Deserialize)]
struct Labels {
    #[serde(default)]
    column: String,
    process: Option<String>,
    replica: Option<String>,
    node: Option<String>,
    app_id: Option<String>,
}

impl Labels {
    /// None where it is of the whole; an error where it is of no replica.
    fn of(&self) -> Result<Option<Replica>, skypanel_core::Error> {
        match (&self.process, &self.replica) {
            (Some(process), Some(replica)) => format!("{process}.{replica}").parse().map(Some),
            _ => Ok(None),
        }
    }
}

/// The series of one layout, put together from the answers for each of their values.
pub(super) struct Collected {
    layout: Layout,
    step: u64,
    /// Points by the beginning of their step, of each replica and column.
    series: BTreeMap<(Option<Replica>, usize), BTreeMap<i64, Point>>,
}

impl Collected {
    pub(super) fn new(layout: Layout, step: u64) -> Self {
        Self { layout, step, series: BTreeMap::new() }
    }

    /// Takes in an answer. That of the means comes first: where there is none, there is no point.
    pub(super) fn take(&mut self, which: Which, answer: Answer) {
        for found in answer.data.into_iter().flat_map(|data| data.result) {
            let (Some(column), Ok(of)) = (self.column(&found.metric.column), found.metric.of()) else { continue };
            let points = self.series.entry((of, column)).or_default();
            for (time, value) in found.values {
                let Some(value) = value.parse::<f64>().ok().filter(|value| value.is_finite()) else { continue };
                #[expect(clippy::cast_possible_truncation, reason = "seconds since 1970")]
                let begins = time as i64 - i64::try_from(self.step).unwrap_or(0);
                match which {
                    Which::Mean => {
                        let at = DateTime::from_timestamp(begins, 0).unwrap_or_default();
                        points.insert(begins, Point { at, mean: value, max: value, p95: value });
                    }
                    Which::Max => {
                        points.entry(begins).and_modify(|point| point.max = value);
                    }
                    Which::P95 => {
                        points.entry(begins).and_modify(|point| point.p95 = value);
                    }
                }
            }
        }
    }

    /// The place of a column by its name; percentiles come behind the layout's own.
    fn column(&self, name: &str) -> Option<usize> {
        if name.is_empty() {
            return None;
        }
        let columns = self.layout.columns();
        let known = columns.iter().position(|column| column.name == name);
        let percentile = || PERCENTILES.iter().position(|(known, _)| *known == name).map(|place| columns.len() + place);
        known.or_else(|| percentile().filter(|_| self.layout == Layout::Router))
    }

    /// All of them, in the order of the embedded store.
    pub(super) fn series(self) -> Vec<Series> {
        let columns = self.layout.columns();
        let step = Duration::from_secs(self.step);
        let named = |place: usize| match columns.get(place) {
            Some(column) => (column.name, column.unit),
            None => (PERCENTILES[place - columns.len()].0, "seconds"),
        };
        self.series
            .into_iter()
            .filter(|(_, points)| !points.is_empty())
            .map(|((of, place), points)| {
                let (name, unit) = named(place);
                Series { name, unit, of, step, points: points.into_values().collect() }
            })
            .collect()
    }
}

/// What each node uses, from the answer for all columns at one moment.
pub(super) fn nodes(answer: Answer, now: DateTime<Utc>) -> BTreeMap<String, NodeUsage> {
    let mut nodes: BTreeMap<String, NodeUsage> = BTreeMap::new();
    for Found { metric, value, .. } in answer.data.into_iter().flat_map(|data| data.result) {
        let value = value.and_then(|(_, value)| value.parse::<f64>().ok()).filter(|value| value.is_finite());
        let columns = Layout::Node.columns();
        let column = columns.iter().position(|column| column.name == metric.column);
        let (Some(name), Some(column), Some(value)) = (metric.node, column, value) else { continue };
        let usage = nodes.entry(name).or_insert(NodeUsage {
            at: now,
            cpu_cores: 0.0,
            memory_bytes: 0.0,
            memory_limit_bytes: 0.0,
            disk_bytes: 0.0,
            disk_limit_bytes: 0.0,
            load: 0.0,
            containers: 0.0,
        });
        match column {
            node::CPU => usage.cpu_cores = value,
            node::MEMORY => usage.memory_bytes = value,
            node::MEMORY_LIMIT => usage.memory_limit_bytes = value,
            node::DISK => usage.disk_bytes = value,
            node::DISK_LIMIT => usage.disk_limit_bytes = value,
            node::LOAD => usage.load = value,
            node::CONTAINERS => usage.containers = value,
            _ => {}
        }
    }
    nodes
}

/// What the edges counted of each app's requests, from the answer for all columns at one moment.
pub(super) fn traffic(answer: Answer) -> BTreeMap<AppId, Traffic> {
    let mut all: BTreeMap<AppId, Traffic> = BTreeMap::new();
    for Found { metric, value, .. } in answer.data.into_iter().flat_map(|data| data.result) {
        let value = value.and_then(|(_, value)| value.parse::<f64>().ok()).filter(|value| value.is_finite());
        let app = metric.app_id.and_then(|id| id.parse().ok().map(AppId));
        let (Some(app), Some(value)) = (app, value) else { continue };
        let traffic = all.entry(app).or_default();
        match metric.column.as_str() {
            REQUESTS => traffic.requests = value,
            ERRORS => traffic.errors = value,
            P95 => traffic.p95_seconds = Some(value),
            _ => {}
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn answer(result: &Value) -> Answer {
        let answer = json!({ "status": "success", "data": { "resultType": "matrix", "result": result } });
        serde_json::from_value(answer).expect("is one")
    }

    #[test]
    fn answers_become_series() {
        let cpu = |values: Value| json!({ "metric": { "column": "cpu", "process": "web", "replica": "2" }, "values": values });
        let mut collected = Collected::new(Layout::Replica, 60);
        collected.take(
            Which::Mean,
            answer(&json!([
                cpu(json!([[120, "0.25"], [180, "NaN"], [240, "0.5"]])),
                { "metric": { "column": "memory", "process": "web", "replica": "10" }, "values": [[120, "7"]] },
                { "metric": { "column": "memory", "process": "web", "replica": "x" }, "values": [[120, "7"]] },
                { "metric": { "column": "response_time_p50" }, "values": [[120, "7"]] },
                { "metric": { "column": "" }, "values": [[120, "7"]] },
                { "metric": {}, "values": [] },
            ])),
        );
        collected.take(Which::Max, answer(&json!([cpu(json!([[120, "1"], [180, "3"]]))])));
        collected.take(Which::P95, answer(&json!([cpu(json!([[120, "0.75"]]))])));
        let series = collected.series();
        let names: Vec<_> = series.iter().map(|series| (series.name, series.of.clone().map(|of| of.number))).collect();
        assert_eq!(names, [("cpu", Some(2)), ("memory", Some(10))]);
        let at = |seconds| DateTime::from_timestamp(seconds, 0).expect("is a time");
        let points = [
            Point { at: at(60), mean: 0.25, max: 1.0, p95: 0.75 },
            Point { at: at(180), mean: 0.5, max: 0.5, p95: 0.5 },
        ];
        assert_eq!((series[0].unit, &series[0].points[..]), ("cores", &points[..]));
    }

    #[test]
    fn traffic_is_put_together() {
        let app = AppId::new();
        let value = |app: &str, column: &str, value: &str| json!({ "metric": { "app_id": app, "column": column }, "value": [1, value] });
        let id = app.to_string();
        let told = answer(&json!([
            value(&id, "requests", "200"), value(&id, "requests_5xx", "50"), value(&id, "response_time_p95", "NaN"),
            value("../x", "requests", "1"), { "metric": { "column": "requests" }, "value": [1, "1"] },
        ]));
        let expected = Traffic { requests: 200.0, errors: 50.0, p95_seconds: None };
        assert_eq!(traffic(told), BTreeMap::from([(app, expected)]));
    }

    #[test]
    fn nodes_are_put_together() {
        let value = |node: &str, column: &str, value: &str| json!({ "metric": { "node": node, "column": column }, "value": [1, value] });
        let told = answer(&json!([
            value("one", "cpu", "0.5"), value("one", "disk_limit", "10"), value("two", "cpu", "NaN"), value("one", "x", "1"),
            { "metric": { "column": "cpu" }, "value": [1, "1"] },
        ]));
        let now = DateTime::from_timestamp(1_800_000_000, 0).expect("is a time");
        let nodes = nodes(told, now);
        assert_eq!(nodes.keys().collect::<Vec<_>>(), ["one"]);
        assert!((nodes["one"].cpu_cores - 0.5).abs() < 1e-9 && (nodes["one"].disk_limit_bytes - 10.0).abs() < 1e-9);
    }
}
