//! `PUT /api/paas/apps/{app}/env`.

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

/// All config vars.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AllVars {
    /// Names and values.
    #[schema(example = json!({ "DATABASE_URL": "postgres://…" }))]
    vars: BTreeMap<String, String>,
}

/// Replace config vars
///
/// Sets these and removes all others, with one rollout where the app runs and something changed.
#[utoipa::path(
    put,
    path = "/api/paas/apps/{app}/env",
    tag = "env",
    params(("app" = String, Path, description = "Its slug or id")),
    request_body = AllVars,
    responses(
        (status = OK, body = ConfigAnswer),
        (status = ACCEPTED, body = ConfigAnswer, description = "The change is being released."),
        (status = PAYMENT_REQUIRED, body = ErrorBody),
        (status = CONFLICT, body = ErrorBody),
    )
)]
pub(crate) async fn replace_config(
    State(actions): State<Actions>,
    caller: Caller,
    PathOf(app): PathOf<AppRef>,
    ValidJson(all): ValidJson<AllVars>,
) -> Result<(StatusCode, Json<ConfigAnswer>), ApiError> {
    let mut changes = ConfigChanges { replace: true, ..ConfigChanges::default() };
    checked(all.vars, |key, value| {
        changes.set.insert(key, sealed_up(value));
    })?;
    Ok(ConfigAnswer::of(actions.change_config(&caller, &app, &changes).await?))
}
