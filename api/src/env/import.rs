//! `POST /api/paas/apps/{app}/env/import`.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use skypanel_core::actions::{Actions, ConfigChanges};
use skypanel_core::dotenv;
use skypanel_core::model::AppRef;
use utoipa::ToSchema;

use super::ConfigAnswer;
use crate::error::{ApiError, ErrorBody};
use crate::http::{Caller, PathOf, ValidJson};

/// A `.env` file.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Import {
    /// Its text: `NAME=VALUE` lines with comments, `export`, quotes, and quoted values over several lines.
    #[schema(example = "# comment\nexport GREETING=\"hello\"\n")]
    text: String,
    /// Whether to remove all other config vars.
    #[serde(default)]
    replace: bool,
}

/// Import config vars
///
/// Sets what a `.env` file holds, with one rollout where the app runs and something changed. What cannot be read is
/// told by its line, and then nothing is changed.
#[utoipa::path(
    post,
    path = "/api/paas/apps/{app}/env/import",
    tag = "env",
    params(("app" = String, Path, description = "Its slug or id")),
    request_body = Import,
    responses(
        (status = OK, body = ConfigAnswer),
        (status = ACCEPTED, body = ConfigAnswer, description = "The change is being released."),
        (status = PAYMENT_REQUIRED, body = ErrorBody),
        (status = CONFLICT, body = ErrorBody),
    )
)]
pub(crate) async fn import_config(
    State(actions): State<Actions>,
    caller: Caller,
    PathOf(app): PathOf<AppRef>,
    ValidJson(import): ValidJson<Import>,
) -> Result<(StatusCode, Json<ConfigAnswer>), ApiError> {
    let changes =
        ConfigChanges { set: dotenv::parse(&import.text)?, replace: import.replace, ..ConfigChanges::default() };
    Ok(ConfigAnswer::of(actions.change_config(&caller, &app, &changes).await?))
}
