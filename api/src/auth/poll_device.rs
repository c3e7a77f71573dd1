//! `POST /api/auth/device/token`.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use skypanel_core::actions::{Actions, DeviceState, Scope};
use utoipa::ToSchema;

use crate::error::{ApiError, ErrorBody};
use crate::http::{Answer, ValidJson, Visitor, schema};

/// Which login.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PollRequest {
    /// As it was answered when the login began.
    device_code: String,
}

/// The token of an approved device. It is shown this once.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DeviceToken {
    #[schema(example = "skp_…")]
    token: String,
    #[schema(value_type = schema::Scope)]
    scope: Scope,
    /// Whose it is.
    email: String,
}

/// Ask how the login of a device stands
///
/// Until it is approved, the answer is 400 with the code `AUTHORIZATION_PENDING`, `SLOW_DOWN` (wait longer between two
/// questions), `ACCESS_DENIED` or `EXPIRED_TOKEN`.
#[utoipa::path(
    post, path = "/api/auth/device/token", tag = "auth", request_body = PollRequest, security(()),
    responses(
        (status = OK, body = DeviceToken),
        (status = BAD_REQUEST, body = ErrorBody, description = "Not approved; the code says how it stands."),
    ),
)]
pub(crate) async fn poll_device_login(
    State(actions): State<Actions>,
    visitor: Visitor,
    ValidJson(request): ValidJson<PollRequest>,
) -> Answer<DeviceToken> {
    let waiting = |code, message: &str| Err(ApiError::new(StatusCode::BAD_REQUEST, code, message));
    match actions.poll_device_login(&request.device_code, visitor.address, visitor.request_id).await? {
        DeviceState::Pending => waiting("AUTHORIZATION_PENDING", "The code was not entered yet."),
        DeviceState::SlowDown => waiting("SLOW_DOWN", "Wait longer between two questions."),
        DeviceState::Denied => waiting("ACCESS_DENIED", "The login was refused."),
        DeviceState::Expired => waiting("EXPIRED_TOKEN", "The code has ended. Begin again."),
        DeviceState::Granted { token, scope, user } => {
            Ok(Json(DeviceToken { token: token.as_str().to_owned(), scope, email: user.email }))
        }
    }
}
