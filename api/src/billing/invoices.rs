//! `GET /api/organizations/{organization}/invoices`.

use std::cmp::Reverse;

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use skypanel_core::actions::Actions;
use skypanel_core::model::{Money, Month, OrganizationRef};
use utoipa::ToSchema;

use crate::http::{Answer, Caller, LargePage, Listed, PathOf, schema};

/// A month with an invoice.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct InvoiceItem {
    #[schema(example = "2026-11")]
    month: String,
    /// What was charged in it.
    #[schema(value_type = schema::Money)]
    total: Money,
}

/// List invoices
///
/// The months in which something was charged, newest first.
#[utoipa::path(
    get,
    path = "/api/organizations/{organization}/invoices",
    tag = "billing",
    params(
        ("organization" = String, Path, description = "Its name or id; for admins also the id of one that was deleted"),
        LargePage
    ),
    responses((status = OK, body = Listed<InvoiceItem>))
)]
pub(crate) async fn list_invoices(
    State(actions): State<Actions>,
    caller: Caller,
    PathOf(organization): PathOf<OrganizationRef>,
    page: LargePage,
) -> Answer<Listed<InvoiceItem>> {
    let organization = actions.organization_with_books(&caller, &organization).await?;
    let months = actions.invoices(&caller, organization.id).await?;
    let show = |(month, total): (Month, _)| InvoiceItem { month: month.to_string(), total };
    Ok(Json(page.cut(months, |(month, _)| Reverse(month.first_day()), show)?))
}
