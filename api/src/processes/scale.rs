//! `POST /api/paas/apps/{app}/scale`.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use skypanel_core::actions::Actions;
use skypanel_core::model::{AppRef, Formation};
use utoipa::ToSchema;

use super::{DryRun, PricedChange};
use crate::error::{ApiError, ErrorBody};
use crate::http::{Caller, PathOf, QueryOf, ValidJson};

/// How many replicas to run.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Scaling {
    /// Replicas of some process types; the others stay as they are.
    #[schema(value_type = BTreeMap<String, u32>, example = json!({ "web": 2, "worker": 1 }))]
    processes: Formation,
}

/// Scale an app
///
/// Changes how many replicas of some process types run, up to the plan's number. Says what an hour costs before and
/// after.
#[utoipa::path(
    post,
    path = "/api/paas/apps/{app}/scale",
    tag = "processes",
    params(("app" = String, Path, description = "Its slug or id"), DryRun),
    request_body = Scaling,
    responses(
        (status = OK, body = PricedChange, description = "What it would cost; nothing was changed."),
        (status = ACCEPTED, body = PricedChange),
        (status = PAYMENT_REQUIRED, body = ErrorBody),
        (status = CONFLICT, body = ErrorBody),
    )
)]
pub(crate) async fn scale_app(
    State(actions): State<Actions>,
    caller: Caller,
    PathOf(app): PathOf<AppRef>,
    QueryOf(how): QueryOf<DryRun>,
    ValidJson(scaling): ValidJson<Scaling>,
) -> Result<(StatusCode, Json<PricedChange>), ApiError> {
    let priced = actions.scale(&caller, &app, &scaling.processes, how.dry_run).await?;
    Ok(PricedChange::of(priced, how))
}
