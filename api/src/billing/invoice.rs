//! `GET /api/organizations/{organization}/invoices/{month}`.

use axum::extract::State;
use axum::http::header;
use axum::response::{Html, IntoResponse, Response};
use skypanel_core::Error;
use skypanel_core::actions::Actions;
use skypanel_core::model::{Month, OrganizationRef};

use crate::error::ApiError;
use crate::http::{Caller, PathOf};

/// Show an invoice
///
/// The invoice of a month as a page to print or keep. It is preliminary until the month is over and settled.
#[utoipa::path(
    get,
    path = "/api/organizations/{organization}/invoices/{month}",
    tag = "billing",
    params(
        ("organization" = String, Path, description = "Its name or id; for admins also the id of one that was deleted"),
        ("month" = String, Path, description = "Such as 2026-11")
    ),
    responses((status = OK, content_type = "text/html", body = String))
)]
pub(crate) async fn show_invoice(
    State(actions): State<Actions>,
    caller: Caller,
    PathOf((organization, month)): PathOf<(OrganizationRef, String)>,
) -> Result<Response, ApiError> {
    let organization = actions.organization_with_books(&caller, &organization).await?;
    let month: Month = month.parse().map_err(|error: Error| Error::NotFound(error.to_string()))?;
    let invoice = actions.invoice(&caller, &organization, month).await?;
    // The page holds one style sheet, no script, and loads nothing.
    let policy =
        "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
    Ok(([(header::CONTENT_SECURITY_POLICY, policy)], Html(invoice.html())).into_response())
}
