//! `POST /api/auth/device/{user_code}`.

use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use skypanel_core::actions::Actions;
use utoipa::ToSchema;

use crate::error::ApiError;
use crate::http::{Caller, PathOf, ValidJson};

/// What to do with the device.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Decision {
    /// Whether to let it in.
    approve: bool,
}

/// Let a device in, or refuse it
///
/// Once for each code, and only in a browser session: a token cannot make others this way.
#[utoipa::path(
    post, path = "/api/auth/device/{user_code}", tag = "auth", request_body = Decision,
    params(("user_code" = String, Path, description = "The code on the device's screen, with or without its dash.")),
    responses((status = NO_CONTENT, description = "Decided.")),
)]
pub(crate) async fn decide_device_login(
    State(actions): State<Actions>,
    caller: Caller,
    PathOf(user_code): PathOf<String>,
    ValidJson(decision): ValidJson<Decision>,
) -> Result<StatusCode, ApiError> {
    actions.decide_device_login(&caller, &user_code, decision.approve).await?;
    Ok(StatusCode::NO_CONTENT)
}
