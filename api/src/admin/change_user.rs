//! `PATCH /api/admin/paas/users/{user}`.

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use skypanel_core::actions::{Actions, UserChange};
use skypanel_core::model::UserId;
use utoipa::ToSchema;
use uuid::Uuid;

use super::list_users::UserItem;
use crate::error::ErrorBody;
use crate::http::{AdminCaller, Answer, PathOf, ValidJson};

/// What to change; what is left out stays as it is.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct WantedUser {
    /// Whether they administer the platform.
    is_admin: Option<bool>,
    /// Whether they are locked out: their sessions end, and their tokens and keys are refused.
    disabled: Option<bool>,
}

/// Change a user
///
/// Makes them an admin of the platform or takes that from them; locks them out or lets them in again. The last admin
/// stays one, and nobody locks themselves out.
#[utoipa::path(
    patch,
    path = "/api/admin/paas/users/{user}",
    tag = "admin",
    params(("user" = Uuid, Path, description = "Their id")),
    request_body = WantedUser,
    responses(
        (status = OK, body = UserItem),
        (status = CONFLICT, description = "They are the last admin.", body = ErrorBody)
    )
)]
pub(crate) async fn change_user(
    State(actions): State<Actions>,
    admin: AdminCaller,
    PathOf(user): PathOf<Uuid>,
    ValidJson(wanted): ValidJson<WantedUser>,
) -> Answer<UserItem> {
    let change = UserChange { is_admin: wanted.is_admin, disabled: wanted.disabled };
    Ok(Json(UserItem::try_from(actions.change_user(&admin, UserId(user), change).await?)?))
}
