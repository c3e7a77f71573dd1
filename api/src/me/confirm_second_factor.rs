//! `POST /api/me/totp/confirm`.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use skypanel_core::actions::Actions;
use utoipa::ToSchema;

use crate::error::ErrorBody;
use crate::http::{Answer, Caller, ValidJson};

/// A first code.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct FirstCode {
    #[schema(example = "287082")]
    code: String,
}

/// What helps when the device is lost.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RecoveryCodes {
    /// Each is good for one login. They are shown this once.
    recovery_codes: Vec<String>,
}

/// Confirm the second factor
///
/// With a first code of the app, so that nobody locks themselves out. From then on logins need a code.
#[utoipa::path(
    post, path = "/api/me/totp/confirm", tag = "me", request_body = FirstCode,
    responses(
        (status = OK, body = RecoveryCodes),
        (status = CONFLICT, body = ErrorBody, description = "None waits for its first code."),
    ),
)]
pub(crate) async fn confirm_second_factor(
    State(actions): State<Actions>,
    caller: Caller,
    ValidJson(first): ValidJson<FirstCode>,
) -> Answer<RecoveryCodes> {
    let recovery_codes = actions.confirm_second_factor(&caller, &first.code).await?;
    Ok(Json(RecoveryCodes { recovery_codes }))
}
