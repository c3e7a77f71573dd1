//! Logging in and out: browsers, and devices without one.

mod begin_device;
mod decide_device;
mod log_in;
mod log_out;
mod poll_device;
mod refresh;
mod revoke_token;
mod session;
mod show_device;
mod show_invitation;
mod sign_up;

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::http::Shared;

/// The routes.
pub(crate) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(log_in::log_in))
        .routes(routes!(refresh::refresh_session))
        .routes(routes!(log_out::log_out))
        .routes(routes!(log_out::log_out_everywhere))
        .routes(routes!(show_invitation::show_invitation))
        .routes(routes!(sign_up::sign_up))
        .routes(routes!(begin_device::begin_device_login))
        .routes(routes!(poll_device::poll_device_login))
        .routes(routes!(revoke_token::revoke_used_token))
        .routes(routes!(show_device::show_device_login))
        .routes(routes!(decide_device::decide_device_login))
}
