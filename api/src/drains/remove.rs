//! `DELETE /api/paas/apps/{app}/drains/{drain}`.

use axum::extract::State;
use axum::http::StatusCode;
use skypanel_core::actions::Actions;
use skypanel_core::model::{AppRef, LogDrainId};
use uuid::Uuid;

use crate::error::ApiError;
use crate::http::{Caller, PathOf};

/// Remove a log drain
///
/// Nothing more is forwarded to it.
#[utoipa::path(
    delete,
    path = "/api/paas/apps/{app}/drains/{drain}",
    tag = "logs",
    params(
        ("app" = String, Path, description = "Slug or id of the app"),
        ("drain" = Uuid, Path, description = "Id of the log drain"),
    ),
    responses((status = NO_CONTENT))
)]
pub(crate) async fn remove_log_drain(
    State(actions): State<Actions>,
    caller: Caller,
    PathOf((app, drain)): PathOf<(AppRef, Uuid)>,
) -> Result<StatusCode, ApiError> {
    actions.remove_log_drain(&caller, &app, LogDrainId(drain)).await?;
    Ok(StatusCode::NO_CONTENT)
}
