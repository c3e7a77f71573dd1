//! `GET /api/paas/plans`.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use rust_decimal::Decimal;
use serde::Serialize;
use serde_json::Value;
use skypanel_core::actions::Actions;
use skypanel_core::model::{Money, Plan};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::http::{Answer, Caller, LargePage, Listed, schema};

/// A plan as its users see it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PlanItem {
    id: Uuid,
    /// Unique name.
    name: String,
    /// CPU limit of a replica, in cores.
    #[schema(value_type = String, example = "0.5")]
    cpu_cores: Decimal,
    /// Memory limit of a replica, in MB (2^20 bytes).
    ram_mb: u32,
    /// Disk of a replica, in GB; told, not enforced.
    disk_gb: u32,
    /// Most replicas of one process type.
    max_replicas: u32,
    /// Price of one replica for an hour.
    #[schema(value_type = schema::Money)]
    price_per_hour: Money,
    /// The same for a month of 730 hours.
    #[schema(value_type = schema::Money)]
    price_per_month: Money,
    /// Named extras.
    #[schema(value_type = BTreeMap<String, Value>)]
    features: BTreeMap<String, Value>,
    /// Its place in lists; the first is what new apps get.
    position: i32,
}

impl From<Plan> for PlanItem {
    fn from(plan: Plan) -> Self {
        Self {
            id: plan.id.0,
            name: plan.name,
            cpu_cores: plan.cpu_cores.normalize(),
            ram_mb: plan.ram_mb,
            disk_gb: plan.disk_gb,
            max_replicas: plan.max_replicas,
            price_per_hour: plan.price_per_hour,
            price_per_month: plan.price_per_hour.per_month(),
            features: plan.features,
            position: plan.position,
        }
    }
}

/// Where a plan stands in lists.
pub(super) fn place(plan: &Plan) -> (i32, String) {
    (plan.position, plan.name.clone())
}

/// List plans
///
/// All plans that an app can be on, smallest first.
#[utoipa::path(
    get,
    path = "/api/paas/plans",
    tag = "plans",
    params(LargePage),
    responses((status = OK, body = Listed<PlanItem>))
)]
pub(crate) async fn list_plans(
    State(actions): State<Actions>,
    _caller: Caller,
    page: LargePage,
) -> Answer<Listed<PlanItem>> {
    let plans = actions.store.plans().await?;
    Ok(Json(page.cut(plans, place, PlanItem::from)?))
}
