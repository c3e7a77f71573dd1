//! `GET /api/paas/apps/{app}/env`.

use axum::Json;
use axum::extract::State;
use chrono::{DateTime, Utc};
use serde::Serialize;
use skypanel_core::actions::Actions;
use skypanel_core::model::AppRef;
use utoipa::ToSchema;

use crate::http::{Answer, Caller, Listed, PathOf};

/// A config var.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ConfigItem {
    key: String,
    /// When it was last set.
    updated_at: DateTime<Utc>,
}

/// List config vars
///
/// Names and times. Values are never told.
#[utoipa::path(
    get,
    path = "/api/paas/apps/{app}/env",
    tag = "env",
    params(("app" = String, Path, description = "Its slug or id")),
    responses((status = OK, body = Listed<ConfigItem>))
)]
pub(crate) async fn list_config(
    State(actions): State<Actions>,
    caller: Caller,
    PathOf(app): PathOf<AppRef>,
) -> Answer<Listed<ConfigItem>> {
    let vars = actions.config(&caller, &app).await?;
    let items = vars.into_iter().map(|(key, updated_at)| ConfigItem { key: key.to_string(), updated_at });
    Ok(Json(Listed::whole(items.collect())))
}
