//! `GET /api/paas/apps/{app}/deployments/{deployment}/log`.

use axum::extract::State;
use skypanel_core::actions::Actions;
use skypanel_core::model::{AppRef, DeploymentId};
use uuid::Uuid;

use crate::error::ApiError;
use crate::http::{Caller, PathOf};
use crate::jobs::live::{WholeLog, whole_log};

/// Show the log of a deployment
///
/// All of its output by now, as text. The header `X-Log-Complete` says whether more is to come.
#[utoipa::path(
    get,
    path = "/api/paas/apps/{app}/deployments/{deployment}/log",
    tag = "deployments",
    params(
        ("app" = String, Path, description = "Its slug or id"),
        ("deployment" = Uuid, Path, description = "Id of the deployment"),
    ),
    responses((status = OK, body = String, content_type = "text/plain"))
)]
pub(crate) async fn show_deployment_log(
    State(actions): State<Actions>,
    caller: Caller,
    PathOf((app, id)): PathOf<(AppRef, Uuid)>,
) -> Result<WholeLog, ApiError> {
    Ok(whole_log(actions.deployment_log(&caller, &app, DeploymentId(id)).await?))
}
