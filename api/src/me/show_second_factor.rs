//! `GET /api/me/totp`.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use skypanel_core::actions::Actions;
use utoipa::ToSchema;

use crate::http::{Answer, Caller};

/// State of the caller's second factor.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SecondFactorState {
    /// Whether logins need it.
    enabled: bool,
    /// Recovery codes that were not used yet.
    recovery_codes_left: i64,
}

/// Show the second factor
///
/// Whether it is in force, and how many recovery codes are left.
#[utoipa::path(get, path = "/api/me/totp", tag = "me", responses((status = OK, body = SecondFactorState)))]
pub(crate) async fn show_second_factor(State(actions): State<Actions>, caller: Caller) -> Answer<SecondFactorState> {
    let state = actions.second_factor(&caller).await?;
    Ok(Json(SecondFactorState { enabled: state.enabled, recovery_codes_left: state.recovery_codes_left }))
}
