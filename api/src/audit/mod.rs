//! The audit log: who changed what.

mod list;
mod list_of_organization;

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::http::Shared;

/// The routes.
pub(crate) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(list::list_audit_log))
        .routes(routes!(list_of_organization::list_organization_audit))
}
