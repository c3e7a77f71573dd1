//! `metrics`: what an app's replicas use.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use clap::Args;
use serde_json::{Value, json};
use skypanel_core::actions::{MetricSeries, MetricsRange};

use crate::commands::context::{AppChoice, Context, Failure};
use crate::commands::table::table;

/// Bytes in what people read sizes in.
const MB: f64 = 1_048_576.0;

/// Arguments of `metrics`.
#[derive(Args, Debug)]
pub(crate) struct MetricsArguments {
    #[command(flatten)]
    choice: AppChoice,
    /// How far back, in JSON; people are shown the newest values
    #[arg(long, default_value = "1h", value_name = "1h|6h|24h|7d")]
    range: MetricsRange,
}

pub(crate) async fn show(context: &Context, arguments: &MetricsArguments) -> Result<u32, Failure> {
    let app = arguments.choice.named()?;
    let range = arguments.range;
    let series = context.actions().app_metrics(context.actor(), &app).await?;
    let to = context.actions().clock.now();
    let json = json!({
        "range": range,
        "from": to - range.duration(),
        "to": to,
        "series": series.iter().map(item).collect::<Vec<_>>(),
    });
    let text = if series.is_empty() { format!("Nothing of {app} runs.") } else { newest(&series) };
    context.tell(json, text).await
}

/// A replica a line, with its newest values.
fn newest(series: &[MetricSeries]) -> String {
    let mut replicas: BTreeMap<(String, u64), BTreeMap<&str, f64>> = BTreeMap::new();
    for one in series {
        let values = replicas.entry((one.process.to_string(), one.replica)).or_default();
        values.extend(one.points.last().map(|(_, value)| (one.name, *value)));
    }
    let rows: Vec<Vec<String>> = replicas
        .into_iter()
        .map(|((process, replica), values)| {
            let shown = |name: &str, scale: f64| {
                values.get(name).map_or_else(String::new, |value| format!("{:.2}", value / scale))
            };
            let sizes = ["memory", "memory_limit", "network_received", "network_sent"].map(|name| shown(name, MB));
            [format!("{process}.{replica}"), shown("cpu", 1.0)].into_iter().chain(sizes).collect()
        })
        .collect();
    table(&["REPLICA", "CORES", "MEMORY MB", "OF MB", "RECEIVED MB", "SENT MB"], &rows)
}

fn item(series: &MetricSeries) -> Value {
    #[expect(clippy::cast_precision_loss, reason = "milliseconds since 1970 are far below 2^53")]
    let seconds = |at: &DateTime<Utc>| at.timestamp_millis() as f64 / 1_000.0;
    json!({
        "name": series.name,
        "unit": series.unit,
        "process": series.process,
        "replica": series.replica,
        "points": series.points.iter().map(|(at, value)| [seconds(at), *value]).collect::<Vec<_>>(),
    })
}
