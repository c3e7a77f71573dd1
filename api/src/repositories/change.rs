//! `PATCH /api/paas/apps/{app}/repository`.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Deserializer};
use skypanel_core::actions::{Actions, RepositoryChange};
use skypanel_core::model::{AppRef, HostKind};
use utoipa::ToSchema;
use zeroize::Zeroizing;

use super::show::RepositoryView;
use crate::http::{Answer, Caller, PathOf, ValidJson, schema};

/// What to change. What is left out stays; null takes a value away.
#[derive(Deserialize, ToSchema)]
#[expect(clippy::option_option, reason = "null and left out differ")]
#[serde(deny_unknown_fields)]
pub(crate) struct WantedRepository {
    /// `https://host/owner/repository.git`, `ssh://git@host/owner/repository.git` or `git@host:owner/repository.git`,
    /// without a user name or token for HTTPS.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>)]
    git_url: Option<Option<String>>,
    /// The branch that is deployed.
    git_branch: Option<String>,
    /// Whether a push that a webhook tells of is deployed by itself.
    auto_deploy: Option<bool>,
    /// A token that may read the repository, and write commit statuses where those are wanted.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>)]
    token: Option<Option<String>>,
    /// The user name that goes with the token; `x-access-token` unless given.
    token_username: Option<String>,
    /// Public keys of the SSH host as `ssh-keyscan` prints them; null pins those that the host shows next.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>)]
    host_keys: Option<Option<String>>,
    /// What the host is; null guesses by its name.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<schema::HostKind>)]
    host_kind: Option<Option<HostKind>>,
    /// Whether to mark commits at the host with how their deployment went. It needs a token.
    report_status: Option<bool>,
}

/// Tells null from what is left out.
#[expect(clippy::option_option, reason = "null and left out differ")]
fn given<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<Option<T>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

/// Change an app's repository
///
/// Saved only if the repository can be reached and has the branch; `details.fields` of the error names which of
/// `git_url`, `git_branch`, `token`, `deploy_key` and `host_keys` is at fault. An address on another host does away with
/// the token and the pinned host keys of the one before, unless they are given anew.
#[utoipa::path(
    patch,
    path = "/api/paas/apps/{app}/repository",
    tag = "repositories",
    params(("app" = String, Path, description = "Slug or id of the app")),
    request_body = WantedRepository,
    responses((status = OK, body = RepositoryView))
)]
pub(crate) async fn change_repository(
    State(actions): State<Actions>,
    caller: Caller,
    PathOf(app): PathOf<AppRef>,
    ValidJson(wanted): ValidJson<WantedRepository>,
) -> Answer<RepositoryView> {
    let change = RepositoryChange {
        git_url: wanted.git_url,
        git_branch: wanted.git_branch,
        auto_deploy: wanted.auto_deploy,
        token: wanted.token.map(|token| token.map(Zeroizing::new)),
        token_username: wanted.token_username,
        host_keys: wanted.host_keys,
        host_kind: wanted.host_kind,
        report_status: wanted.report_status,
    };
    Ok(Json(actions.change_repository(&caller, &app, change).await?.into()))
}
