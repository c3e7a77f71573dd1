//! `DELETE /api/admin/paas/plans/{plan}`.

use axum::extract::State;
use axum::http::StatusCode;
use skypanel_core::actions::Actions;
use skypanel_core::model::PlanId;
use uuid::Uuid;

use crate::error::ApiError;
use crate::http::{AdminCaller, PathOf};

/// Delete a plan
///
/// Refused with 409 while an app is on it, and for the last one.
#[utoipa::path(
    delete,
    path = "/api/admin/paas/plans/{plan}",
    tag = "admin",
    params(("plan" = Uuid, Path, description = "Its id")),
    responses((status = NO_CONTENT))
)]
pub(crate) async fn delete_plan(
    State(actions): State<Actions>,
    admin: AdminCaller,
    PathOf(plan): PathOf<Uuid>,
) -> Result<StatusCode, ApiError> {
    actions.delete_plan(&admin, PlanId(plan)).await?;
    Ok(StatusCode::NO_CONTENT)
}
