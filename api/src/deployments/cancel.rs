//! `POST /api/paas/apps/{app}/deployments/{deployment}/cancel`.

use axum::Json;
use axum::extract::State;
use skypanel_core::Error;
use skypanel_core::actions::Actions;
use skypanel_core::model::{AppRef, DeploymentId};
use uuid::Uuid;

use super::DeploymentItem;
use crate::error::ErrorBody;
use crate::http::{Answer, Caller, PathOf};

/// Cancel a deployment
///
/// Ends a deployment that waits or runs; what ran before goes on. One that has ended is refused with 409.
#[utoipa::path(
    post,
    path = "/api/paas/apps/{app}/deployments/{deployment}/cancel",
    tag = "deployments",
    params(
        ("app" = String, Path, description = "Its slug or id"),
        ("deployment" = Uuid, Path, description = "Id of the deployment"),
    ),
    responses((status = OK, body = DeploymentItem), (status = CONFLICT, body = ErrorBody))
)]
pub(crate) async fn cancel_deployment(
    State(actions): State<Actions>,
    caller: Caller,
    PathOf((app, id)): PathOf<(AppRef, Uuid)>,
) -> Answer<DeploymentItem> {
    let id = DeploymentId(id);
    if actions.cancel_deployment(&caller, &app, Some(id)).await?.is_empty() {
        return Err(Error::Conflict("That deployment has ended, so there is nothing to cancel.".to_owned()).into());
    }
    Ok(Json(actions.deployment(&caller, &app, id).await?.view.into()))
}
