//! `metrics`: what an app's replicas use, and the requests it gets.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use clap::Args;
use serde_json::{Value, json};
use skypanel_core::actions::MetricsRange;
use skypanel_core::measurements::Series;

use crate::commands::context::{AppChoice, Context, Failure};
use crate::commands::table::table;

/// Arguments of `metrics`.
#[derive(Args, Debug)]
pub(crate) struct MetricsArguments {
    #[command(flatten)]
    choice: AppChoice,
    /// How far back
    #[arg(long, default_value = "1h", value_name = "1h|6h|24h|7d")]
    range: MetricsRange,
}

pub(crate) async fn show(context: &Context, arguments: &MetricsArguments) -> Result<u32, Failure> {
    let app = arguments.choice.named()?;
    let range = arguments.range;
    let metrics = context.actions().app_metrics(context.actor(), &app, range).await?;
    let json = json!({
        "range": range,
        "from": metrics.from,
        "to": metrics.to,
        "series": metrics.series.iter().map(item).collect::<Vec<_>>(),
    });
    let text = if metrics.series.is_empty() {
        format!("Nothing was measured of {app} within {range}. What runs is measured every 10 s.")
    } else {
        summary(&metrics.series)
    };
    context.tell(json, text).await
}

/// What is measured, a line each, under the replica that it is of; the app as a whole comes first.
fn summary(series: &[Series]) -> String {
    let mut groups: BTreeMap<Option<(String, u64)>, Vec<Vec<String>>> = BTreeMap::new();
    for one in series {
        let Some(last) = one.points.last() else { continue };
        let of = one.of.as_ref().map(|replica| (replica.process.to_string(), replica.number));
        let unit = Unit::of(one.unit);
        let shown = [Some(last.mean), one.mean(), one.max()]
            .map(|value| value.map_or_else(String::new, |value| unit.show(value)));
        let row = [one.name.replace('_', " ")].into_iter().chain(shown).chain([unit.name.to_owned()]).collect();
        groups.entry(of).or_default().push(row);
    }
    let tables = groups.into_iter().map(|(of, rows)| {
        let heading = of.map_or_else(|| "EDGE".to_owned(), |(process, replica)| format!("{process}.{replica}"));
        table(&[&heading, "NOW", "MEAN", "MAX", ""], &rows)
    });
    tables.collect::<Vec<_>>().join("\n")
}

/// A unit as people read it.
struct Unit {
    name: &'static str,
    scale: f64,
    digits: usize,
}

impl Unit {
    fn of(unit: &'static str) -> Self {
        let (name, scale, digits) = match unit {
            "bytes" => ("MB", 1_048_576.0, 2),
            "bytes_per_second" => ("kB/s", 1_024.0, 2),
            "requests_per_second" => ("/s", 1.0, 2),
            "seconds" => ("s", 1.0, 3),
            "cores" => ("cores", 1.0, 3),
            other => (other, 1.0, 0),
        };
        Self { name, scale, digits }
    }

    fn show(&self, value: f64) -> String {
        format!("{:.*}", self.digits, value / self.scale)
    }
}

fn item(series: &Series) -> Value {
    #[expect(clippy::cast_precision_loss, reason = "milliseconds since 1970 are far below 2^53")]
    let seconds = |at: &DateTime<Utc>| at.timestamp_millis() as f64 / 1_000.0;
    json!({
        "name": series.name,
        "unit": series.unit,
        "process": series.of.as_ref().map(|replica| replica.process.as_str()),
        "replica": series.of.as_ref().map(|replica| replica.number),
        "step_seconds": series.step.as_secs(),
        "points": series.points.iter().map(|point| [seconds(&point.at), point.mean]).collect::<Vec<_>>(),
        "max": series.points.iter().map(|point| point.max).collect::<Vec<_>>(),
        "p95": series.points.iter().map(|point| point.p95).collect::<Vec<_>>(),
    })
}
