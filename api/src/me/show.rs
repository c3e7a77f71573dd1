//! `GET /api/me`.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use skypanel_core::actions::{Actions, Scope};
use skypanel_core::model::Role;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::http::{Answer, Caller, schema};

/// The caller.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Me {
    id: Uuid,
    email: String,
    /// Whether they may administer the platform.
    is_admin: bool,
    /// What the session or token of this very request may be used for.
    #[schema(value_type = schema::Scope)]
    scope: Scope,
    /// Whether logins need a second factor.
    second_factor: bool,
    /// Their organisations, by name.
    organizations: Vec<Membership>,
}

/// A membership of the caller.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Membership {
    id: Uuid,
    name: String,
    #[schema(value_type = schema::Role)]
    role: Role,
}

/// Show the caller
///
/// Who the session or token belongs to, and what they are in which organisation.
#[utoipa::path(get, path = "/api/me", tag = "me", responses((status = OK, body = Me)))]
pub(crate) async fn show_me(State(actions): State<Actions>, caller: Caller) -> Answer<Me> {
    let user = caller.user()?;
    let memberships = caller.identity.iter().flat_map(|identity| &identity.memberships);
    Ok(Json(Me {
        id: user.id.0,
        email: user.email.clone(),
        is_admin: user.is_admin,
        scope: caller.scope,
        second_factor: actions.second_factor(&caller).await?.enabled,
        organizations: memberships
            .map(|(organization, role)| Membership {
                id: organization.id.0,
                name: organization.name.clone(),
                role: *role,
            })
            .collect(),
    }))
}
