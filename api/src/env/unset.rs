//! `DELETE /api/paas/apps/{app}/env/{key}`.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use skypanel_core::actions::{Actions, ConfigChanges};
use skypanel_core::model::{AppRef, ConfigKey};

use super::ConfigAnswer;
use crate::error::{ApiError, ErrorBody};
use crate::http::{Caller, PathOf};

/// Remove a config var
///
/// One that is not there is fine. One rollout where the app runs and it was there.
#[utoipa::path(
    delete,
    path = "/api/paas/apps/{app}/env/{key}",
    tag = "env",
    params(
        ("app" = String, Path, description = "Its slug or id"),
        ("key" = String, Path, description = "Name of the config var"),
    ),
    responses(
        (status = OK, body = ConfigAnswer),
        (status = ACCEPTED, body = ConfigAnswer, description = "The change is being released."),
        (status = PAYMENT_REQUIRED, body = ErrorBody),
        (status = CONFLICT, body = ErrorBody),
    )
)]
pub(crate) async fn unset_config(
    State(actions): State<Actions>,
    caller: Caller,
    PathOf((app, key)): PathOf<(AppRef, ConfigKey)>,
) -> Result<(StatusCode, Json<ConfigAnswer>), ApiError> {
    let changes = ConfigChanges { unset: vec![key], ..ConfigChanges::default() };
    Ok(ConfigAnswer::of(actions.change_config(&caller, &app, &changes).await?))
}
