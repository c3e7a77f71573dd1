//! Webhooks: what Git hosts call, and what their users see of it.

mod create;
mod deliveries;
mod list;
mod receive;
mod remove;
mod replay;
mod rotate;

use axum::extract::DefaultBodyLimit;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::http::Shared;

/// The routes.
pub(crate) fn routes() -> OpenApiRouter<Shared> {
    let called = OpenApiRouter::new()
        .routes(routes!(receive::receive_webhook))
        .layer(DefaultBodyLimit::max(skypanel_core::webhook::MAX_BODY));
    OpenApiRouter::new()
        .routes(routes!(list::list_webhooks, create::create_webhook))
        .routes(routes!(remove::remove_webhook))
        .routes(routes!(rotate::rotate_webhook))
        .routes(routes!(deliveries::list_webhook_deliveries))
        .routes(routes!(replay::replay_webhook_delivery))
        .merge(called)
}
