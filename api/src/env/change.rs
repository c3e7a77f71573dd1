//! `PATCH /api/paas/apps/{app}/env`.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use skypanel_core::actions::{Actions, ConfigChanges};
use skypanel_core::model::AppRef;
use utoipa::ToSchema;

use super::{ConfigAnswer, checked, sealed_up};
use crate::error::{ApiError, ErrorBody};
use crate::http::{Caller, PathOf, ValidJson};

/// Some config vars.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SomeVars {
    /// Names and new values; null removes one.
    #[schema(example = json!({ "GREETING": "hello", "OLD_KEY": null }))]
    vars: BTreeMap<String, Option<String>>,
}

/// Change config vars
///
/// Sets and removes some; the others stay. One rollout where the app runs and something changed.
#[utoipa::path(
    patch,
    path = "/api/paas/apps/{app}/env",
    tag = "env",
    params(("app" = String, Path, description = "Its slug or id")),
    request_body = SomeVars,
    responses(
        (status = OK, body = ConfigAnswer),
        (status = ACCEPTED, body = ConfigAnswer, description = "The change is being released."),
        (status = PAYMENT_REQUIRED, body = ErrorBody),
        (status = CONFLICT, body = ErrorBody),
    )
)]
pub(crate) async fn change_config(
    State(actions): State<Actions>,
    caller: Caller,
    PathOf(app): PathOf<AppRef>,
    ValidJson(some): ValidJson<SomeVars>,
) -> Result<(StatusCode, Json<ConfigAnswer>), ApiError> {
    let mut changes = ConfigChanges::default();
    checked(some.vars, |key, value| match value {
        Some(value) => {
            changes.set.insert(key, sealed_up(value));
        }
        None => changes.unset.push(key),
    })?;
    Ok(ConfigAnswer::of(actions.change_config(&caller, &app, &changes).await?))
}
