//! `POST /api/auth/device`.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use skypanel_core::actions::{DEVICE_INTERVAL, DEVICE_LIFETIME, Scope};
use utoipa::ToSchema;

use crate::http::{Answer, Shared, ValidJson, Visitor, schema};

/// Which device asks.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct DeviceRequest {
    /// What the person will recognise it by.
    #[schema(example = "skypanel on ada-laptop", min_length = 1)]
    client_name: String,
    /// What the token may be used for.
    #[serde(default = "everything")]
    #[schema(value_type = schema::Scope, default = "manage")]
    scope: Scope,
}

fn everything() -> Scope {
    Scope::Manage
}

/// What the device shows and what it keeps.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DeviceBegun {
    /// Kept by the device, to ask how the login stands.
    device_code: String,
    /// Shown to the person.
    #[schema(example = "BCDF-GHJK")]
    user_code: String,
    /// Where the person enters the code.
    verification_uri: String,
    /// The same with the code filled in.
    verification_uri_complete: String,
    /// Seconds until the code ends.
    expires_in: i64,
    /// Seconds to wait between two questions.
    interval: i64,
}

/// Begin a login on a device
///
/// For terminals: the device shows a code, the person approves it in a browser where they are logged in, and the device
/// gets an API token (RFC 8628).
#[utoipa::path(
    post, path = "/api/auth/device", tag = "auth", request_body = DeviceRequest, security(()),
    responses((status = OK, body = DeviceBegun)),
)]
pub(crate) async fn begin_device_login(
    State(shared): State<Shared>,
    visitor: Visitor,
    ValidJson(request): ValidJson<DeviceRequest>,
) -> Answer<DeviceBegun> {
    let (login, credential) =
        shared.actions.begin_device_login(&request.client_name, request.scope, visitor.address).await?;
    let verification_uri = format!("{}/device", shared.options.public_url);
    Ok(Json(DeviceBegun {
        device_code: credential.as_str().to_owned(),
        verification_uri_complete: format!("{verification_uri}?code={}", login.user_code),
        user_code: login.user_code,
        verification_uri,
        expires_in: DEVICE_LIFETIME.num_seconds(),
        interval: DEVICE_INTERVAL.num_seconds(),
    }))
}
