//! What clients must know of the platform before they log in.

mod show;

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::http::Shared;

/// The routes.
pub(crate) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(show::show_platform))
}
