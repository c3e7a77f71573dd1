//! Measurements as a test wants them: one replica and the edge, at two moments.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use skypanel_core::Result;
use skypanel_core::measurements::{Measurements, NodeUsage, Point, Series, Traffic};
use skypanel_core::model::AppId;

pub(crate) struct FewMeasurements;

#[async_trait]
impl Measurements for FewMeasurements {
    async fn of_app(&self, _app: AppId, _from: DateTime<Utc>, to: DateTime<Utc>) -> Result<Vec<Series>> {
        let series = |name: &'static str, unit: &'static str, of: Option<&str>, values: [f64; 2]| {
            let point = |(seconds, mean): (i64, f64)| Point {
                at: to - TimeDelta::seconds(seconds),
                mean,
                max: mean * 2.0,
                p95: mean * 1.5,
            };
            Series {
                name,
                unit,
                of: of.map(|replica| replica.parse().expect("is one")),
                step: Duration::from_secs(10),
                points: [20, 10].into_iter().zip(values).map(point).collect(),
            }
        };
        Ok(vec![
            series("cpu", "cores", Some("web.1"), [0.75, 0.25]),
            series("memory", "bytes", Some("web.1"), [4_194_304.0, 8_388_608.0]),
            series("requests", "requests_per_second", None, [8.0, 12.0]),
        ])
    }

    async fn of_node(&self, _node: &str, from: DateTime<Utc>, to: DateTime<Utc>) -> Result<Vec<Series>> {
        self.of_app(AppId::new(), from, to).await
    }

    async fn traffic(&self, _now: DateTime<Utc>) -> Result<BTreeMap<AppId, Traffic>> {
        Ok(BTreeMap::new())
    }

    async fn nodes_now(&self, now: DateTime<Utc>) -> Result<BTreeMap<String, NodeUsage>> {
        let usage = NodeUsage {
            at: now,
            cpu_cores: 0.5,
            memory_bytes: 1_073_741_824.0,
            memory_limit_bytes: 4_294_967_296.0,
            disk_bytes: 10e9,
            disk_limit_bytes: 40e9,
            load: 0.75,
            containers: 5.0,
        };
        Ok(BTreeMap::from([("one".to_owned(), usage)]))
    }
}
