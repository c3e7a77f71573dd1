//! `POST /api/paas/apps`.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use skypanel_core::actions::{Actions, AppSettings, NewApp};
use skypanel_core::model::{AppSlug, OrganizationRef};
use utoipa::ToSchema;

use super::AppItem;
use crate::error::ApiError;
use crate::http::{Caller, ValidJson};

/// An app to make.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct WantedApp {
    /// Its unique name: 1 to 30 lower-case letters, digits and single dashes, beginning with a letter. A friendly one
    /// is made up without.
    #[schema(value_type = Option<String>, max_length = 30, pattern = "^[a-z](-?[a-z0-9])*$")]
    slug: Option<AppSlug>,
    /// Its name for people; the slug without.
    #[schema(max_length = 60)]
    name: Option<String>,
    /// The organisation it belongs to, by name or id; needed by members of several.
    #[schema(value_type = Option<String>)]
    organization: Option<OrganizationRef>,
    /// Its plan, by name or id; the smallest without.
    plan: Option<String>,
    /// The branch that is released; `main` without.
    git_branch: Option<String>,
    /// A buildpack by name or Git URL, in place of detection.
    #[schema(max_length = 500)]
    buildpack: Option<String>,
    /// HTTP path of the health check.
    #[schema(max_length = 500)]
    health_check_path: Option<String>,
}

/// Create an app
///
/// Makes an app without a release. Names are unique across all organisations. Refused with `PLAN_LIMIT_REACHED` above
/// the organisation's number of apps.
#[utoipa::path(
    post,
    path = "/api/paas/apps",
    tag = "apps",
    request_body = WantedApp,
    responses((status = CREATED, body = AppItem), (status = CONFLICT, body = crate::error::ErrorBody))
)]
pub(crate) async fn create_app(
    State(actions): State<Actions>,
    caller: Caller,
    ValidJson(wanted): ValidJson<WantedApp>,
) -> Result<(StatusCode, Json<AppItem>), ApiError> {
    let new = NewApp {
        slug: wanted.slug,
        organization: wanted.organization,
        plan: wanted.plan,
        settings: AppSettings {
            name: wanted.name,
            git_branch: wanted.git_branch.as_deref().map(str::parse).transpose()?,
            buildpack: wanted.buildpack,
            health_check_path: wanted.health_check_path,
            auto_deploy: None,
        },
    };
    let app = actions.create_app(&caller, &new).await?;
    Ok((StatusCode::CREATED, Json(app.into())))
}
