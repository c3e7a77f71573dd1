//! What belongs to the caller alone: their account, sessions, tokens, keys and second factor.

mod add_ssh_key;
mod begin_second_factor;
mod change_password;
mod confirm_second_factor;
mod create_token;
mod end_session;
mod list_sessions;
mod list_ssh_keys;
mod list_tokens;
mod remove_second_factor;
mod remove_ssh_key;
mod revoke_token;
mod show;
mod show_second_factor;

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::http::Shared;

/// The routes.
pub(crate) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(show::show_me))
        .routes(routes!(change_password::change_password))
        .routes(routes!(list_sessions::list_sessions))
        .routes(routes!(end_session::end_session))
        .routes(routes!(list_tokens::list_tokens, create_token::create_token))
        .routes(routes!(revoke_token::revoke_token))
        .routes(routes!(list_ssh_keys::list_ssh_keys, add_ssh_key::add_ssh_key))
        .routes(routes!(remove_ssh_key::remove_ssh_key))
        .routes(routes!(
            show_second_factor::show_second_factor,
            begin_second_factor::begin_second_factor,
            remove_second_factor::remove_second_factor,
        ))
        .routes(routes!(confirm_second_factor::confirm_second_factor))
}
