//! An app's repository elsewhere: address, branch, credentials.

mod change;
mod check;
mod deploy_key;
mod show;

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::http::Shared;

/// The routes.
pub(crate) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(show::show_repository, change::change_repository))
        .routes(routes!(check::check_repository))
        .routes(routes!(deploy_key::create_deploy_key))
}
