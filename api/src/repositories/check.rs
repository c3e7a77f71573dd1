//! `POST /api/paas/apps/{app}/repository/check`.

use axum::Json;
use axum::extract::State;
use skypanel_core::actions::Actions;
use skypanel_core::model::AppRef;

use super::show::RepositoryView;
use crate::http::{Answer, Caller, PathOf};

/// Check an app's repository
///
/// Asks the host now whether the repository can be reached and has the branch. The error is that of a change.
#[utoipa::path(
    post,
    path = "/api/paas/apps/{app}/repository/check",
    tag = "repositories",
    params(("app" = String, Path, description = "Slug or id of the app")),
    responses(
        (status = OK, body = RepositoryView),
        (status = CONFLICT, description = "The app has no Git URL.", body = crate::error::ErrorBody),
        (status = UNPROCESSABLE_ENTITY, description = "It does not work; `details.fields` says what.", body = crate::error::ErrorBody),
    )
)]
pub(crate) async fn check_repository(
    State(actions): State<Actions>,
    caller: Caller,
    PathOf(app): PathOf<AppRef>,
) -> Answer<RepositoryView> {
    Ok(Json(actions.check_repository(&caller, &app).await?.into()))
}
