//! `POST /api/paas/apps/{app}/domains/{domain}/verify`.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use skypanel_core::actions::Actions;
use skypanel_core::model::{AppRef, DomainRef};
use utoipa::ToSchema;

use super::DomainItem;
use crate::error::ErrorBody;
use crate::http::{Answer, Caller, PathOf};

/// What DNS says about a domain.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct VerifiedDomain {
    /// The domain after this check.
    domain: DomainItem,
    /// Whether the TXT record proves it for this app.
    proven: bool,
    /// Whether requests for it come here.
    leads_here: bool,
}

/// Verify a domain now
///
/// Asks DNS for its TXT record and for where it leads. All right, it is active and gets a certificate; else `problem`
/// says what to mend. An active one that is not right any more stays routed until `demoted_at`. 502 if the name servers
/// do not answer: then nothing changed.
#[utoipa::path(
    post,
    path = "/api/paas/apps/{app}/domains/{domain}/verify",
    tag = "domains",
    params(
        ("app" = String, Path, description = "Slug or id of the app"),
        ("domain" = String, Path, description = "Name or id of the domain"),
    ),
    responses(
        (status = OK, body = VerifiedDomain),
        (status = BAD_GATEWAY, description = "The name servers do not answer.", body = ErrorBody)
    )
)]
pub(crate) async fn verify_domain(
    State(actions): State<Actions>,
    caller: Caller,
    PathOf((app, domain)): PathOf<(AppRef, DomainRef)>,
) -> Answer<VerifiedDomain> {
    let (domain, checked) = actions.verify_domain(&caller, &app, &domain).await?;
    Ok(Json(VerifiedDomain { domain: domain.into(), proven: checked.proven, leads_here: checked.leads_here }))
}
