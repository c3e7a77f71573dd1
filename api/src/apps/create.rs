//! `POST /api/paas/apps`.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use skypanel_core::Error;
use skypanel_core::actions::{Actions, AppSettings, NewApp, RepositoryChange};
use skypanel_core::model::{AppSlug, HealthTargetChange, HealthTimes, OrganizationRef};
use utoipa::ToSchema;
use uuid::Uuid;

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
    /// Its plan by id, in place of `plan`.
    plan_id: Option<Uuid>,
    /// The repository it is built from when it is not pushed to. It must be reachable without a token or key, and have
    /// the branch; for a private one, set the repository of the app once it is made.
    #[schema(max_length = 2000)]
    git_url: Option<String>,
    /// The branch that is released; `main` without.
    #[serde(alias = "branch")]
    git_branch: Option<String>,
    /// Whether a webhook deploys; not without.
    auto_deploy: Option<bool>,
    /// Replicas of its `web` process, within the plan's limit; 1 without.
    #[schema(minimum = 0)]
    replicas: Option<u32>,
    /// The label before the platform's default domain; the slug without.
    #[schema(value_type = Option<String>, max_length = 30, pattern = "^[a-z](-?[a-z0-9])*$")]
    subdomain: Option<AppSlug>,
    /// A buildpack by name or Git URL, in place of detection.
    #[schema(max_length = 500)]
    buildpack: Option<String>,
    /// HTTP path of the health check.
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
    responses(
        (status = CREATED, body = AppItem),
        (status = CONFLICT, body = crate::error::ErrorBody),
        (status = NOT_FOUND, body = crate::error::ErrorBody, description = "There is no such organisation for the caller."),
    )
)]
pub(crate) async fn create_app(
    State(actions): State<Actions>,
    caller: Caller,
    ValidJson(wanted): ValidJson<WantedApp>,
) -> Result<(StatusCode, Json<AppItem>), ApiError> {
    if wanted.plan.is_some() && wanted.plan_id.is_some() {
        return Err(Error::field("plan_id", "Give the plan by \"plan\" or by \"plan_id\", not by both.").into());
    }
    let repository = wanted.git_url.filter(|url| !url.is_empty()).map(|url| RepositoryChange {
        git_url: Some(Some(url)),
        git_branch: wanted.git_branch.clone(),
        auto_deploy: wanted.auto_deploy,
        ..RepositoryChange::default()
    });
    let new = NewApp {
        slug: wanted.slug,
        organization: wanted.organization,
        plan: wanted.plan.or_else(|| wanted.plan_id.map(|id| id.to_string())),
        replicas: wanted.replicas,
        settings: AppSettings {
            name: wanted.name,
            git_branch: wanted.git_branch.as_deref().map(str::parse).transpose()?,
            buildpack: wanted.buildpack,
            health_check_path: wanted.health_check_path,
            health_target: HealthTargetChange {
                protocol: wanted.health_check_protocol,
                port: wanted.health_check_port,
                expected_status: wanted.health_check_expected_status,
            },
            health: HealthTimes {
                interval_seconds: wanted.health_check_interval_seconds,
                timeout_seconds: wanted.health_check_timeout_seconds,
                retries: wanted.health_check_retries,
                start_seconds: wanted.health_check_start_seconds,
            },
            subdomain: wanted.subdomain,
            auto_deploy: wanted.auto_deploy,
            repository,
        },
    };
    let app = actions.create_app(&caller, &new).await?;
    Ok((StatusCode::CREATED, Json(app.into())))
}
