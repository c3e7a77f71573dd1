//! `plans`: what an app may use and what it costs.

use serde_json::{Value, json};
use skypanel_core::model::Plan;

use crate::commands::context::{Context, Failure};
use crate::commands::table::plain;

pub(crate) async fn list(context: &Context) -> Result<u32, Failure> {
    let plans = context.actions().plans().await?;
    let rows = plans.iter().map(|plan| (item(plan), row(plan)));
    context.list(HEADINGS, "There are no plans.", rows).await
}

/// What [`row`] is under.
pub(crate) const HEADINGS: &[&str] = &["NAME", "CORES", "MEMORY", "DISK", "REPLICAS", "AN HOUR", "A MONTH"];

/// A plan as people read it.
pub(crate) fn row(plan: &Plan) -> Vec<String> {
    vec![
        plain(&plan.name),
        plan.cpu_cores.normalize().to_string(),
        format!("{} MB", plan.ram_mb),
        format!("{} GB", plan.disk_gb),
        plan.max_replicas.to_string(),
        plan.price_per_hour.to_string(),
        plan.price_per_hour.per_month().to_string(),
    ]
}

/// A plan as programs read it.
pub fn item(plan: &Plan) -> Value {
    json!({
        "id": plan.id,
        "name": plan.name,
        "cpu_cores": plan.cpu_cores.normalize(),
        "ram_mb": plan.ram_mb,
        "disk_gb": plan.disk_gb,
        "max_replicas": plan.max_replicas,
        "price_per_hour": plan.price_per_hour,
        "price_per_month": plan.price_per_hour.per_month(),
        "features": plan.features,
        "position": plan.position,
    })
}
