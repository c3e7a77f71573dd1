//! Plans: what an app may use and what it costs.

mod create;
mod delete;
mod edit;
mod list;
mod list_all;

use std::collections::BTreeMap;

use rust_decimal::Decimal;
use serde::Deserialize;
use serde_json::Value;
use skypanel_core::model::{Money, Plan, PlanId};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::http::{Shared, schema};

/// The routes.
pub(crate) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(list::list_plans))
        .routes(routes!(list_all::list_all_plans, create::create_plan))
        .routes(routes!(edit::edit_plan, delete::delete_plan))
}

/// A plan as an admin wants it.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct WantedPlan {
    /// Unique; up to 40 letters, digits, spaces and any of `- _ . +`.
    name: String,
    /// CPU limit of a replica, in cores, with up to two decimals.
    #[schema(value_type = String, example = "0.5")]
    cpu_cores: Decimal,
    /// Memory limit of a replica, in MB (2^20 bytes).
    #[schema(minimum = 16, maximum = 4_194_304)]
    ram_mb: u32,
    /// Disk of a replica, in GB; told, not enforced.
    #[schema(minimum = 1, maximum = 1_000_000)]
    disk_gb: u32,
    /// Most replicas of one process type.
    #[schema(minimum = 1, maximum = 100)]
    max_replicas: u32,
    /// Price of one replica for an hour.
    #[schema(value_type = schema::Money)]
    price_per_hour: Money,
    /// Named extras, as the plan's page shows them.
    #[serde(default)]
    #[schema(value_type = BTreeMap<String, Value>)]
    features: BTreeMap<String, Value>,
    /// Its place in lists; the first is what new apps get.
    #[serde(default)]
    position: i32,
}

impl WantedPlan {
    fn into_plan(self, id: PlanId) -> Plan {
        Plan {
            id,
            name: self.name,
            cpu_cores: self.cpu_cores,
            ram_mb: self.ram_mb,
            disk_gb: self.disk_gb,
            max_replicas: self.max_replicas,
            price_per_hour: self.price_per_hour,
            features: self.features,
            position: self.position,
        }
    }
}
