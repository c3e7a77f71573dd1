//! `PUT /api/admin/paas/plans/{plan}`.

use axum::Json;
use axum::extract::State;
use skypanel_core::actions::Actions;
use skypanel_core::model::PlanId;
use uuid::Uuid;

use super::WantedPlan;
use super::list::PlanItem;
use crate::http::{AdminCaller, Answer, PathOf, ValidJson};

/// Edit a plan
///
/// Replaces what the plan is. Apps that are on it keep the price they chose it at; its limits hold for them from their
/// next rollout on.
#[utoipa::path(
    put,
    path = "/api/admin/paas/plans/{plan}",
    tag = "admin",
    params(("plan" = Uuid, Path, description = "Its id")),
    request_body = WantedPlan,
    responses((status = OK, body = PlanItem))
)]
pub(crate) async fn edit_plan(
    State(actions): State<Actions>,
    admin: AdminCaller,
    PathOf(plan): PathOf<Uuid>,
    ValidJson(wanted): ValidJson<WantedPlan>,
) -> Answer<PlanItem> {
    Ok(Json(actions.edit_plan(&admin, wanted.into_plan(PlanId(plan))).await?.into()))
}
