//! `PATCH /api/admin/paas/organizations/{organization}`.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Deserializer};
use skypanel_core::actions::{Actions, OrganizationLimits};
use skypanel_core::model::OrganizationRef;
use utoipa::ToSchema;

use super::AdminOrganizationItem;
use crate::http::{AdminCaller, Answer, PathOf, ValidJson};

/// What to change; what is left out stays as it is.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(clippy::option_option, reason = "left out, null and a number are three different wishes")]
pub(crate) struct WantedLimits {
    /// Whether its members may create apps.
    allow_app_creation: Option<bool>,
    /// Most apps; null: as the platform's settings say.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<u32>, minimum = 0, maximum = 1_000_000)]
    max_apps: Option<Option<u32>>,
    /// Most deployments an hour; null: as the platform's settings say.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<u32>, minimum = 0, maximum = 1_000_000)]
    max_deployments_per_hour: Option<Option<u32>>,
    /// Most builds at once; null: as the platform's settings say.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<u32>, minimum = 1, maximum = 1_000_000)]
    max_concurrent_builds: Option<Option<u32>>,
}

/// Tells null, which is a value here, from what is left out.
#[expect(clippy::option_option, reason = "left out, null and a number are three different wishes")]
fn given<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<u32>>, D::Error> {
    Option::<u32>::deserialize(deserializer).map(Some)
}

/// Limit an organisation
///
/// Sets what it may have at a time, where that is to differ from the platform's settings.
#[utoipa::path(
    patch,
    path = "/api/admin/paas/organizations/{organization}",
    tag = "admin",
    params(("organization" = String, Path, description = "Its name or id")),
    request_body = WantedLimits,
    responses((status = OK, body = AdminOrganizationItem))
)]
pub(crate) async fn limit_organization(
    State(actions): State<Actions>,
    admin: AdminCaller,
    PathOf(organization): PathOf<OrganizationRef>,
    ValidJson(wanted): ValidJson<WantedLimits>,
) -> Answer<AdminOrganizationItem> {
    let limits = OrganizationLimits {
        allow_app_creation: wanted.allow_app_creation,
        max_apps: wanted.max_apps,
        max_deployments_per_hour: wanted.max_deployments_per_hour,
        max_concurrent_builds: wanted.max_concurrent_builds,
    };
    Ok(Json(actions.limit_organization(&admin, &organization, limits).await?.into()))
}
