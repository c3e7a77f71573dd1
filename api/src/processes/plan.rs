//! `POST /api/paas/apps/{app}/plan`.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use skypanel_core::actions::Actions;
use skypanel_core::model::AppRef;
use utoipa::ToSchema;

use super::{DryRun, PricedChange};
use crate::error::{ApiError, ErrorBody};
use crate::http::{Caller, PathOf, QueryOf, ValidJson};

/// The plan to move to.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PlanChoice {
    /// Its name or id.
    #[schema(example = "standard")]
    plan: String,
}

/// Change the plan of an app
///
/// Moves an app to another plan, at that plan's price of now: its processes are rolled with the new limits. Says what
/// an hour costs before and after. Refused while more replicas run than the plan allows.
#[utoipa::path(
    post,
    path = "/api/paas/apps/{app}/plan",
    tag = "processes",
    params(("app" = String, Path, description = "Its slug or id"), DryRun),
    request_body = PlanChoice,
    responses(
        (status = OK, body = PricedChange, description = "What it would cost; nothing was changed."),
        (status = ACCEPTED, body = PricedChange),
        (status = PAYMENT_REQUIRED, body = ErrorBody),
        (status = CONFLICT, body = ErrorBody),
    )
)]
pub(crate) async fn change_app_plan(
    State(actions): State<Actions>,
    caller: Caller,
    PathOf(app): PathOf<AppRef>,
    QueryOf(how): QueryOf<DryRun>,
    ValidJson(wanted): ValidJson<PlanChoice>,
) -> Result<(StatusCode, Json<PricedChange>), ApiError> {
    let priced = actions.move_to_plan(&caller, &app, &wanted.plan, how.dry_run).await?;
    Ok(PricedChange::of(priced, how))
}
