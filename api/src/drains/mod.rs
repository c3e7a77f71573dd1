//! Log drains: where an app's lines are forwarded to.

mod create;
mod list;
mod remove;

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::http::Shared;

/// The routes.
pub(crate) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(list::list_log_drains, create::create_log_drain))
        .routes(routes!(remove::remove_log_drain))
}
