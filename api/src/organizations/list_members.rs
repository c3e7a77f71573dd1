//! `GET /api/organizations/{organization}/members`.

use axum::Json;
use axum::extract::State;
use chrono::{DateTime, Utc};
use serde::Serialize;
use skypanel_core::actions::Actions;
use skypanel_core::model::{OrganizationRef, Role};
use skypanel_core::store::Member;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::http::{Answer, Caller, Listed, Page, PathOf, schema};

/// A member.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct MemberItem {
    user_id: Uuid,
    email: String,
    #[schema(value_type = schema::Role)]
    role: Role,
    /// Whether their logins need a second factor. Owners see it of all, others of themselves; null else.
    second_factor: Option<bool>,
    /// Since when they are a member.
    created_at: DateTime<Utc>,
}

impl From<Member> for MemberItem {
    fn from(member: Member) -> Self {
        Self {
            user_id: member.user_id.0,
            email: member.email,
            role: member.role,
            second_factor: member.second_factor,
            created_at: member.created_at,
        }
    }
}

/// List members
///
/// By e-mail address, to members.
#[utoipa::path(
    get, path = "/api/organizations/{organization}/members", tag = "organizations",
    params(("organization" = String, Path, description = "Name or id."), Page),
    responses((status = OK, body = Listed<MemberItem>)),
)]
pub(crate) async fn list_members(
    State(actions): State<Actions>,
    caller: Caller,
    PathOf(name): PathOf<OrganizationRef>,
    page: Page,
) -> Answer<Listed<MemberItem>> {
    let after: Option<String> = page.after()?;
    let members = actions.members(&caller, &name, after.as_deref(), page.rows()).await?;
    Ok(Json(page.list(members, |member| member.email.clone(), MemberItem::from)))
}
