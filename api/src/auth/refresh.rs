//! `POST /api/auth/refresh`.

use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use skypanel_core::Error;

use super::session::{OpenedSession, opened};
use crate::error::{ApiError, ErrorBody};
use crate::http::{Shared, Visitor, cookies};

/// Renew a session
///
/// Exchanges the refresh cookie for fresh cookies. Each refresh cookie is good once: one that comes a second time ends
/// the session, because somebody has copied it. Two renewals within ten seconds are two tabs of one browser; the second
/// is answered with 409 and is to go on with the cookies that the first one got.
#[utoipa::path(
    post, path = "/api/auth/refresh", tag = "auth", security(()),
    responses(
        (status = OK, body = OpenedSession),
        (status = UNAUTHORIZED, body = ErrorBody, description = "There is no session to renew."),
        (status = CONFLICT, body = ErrorBody, description = "It was renewed a moment ago."),
    ),
)]
pub(crate) async fn refresh_session(
    State(shared): State<Shared>,
    visitor: Visitor,
    headers: HeaderMap,
) -> Result<(HeaderMap, Json<OpenedSession>), ApiError> {
    let presented = cookies::value(&shared, &headers, cookies::REFRESH)
        .ok_or_else(|| Error::Unauthenticated("There is no session to renew. Log in.".to_owned()))?;
    let open = shared.actions.refresh_session(presented, visitor.address, visitor.request_id).await?;
    Ok(opened(&shared, open))
}
