//! `POST /api/admin/paas/plans`.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use skypanel_core::actions::Actions;
use skypanel_core::model::PlanId;

use super::WantedPlan;
use super::list::PlanItem;
use crate::error::ApiError;
use crate::http::{AdminCaller, ValidJson};

/// Create a plan
///
/// Apps can choose it at once. A name that is in use is refused with 409.
#[utoipa::path(
    post,
    path = "/api/admin/paas/plans",
    tag = "admin",
    request_body = WantedPlan,
    responses((status = CREATED, body = PlanItem))
)]
pub(crate) async fn create_plan(
    State(actions): State<Actions>,
    admin: AdminCaller,
    ValidJson(wanted): ValidJson<WantedPlan>,
) -> Result<(StatusCode, Json<PlanItem>), ApiError> {
    let plan = actions.create_plan(&admin, wanted.into_plan(PlanId::new())).await?;
    Ok((StatusCode::CREATED, Json(plan.into())))
}
