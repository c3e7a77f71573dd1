//! `GET /api/auth/device/{user_code}`.

use axum::Json;
use axum::extract::State;
use chrono::{DateTime, Utc};
use serde::Serialize;
use skypanel_core::actions::{Actions, Scope};
use utoipa::ToSchema;

use crate::http::{Answer, Caller, PathOf, schema};

/// A device that waits to be let in.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct WaitingDevice {
    user_code: String,
    /// What the device calls itself.
    client_name: String,
    /// What its token may be used for.
    #[schema(value_type = schema::Scope)]
    scope: Scope,
    /// The address it asked from.
    address: Option<String>,
    created_at: DateTime<Utc>,
    expires_at: DateTime<Utc>,
}

/// Look at a device that waits
///
/// What a person sees before they let a device in. Only in a browser session.
#[utoipa::path(
    get, path = "/api/auth/device/{user_code}", tag = "auth",
    params(("user_code" = String, Path, description = "The code on the device's screen, with or without its dash.")),
    responses((status = OK, body = WaitingDevice)),
)]
pub(crate) async fn show_device_login(
    State(actions): State<Actions>,
    caller: Caller,
    PathOf(user_code): PathOf<String>,
) -> Answer<WaitingDevice> {
    let login = actions.device_login(&caller, &user_code).await?;
    Ok(Json(WaitingDevice {
        user_code: login.user_code,
        client_name: login.client_name,
        scope: login.scope,
        address: login.address,
        created_at: login.created_at,
        expires_at: login.expires_at,
    }))
}
