//! `GET /api/admin/paas/plans`.

use std::collections::HashMap;

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use skypanel_core::actions::Actions;
use utoipa::ToSchema;

use super::list::{PlanItem, place};
use crate::http::{AdminCaller, Answer, LargePage, Listed};

/// A plan as admins see it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AdminPlanItem {
    #[serde(flatten)]
    plan: PlanItem,
    /// How many apps are on it; only a plan without any can be deleted.
    apps: i64,
}

/// List plans with their use
///
/// All plans, smallest first, with how many apps are on each.
#[utoipa::path(
    get,
    path = "/api/admin/paas/plans",
    tag = "admin",
    params(LargePage),
    responses((status = OK, body = Listed<AdminPlanItem>))
)]
pub(crate) async fn list_all_plans(
    State(actions): State<Actions>,
    _admin: AdminCaller,
    page: LargePage,
) -> Answer<Listed<AdminPlanItem>> {
    let apps: HashMap<_, _> = actions.store.apps_by_plan().await?.into_iter().collect();
    let item = |plan: skypanel_core::model::Plan| AdminPlanItem {
        apps: apps.get(&plan.id).copied().unwrap_or(0),
        plan: PlanItem::from(plan),
    };
    Ok(Json(page.cut(actions.plans().await?, place, item)?))
}
