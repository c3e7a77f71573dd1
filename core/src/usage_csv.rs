//! Usage as CSV: a line for every hour, app, process type, plan and price, alike over HTTP and SSH.

use chrono::SecondsFormat;

use crate::store::UsageHour;

/// The line of names.
pub const HEAD: &str = "hour,app_id,app,process,plan,price_per_hour,replica_seconds,cost,charged\n";

/// An hour of usage. `replica_seconds` are replicas times the seconds that they ran, exactly.
///
/// Names of apps, process types and plans hold nothing that CSV or a spreadsheet would take for its own; a plan's name
/// from elsewhere is quoted all the same.
pub fn line(hour: &UsageHour) -> String {
    let begin = hour.hour.to_rfc3339_opts(SecondsFormat::Secs, true);
    let seconds = hour.replica_microseconds / 1_000_000;
    let fraction = hour.replica_microseconds % 1_000_000;
    let plan = hour.plan_name.replace('"', "\"\"");
    format!(
        "{begin},{},{},{},\"{plan}\",{:.6},{seconds}.{fraction:06},{:.6},{}\n",
        hour.application_id, hour.app_slug, hour.process_type, hour.price_per_hour.0, hour.cost.0, hour.charged
    )
}
