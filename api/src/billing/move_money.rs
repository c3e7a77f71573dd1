//! `POST /api/admin/paas/organizations/{organization}/ledger`.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use skypanel_core::actions::Actions;
use skypanel_core::model::{LedgerKind, Money, NewLedgerEntry, OrganizationRef};
use skypanel_core::store::Access;
use utoipa::ToSchema;
use uuid::Uuid;

use super::LedgerItem;
use crate::error::ApiError;
use crate::http::{AdminCaller, PathOf, ValidJson, schema};

/// A movement to make.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct WantedMovement {
    /// `top_up`, `refund` or `adjustment`; charges come from the settlement only.
    #[schema(value_type = schema::LedgerKind)]
    kind: LedgerKind,
    /// Above zero; an adjustment may be below it.
    #[schema(value_type = schema::Money)]
    amount: Money,
    /// What it refers to, such as a payment's number. One reference of a kind is taken once.
    #[schema(max_length = 200)]
    reference: Option<String>,
    /// Why.
    #[schema(max_length = 1000)]
    note: Option<String>,
}

/// A movement that was made, and what followed from it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct MovementAnswer {
    entry: LedgerItem,
    /// Apps that go on, because the wallet is not empty any more.
    resumed: Vec<Uuid>,
    /// Apps that were suspended, because it is.
    suspended: Vec<Uuid>,
}

/// Move money
///
/// Tops up, refunds or adjusts a wallet. Apps follow the balance at once. A reference that the ledger has for the same
/// kind already is refused with 409, so that asking again after a lost answer moves nothing twice.
#[utoipa::path(
    post,
    path = "/api/admin/paas/organizations/{organization}/ledger",
    tag = "admin",
    params(("organization" = String, Path, description = "Its name or id")),
    request_body = WantedMovement,
    responses((status = CREATED, body = MovementAnswer))
)]
pub(crate) async fn move_money(
    State(actions): State<Actions>,
    admin: AdminCaller,
    PathOf(organization): PathOf<OrganizationRef>,
    ValidJson(wanted): ValidJson<WantedMovement>,
) -> Result<(StatusCode, Json<MovementAnswer>), ApiError> {
    let organization = actions.organization_for(&admin, &organization, Access::Own).await?;
    let new =
        NewLedgerEntry { kind: wanted.kind, amount: wanted.amount, reference: wanted.reference, note: wanted.note };
    let movement = actions.move_money(&admin, organization.id, new).await?;
    let answer = MovementAnswer {
        entry: movement.entry.into(),
        resumed: movement.resumed.into_iter().map(|app| app.0).collect(),
        suspended: movement.suspended.into_iter().map(|app| app.0).collect(),
    };
    Ok((StatusCode::CREATED, Json(answer)))
}
