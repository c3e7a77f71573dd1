//! Organisations, their members and invitations.

mod accept_invitation;
mod create;
mod invite;
mod list;
mod list_invitations;
mod list_members;
mod remove_member;
mod set_role;
mod show;
mod take_back_invitation;
mod update;

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::http::Shared;

/// The routes.
pub(crate) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(list::list_organizations, create::create_organization))
        .routes(routes!(show::show_organization, update::update_organization))
        .routes(routes!(list_members::list_members))
        .routes(routes!(set_role::set_member_role, remove_member::remove_member))
        .routes(routes!(list_invitations::list_invitations, invite::invite_member))
        .routes(routes!(take_back_invitation::take_back_invitation))
        .routes(routes!(accept_invitation::accept_invitation))
}
