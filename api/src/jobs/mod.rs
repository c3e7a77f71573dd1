//! Jobs: what was started and how far it is.

pub(crate) mod live;
mod log;
mod show;
mod stream;

use serde::Serialize;
use skypanel_core::actions::Begun;
use skypanel_core::model::AppStatus;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use crate::http::{Shared, schema};

/// The routes.
pub(crate) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(show::show_job))
        .routes(routes!(log::show_job_log))
        .routes(routes!(stream::stream_job_log))
}

/// What was started.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct StartedJob {
    app_id: Uuid,
    /// The app's name.
    app: String,
    /// What the app is meant to do now.
    #[schema(value_type = schema::AppStatus)]
    app_status: AppStatus,
    /// The job that carries it out, to be asked for at `/api/paas/jobs/{id}`; null where nothing has to be done.
    job_id: Option<Uuid>,
}

impl From<Begun> for StartedJob {
    fn from(begun: Begun) -> Self {
        Self {
            app_id: begun.app.id.0,
            app: begun.app.slug.to_string(),
            app_status: begun.app.status,
            job_id: begun.job.map(|job| job.0),
        }
    }
}
