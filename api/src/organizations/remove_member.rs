//! `DELETE /api/organizations/{organization}/members/{user}`.

use axum::extract::State;
use axum::http::StatusCode;
use skypanel_core::actions::Actions;
use skypanel_core::model::{OrganizationRef, UserId};

use crate::error::{ApiError, ErrorBody};
use crate::http::{Caller, PathOf};

/// Remove a member, or leave
///
/// Owners remove anyone; everybody may leave. The last owner cannot leave.
#[utoipa::path(
    delete, path = "/api/organizations/{organization}/members/{user}", tag = "organizations",
    params(("organization" = String, Path, description = "Name or id."), ("user" = Uuid, Path)),
    responses(
        (status = NO_CONTENT, description = "Removed."),
        (status = CONFLICT, body = ErrorBody, description = "There would be no owner any more."),
    ),
)]
pub(crate) async fn remove_member(
    State(actions): State<Actions>,
    caller: Caller,
    PathOf((name, user)): PathOf<(OrganizationRef, UserId)>,
) -> Result<StatusCode, ApiError> {
    actions.remove_member(&caller, &name, user).await?;
    Ok(StatusCode::NO_CONTENT)
}
