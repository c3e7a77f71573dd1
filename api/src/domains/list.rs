//! `GET /api/paas/apps/{app}/domains`.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use skypanel_core::actions::Actions;
use skypanel_core::model::AppRef;
use utoipa::ToSchema;

use super::DomainItem;
use crate::http::{Answer, Caller, LargePage, PathOf};

/// An app's domains.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DomainList {
    /// The name under the platform's domain, which the app has always.
    default_domain: String,
    /// Whether plain HTTP on its own domains is sent on to HTTPS, once there is a certificate.
    https_redirect: bool,
    /// Its own ones, by name.
    items: Vec<DomainItem>,
    /// What to ask for to get the next page; null on the last one.
    next_cursor: Option<String>,
}

/// List an app's domains
///
/// Each with the DNS records that it needs, and with the certificate that the edge serves for it.
#[utoipa::path(
    get,
    path = "/api/paas/apps/{app}/domains",
    tag = "domains",
    params(("app" = String, Path, description = "Slug or id of the app"), LargePage),
    responses((status = OK, body = DomainList))
)]
pub(crate) async fn list_domains(
    State(actions): State<Actions>,
    caller: Caller,
    PathOf(app): PathOf<AppRef>,
    page: LargePage,
) -> Answer<DomainList> {
    let domains = actions.domains(&caller, &app).await?;
    let own = page.cut(domains.custom, |view| view.domain.domain.to_string(), DomainItem::from)?;
    Ok(Json(DomainList {
        default_domain: domains.default,
        https_redirect: domains.https_redirect,
        items: own.items,
        next_cursor: own.next_cursor,
    }))
}
