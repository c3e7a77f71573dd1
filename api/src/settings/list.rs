//! `GET /api/admin/paas/settings`.

use axum::Json;
use axum::extract::State;
use skypanel_core::actions::Actions;

use super::SettingItem;
use crate::http::{AdminCaller, Answer, Listed};

/// List settings
///
/// All settings in the order of the documentation, with what a form for each needs to know. Sensitive values are not
/// shown; `is_set` tells whether there is one.
#[utoipa::path(
    get,
    path = "/api/admin/paas/settings",
    tag = "admin",
    responses((status = OK, body = Listed<SettingItem>))
)]
pub(crate) async fn list_settings(State(actions): State<Actions>, admin: AdminCaller) -> Answer<Listed<SettingItem>> {
    Ok(Json(super::shown(&actions.settings(&admin).await?)))
}
