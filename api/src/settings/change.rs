//! `PUT /api/admin/paas/settings`.

use axum::Json;
use axum::extract::State;
use skypanel_core::actions::Actions;

use super::{SettingItem, WantedSettings};
use crate::http::{AdminCaller, Answer, Listed, ValidJson};

/// Change settings
///
/// Sets the given settings, all or none of them; the others stay as they are. Null goes back to the default. Where a
/// `storage.` setting is among them, the storage is written to, read and cleaned again before anything is saved. Every
/// process of Skypanel sees the change within a second; what is under way goes on as it began.
#[utoipa::path(
    put,
    path = "/api/admin/paas/settings",
    tag = "admin",
    request_body = WantedSettings,
    responses((status = OK, body = Listed<SettingItem>))
)]
pub(crate) async fn change_settings(
    State(actions): State<Actions>,
    admin: AdminCaller,
    ValidJson(wanted): ValidJson<WantedSettings>,
) -> Answer<Listed<SettingItem>> {
    let changes = wanted.into_changes()?;
    Ok(Json(super::shown(&actions.change_settings(&admin, &changes).await?)))
}
