//! `DELETE /api/admin/paas/organizations/{organization}`.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use skypanel_core::Error;
use skypanel_core::actions::{Actions, AppsGo};
use skypanel_core::model::OrganizationRef;
use utoipa::ToSchema;

use crate::error::ErrorBody;
use crate::http::{AdminCaller, Answer, PathOf, ValidJson};

/// How to delete it.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct WantedDeletion {
    /// Its name, once more.
    confirm: String,
    /// What becomes of its apps; may be left out when it has none.
    apps: Option<AppsFate>,
    /// Name or id of the organisation that gets the apps, with `"apps": "reassign"`.
    #[schema(value_type = Option<String>)]
    reassign_to: Option<OrganizationRef>,
}

/// What becomes of an organisation's apps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum AppsFate {
    /// They are destroyed with all they have.
    Delete,
    /// They go to another organisation and run on.
    Reassign,
}

/// What was begun.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DeletionAnswer {
    /// Whether it is gone; else it goes with the last of the apps that are being destroyed.
    deleted: bool,
    /// Apps that are being destroyed.
    destroyed: Vec<String>,
    /// Apps that went to the other organisation.
    reassigned: Vec<String>,
}

/// Delete an organisation
///
/// Its apps are destroyed, or go to another organisation with their config vars, domains and releases, running on. What it
/// paid and used stays in the ledger. Refused with 409 while its wallet holds money, or while it has apps and nothing is
/// said of them.
#[utoipa::path(
    delete,
    path = "/api/admin/paas/organizations/{organization}",
    tag = "admin",
    params(("organization" = String, Path, description = "Its name or id")),
    request_body = WantedDeletion,
    responses(
        (status = OK, body = DeletionAnswer),
        (status = CONFLICT, description = "It has apps or money, or is being deleted already.", body = ErrorBody)
    )
)]
pub(crate) async fn delete_any_organization(
    State(actions): State<Actions>,
    admin: AdminCaller,
    PathOf(organization): PathOf<OrganizationRef>,
    ValidJson(wanted): ValidJson<WantedDeletion>,
) -> Answer<DeletionAnswer> {
    let apps = match (wanted.apps, wanted.reassign_to) {
        (Some(AppsFate::Reassign), Some(heir)) => AppsGo::To(heir),
        (Some(AppsFate::Reassign), None) => {
            return Err(Error::field("reassign_to", "Say which organisation gets the apps.").into());
        }
        (_, Some(_)) => return Err(Error::field("reassign_to", "This goes with \"apps\": \"reassign\" only.").into()),
        (Some(AppsFate::Delete), None) => AppsGo::Away,
        (None, None) => AppsGo::Nowhere,
    };
    let deleted = actions.delete_organization(&admin, &organization, &wanted.confirm, &apps).await?;
    let names = |slugs: Vec<skypanel_core::model::AppSlug>| slugs.into_iter().map(|slug| slug.to_string()).collect();
    Ok(Json(DeletionAnswer {
        deleted: deleted.is_gone,
        destroyed: names(deleted.destroyed),
        reassigned: names(deleted.reassigned),
    }))
}
