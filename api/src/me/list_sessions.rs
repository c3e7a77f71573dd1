//! `GET /api/me/sessions`.

use std::cmp::Reverse;

use axum::Json;
use axum::extract::State;
use chrono::{DateTime, Utc};
use serde::Serialize;
use skypanel_core::actions::Actions;
use skypanel_core::model::Session;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::http::caller::CurrentSession;
use crate::http::{Answer, Caller, LargePage, Listed};

/// A browser in which the caller is logged in.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SessionItem {
    id: Uuid,
    /// Whether it is the one that asks.
    current: bool,
    created_at: DateTime<Utc>,
    /// When it was last renewed.
    last_used_at: DateTime<Utc>,
    expires_at: DateTime<Utc>,
    /// Where it was opened from.
    address: Option<String>,
    /// The browser, in its own words.
    user_agent: Option<String>,
}

/// List sessions
///
/// The caller's browser sessions that have not ended, the last used first.
#[utoipa::path(
    get,
    path = "/api/me/sessions",
    tag = "me",
    params(LargePage),
    responses((status = OK, body = Listed<SessionItem>))
)]
pub(crate) async fn list_sessions(
    State(actions): State<Actions>,
    caller: Caller,
    current: CurrentSession,
    page: LargePage,
) -> Answer<Listed<SessionItem>> {
    let sessions = actions.sessions(&caller).await?;
    let show = |session: Session| SessionItem {
        id: session.id.0,
        current: current.0 == Some(session.id),
        created_at: session.created_at,
        last_used_at: session.last_used_at,
        expires_at: session.expires_at,
        address: session.address,
        user_agent: session.user_agent,
    };
    Ok(Json(page.cut(sessions, |session| Reverse((session.last_used_at, session.id.0)), show)?))
}
