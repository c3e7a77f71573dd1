//! `PATCH /api/paas/apps/{app}`.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use skypanel_core::actions::{Actions, AppSettings, RepositoryChange};
use skypanel_core::model::{AppRef, AppSlug, HealthTargetChange, HealthTimes};
use utoipa::ToSchema;
use uuid::Uuid;

use super::AppItem;
use crate::http::{Answer, Caller, PathOf, ValidJson};

/// What to change about an app. What is missing or null stays as it is.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AppEdit {
    /// Its name for people.
    #[schema(max_length = 60)]
    name: Option<String>,
    /// The repository it is built from when it is not pushed to; an empty text for none. It must be reachable and have
    /// the branch.
    git_url: Option<String>,
    /// The branch that is released.
    git_branch: Option<String>,
    /// Whether a webhook deploys.
    auto_deploy: Option<bool>,
    /// A buildpack by name or Git URL; an empty text for detection. It counts from the next build on.
    #[schema(max_length = 500)]
    buildpack: Option<String>,
    /// HTTP path of the health check; an empty text for the usual check. A running app is rolled.
    #[schema(max_length = 500)]
    health_check_path: Option<String>,
    /// `http` or `tcp`; an empty text for the usual: HTTP where a path or statuses are chosen, else HTTP where that
    /// works. `tcp` asks for no path.
    #[schema(pattern = "^(http|tcp)?$")]
    health_check_protocol: Option<String>,
    /// The port that the health check asks on; 0 for the one that requests go to.
    #[schema(minimum = 0, maximum = 65535)]
    health_check_port: Option<i32>,
    /// The statuses that count as healthy, such as `200-299,401`; an empty text for 200 to 399.
    #[schema(max_length = 100)]
    health_check_expected_status: Option<String>,
    /// Seconds between two health checks of a healthy replica; 0 for the platform's setting.
    #[schema(minimum = 0, maximum = 3600)]
    health_check_interval_seconds: Option<i32>,
    /// Seconds that a health check may wait for its answer; 0 for the platform's setting.
    #[schema(minimum = 0, maximum = 300)]
    health_check_timeout_seconds: Option<i32>,
    /// Failed health checks in a row after which a replica is replaced; 0 for the platform's setting.
    #[schema(minimum = 0, maximum = 100)]
    health_check_retries: Option<i32>,
    /// Seconds that a new replica may take until it is healthy; 0 for the platform's setting.
    #[schema(minimum = 0, maximum = 3600)]
    health_check_start_seconds: Option<i32>,
    /// The label before the platform's default domain. Requests to the one before are answered no more.
    #[schema(value_type = Option<String>, max_length = 30, pattern = "^[a-z](-?[a-z0-9])*$")]
    subdomain: Option<AppSlug>,
}

/// An app that was changed.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct EditedApp {
    #[serde(flatten)]
    app: AppItem,
    /// The job of the rollout that the change needs; null where it needs none.
    job_id: Option<Uuid>,
}

/// Change an app
///
/// All of it or nothing. Another health check or subdomain replaces what runs by new processes of the same release,
/// without a gap and without a build; everything else counts from the next deployment on.
#[utoipa::path(
    patch,
    path = "/api/paas/apps/{app}",
    tag = "apps",
    params(("app" = String, Path, description = "Its slug or id")),
    request_body = AppEdit,
    responses((status = OK, body = EditedApp), (status = CONFLICT, body = crate::error::ErrorBody))
)]
pub(crate) async fn edit_app(
    State(actions): State<Actions>,
    caller: Caller,
    PathOf(app): PathOf<AppRef>,
    ValidJson(edit): ValidJson<AppEdit>,
) -> Answer<EditedApp> {
    let is_of_repository = edit.git_url.is_some() || edit.git_branch.is_some() || edit.auto_deploy.is_some();
    let repository = is_of_repository.then(|| RepositoryChange {
        git_url: edit.git_url.map(|url| Some(url).filter(|url| !url.is_empty())),
        git_branch: edit.git_branch,
        auto_deploy: edit.auto_deploy,
        ..RepositoryChange::default()
    });
    let settings = AppSettings {
        name: edit.name,
        buildpack: edit.buildpack,
        health_check_path: edit.health_check_path,
        health_target: HealthTargetChange {
            protocol: edit.health_check_protocol,
            port: edit.health_check_port,
            expected_status: edit.health_check_expected_status,
        },
        health: HealthTimes {
            interval_seconds: edit.health_check_interval_seconds,
            timeout_seconds: edit.health_check_timeout_seconds,
            retries: edit.health_check_retries,
            start_seconds: edit.health_check_start_seconds,
        },
        subdomain: edit.subdomain,
        repository,
        ..AppSettings::default()
    };
    let (view, job) = actions.edit_app(&caller, &app, &settings).await?;
    Ok(Json(EditedApp { app: view.into(), job_id: job.map(|job| job.0) }))
}
