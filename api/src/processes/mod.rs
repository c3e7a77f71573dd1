//! What runs of an app: stopped, started, restarted, scaled, moved to another plan.

mod list;
pub(crate) mod metrics;
mod plan;
mod restart;
mod scale;
mod start;
mod stop;

use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use skypanel_core::actions::Priced;
use skypanel_core::model::Money;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::http::{Shared, schema};
use crate::jobs::StartedJob;

/// The routes.
pub(crate) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(list::list_processes))
        .routes(routes!(metrics::show_app_metrics))
        .routes(routes!(plan::change_app_plan))
        .routes(routes!(restart::restart_app))
        .routes(routes!(scale::scale_app))
        .routes(routes!(start::start_app))
        .routes(routes!(stop::stop_app))
}

/// Whether to do it.
#[derive(Clone, Copy, Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct DryRun {
    /// Change nothing and only say what it would cost.
    #[serde(default)]
    dry_run: bool,
}

/// A change with what it costs.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PricedChange {
    #[serde(flatten)]
    started: StartedJob,
    /// Whether nothing was changed, because that was asked for.
    dry_run: bool,
    /// What an hour of the app costs while it runs, before the change.
    #[schema(value_type = schema::Money)]
    cost_per_hour_before: Money,
    /// The same after it.
    #[schema(value_type = schema::Money)]
    cost_per_hour_after: Money,
}

impl PricedChange {
    fn of(priced: Priced, DryRun { dry_run }: DryRun) -> (StatusCode, axum::Json<Self>) {
        let status = if dry_run { StatusCode::OK } else { StatusCode::ACCEPTED };
        let change = Self {
            started: priced.begun.into(),
            dry_run,
            cost_per_hour_before: priced.cost.before,
            cost_per_hour_after: priced.cost.after,
        };
        (status, axum::Json(change))
    }
}
