//! `GET /api/paas/apps/{app}/deployments/{deployment}`.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use chrono::{DateTime, Utc};
use serde::Serialize;
use skypanel_core::actions::Actions;
use skypanel_core::model::{AppRef, DeploymentId, ProcessType, Stage};
use utoipa::ToSchema;
use uuid::Uuid;

use super::DeploymentItem;
use crate::http::{Answer, Caller, PathOf, schema};

/// A deployment with its stages.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DeploymentAnswer {
    #[serde(flatten)]
    deployment: DeploymentItem,
    app_id: Uuid,
    /// The app's name.
    app: String,
    /// What was done when, in order.
    stages: Vec<StageItem>,
    /// Process types and their commands; null until it is built.
    #[schema(value_type = Option<BTreeMap<String, String>>)]
    processes: Option<BTreeMap<ProcessType, String>>,
    /// Digest of the slug's content; null for an image built from a Dockerfile.
    slug_digest: Option<String>,
    /// Digest of the image's manifest.
    image_digest: Option<String>,
    /// The version of the config vars it was released with.
    config_version: Option<i32>,
}

/// A stage of a deployment.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct StageItem {
    #[schema(value_type = schema::Stage)]
    stage: Stage,
    started_at: DateTime<Utc>,
    /// Null while it goes on.
    finished_at: Option<DateTime<Utc>>,
    failed: bool,
}

/// Show a deployment
#[utoipa::path(
    get,
    path = "/api/paas/apps/{app}/deployments/{deployment}",
    tag = "deployments",
    params(
        ("app" = String, Path, description = "Its slug or id"),
        ("deployment" = Uuid, Path, description = "Id of the deployment"),
    ),
    responses((status = OK, body = DeploymentAnswer))
)]
pub(crate) async fn show_deployment(
    State(actions): State<Actions>,
    caller: Caller,
    PathOf((app, id)): PathOf<(AppRef, Uuid)>,
) -> Answer<DeploymentAnswer> {
    let shown = actions.deployment(&caller, &app, DeploymentId(id)).await?;
    let deployment = &shown.view.deployment;
    Ok(Json(DeploymentAnswer {
        app_id: shown.app.id.0,
        app: shown.app.slug.to_string(),
        stages: shown
            .stages
            .into_iter()
            .map(|timing| StageItem {
                stage: timing.stage,
                started_at: timing.started_at,
                finished_at: timing.finished_at,
                failed: timing.failed,
            })
            .collect(),
        processes: deployment.process_types.as_ref().map(|types| types.0.clone()),
        slug_digest: deployment.slug_digest.map(|digest| digest.to_string()),
        image_digest: deployment.image_digest.map(|digest| digest.to_string()),
        config_version: deployment.config_version,
        deployment: shown.view.into(),
    }))
}
