//! `GET /api/paas/apps/{app}/env/export`.

use axum::extract::State;
use skypanel_core::actions::Actions;
use skypanel_core::dotenv;
use skypanel_core::model::AppRef;

use crate::error::ApiError;
use crate::http::{Caller, PathOf};

/// Export config vars
///
/// A `.env` file to fill in: all names with empty values, because values are never told.
#[utoipa::path(
    get,
    path = "/api/paas/apps/{app}/env/export",
    tag = "env",
    params(("app" = String, Path, description = "Its slug or id")),
    responses((status = OK, body = String, content_type = "text/plain"))
)]
pub(crate) async fn export_config(
    State(actions): State<Actions>,
    caller: Caller,
    PathOf(app): PathOf<AppRef>,
) -> Result<String, ApiError> {
    let vars = actions.config(&caller, &app).await?;
    Ok(dotenv::template(vars.iter().map(|(key, _)| key)))
}
