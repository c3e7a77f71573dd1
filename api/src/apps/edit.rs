//! `PATCH /api/paas/apps/{app}`.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use skypanel_core::actions::{Actions, AppSettings, RepositoryChange};
use skypanel_core::model::AppRef;
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
#[utoipa::path(
    patch,
    path = "/api/paas/apps/{app}",
    tag = "apps",
    params(("app" = String, Path, description = "Its slug or id")),
    request_body = AppEdit,
    responses((status = OK, body = EditedApp))
)]
pub(crate) async fn edit_app(
    State(actions): State<Actions>,
    caller: Caller,
    PathOf(app): PathOf<AppRef>,
    ValidJson(edit): ValidJson<AppEdit>,
) -> Answer<EditedApp> {
    if edit.git_url.is_some() || edit.git_branch.is_some() || edit.auto_deploy.is_some() {
        let change = RepositoryChange {
            git_url: edit.git_url.map(|url| Some(url).filter(|url| !url.is_empty())),
            git_branch: edit.git_branch,
            auto_deploy: edit.auto_deploy,
            ..RepositoryChange::default()
        };
        actions.change_repository(&caller, &app, change).await?;
    }
    let settings = AppSettings {
        name: edit.name,
        buildpack: edit.buildpack,
        health_check_path: edit.health_check_path,
        ..AppSettings::default()
    };
    let (view, job) = actions.edit_app(&caller, &app, &settings).await?;
    Ok(Json(EditedApp { app: view.into(), job_id: job.map(|job| job.0) }))
}
