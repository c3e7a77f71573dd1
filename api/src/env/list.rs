//! `GET /api/paas/apps/{app}/env`.

use axum::Json;
use axum::extract::State;
use chrono::{DateTime, Utc};
use serde::Serialize;
use skypanel_core::actions::Actions;
use skypanel_core::model::{AppRef, ConfigKey};
use utoipa::ToSchema;

use crate::http::{Answer, Caller, LargePage, Listed, PathOf};

/// A config var.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ConfigItem {
    key: String,
    /// When it was last set.
    updated_at: DateTime<Utc>,
}

/// List config vars
///
/// Names and times, by name. Values are never told.
#[utoipa::path(
    get,
    path = "/api/paas/apps/{app}/env",
    tag = "env",
    params(("app" = String, Path, description = "Its slug or id"), LargePage),
    responses((status = OK, body = Listed<ConfigItem>))
)]
pub(crate) async fn list_config(
    State(actions): State<Actions>,
    caller: Caller,
    PathOf(app): PathOf<AppRef>,
    page: LargePage,
) -> Answer<Listed<ConfigItem>> {
    let vars = actions.config(&caller, &app).await?;
    let show = |(key, updated_at): (ConfigKey, _)| ConfigItem { key: key.to_string(), updated_at };
    Ok(Json(page.cut(vars, |(key, _)| key.to_string(), show)?))
}
