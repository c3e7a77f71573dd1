//! A browser session as its browser is told of it.

use axum::Json;
use axum::http::HeaderMap;
use chrono::{DateTime, Utc};
use serde::Serialize;
use skypanel_core::actions::OpenSession;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::http::{Shared, cookies};

/// An open session. Its credentials are in the cookies that come with it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct OpenedSession {
    user_id: Uuid,
    email: String,
    is_admin: bool,
    /// To be sent as `X-CSRF-Token` with every write; also in the cookie `skypanel_csrf`, or
    /// `__Host-skypanel_csrf` with HTTPS.
    csrf_token: String,
    /// When the session ends unless it is used.
    expires_at: DateTime<Utc>,
}

/// The answer to a login or a renewal.
pub(super) fn opened(shared: &Shared, open: OpenSession) -> (HeaderMap, Json<OpenedSession>) {
    let headers = cookies::keep(shared, &open);
    let body = OpenedSession {
        user_id: open.user.id.0,
        email: open.user.email,
        is_admin: open.user.is_admin,
        csrf_token: open.csrf_token,
        expires_at: open.session.expires_at,
    };
    (headers, Json(body))
}
