//! `GET /api/paas/apps/{app}/repository`.

use axum::Json;
use axum::extract::State;
use chrono::{DateTime, Utc};
use serde::Serialize;
use skypanel_core::actions::Actions;
use skypanel_core::model::{AppRef, HostKind, Repository};
use utoipa::ToSchema;

use crate::http::{Answer, Caller, PathOf, schema};

/// How an app is connected to a repository elsewhere. Secrets are never shown.
#[derive(Debug, Serialize, ToSchema)]
#[expect(clippy::struct_excessive_bools, reason = "an answer, not a state")]
pub(crate) struct RepositoryView {
    /// The address; null while the app is only pushed to.
    git_url: Option<String>,
    /// The branch that is deployed.
    git_branch: String,
    /// Whether a push that a webhook tells of is deployed by itself.
    auto_deploy: bool,
    /// Whether a token is set.
    has_token: bool,
    /// The user name that goes with the token.
    token_username: Option<String>,
    /// Public half of the deploy key, to be added to the repository at its host.
    deploy_key: Option<String>,
    /// Pinned keys of the SSH host, a line each.
    host_keys: Option<String>,
    /// Whether those were given by a user; else they are what the host showed first.
    host_keys_given: bool,
    /// What the host is, for its programming interface.
    #[schema(value_type = Option<schema::HostKind>)]
    host_kind: Option<HostKind>,
    /// Whether commits are marked at the host with how their deployment went.
    report_status: bool,
    /// When the address was last seen to work.
    verified_at: Option<DateTime<Utc>>,
}

impl From<Repository> for RepositoryView {
    fn from(repository: Repository) -> Self {
        Self {
            git_url: repository.git_url.map(|url| url.to_string()),
            git_branch: repository.git_branch.to_string(),
            auto_deploy: repository.auto_deploy,
            has_token: repository.token_username.is_some(),
            token_username: repository.token_username,
            deploy_key: repository.deploy_key,
            host_keys: repository.host_keys,
            host_keys_given: repository.host_keys_given,
            host_kind: repository.host_kind,
            report_status: repository.report_status,
            verified_at: repository.verified_at,
        }
    }
}

/// Show an app's repository
#[utoipa::path(
    get,
    path = "/api/paas/apps/{app}/repository",
    tag = "repositories",
    params(("app" = String, Path, description = "Slug or id of the app")),
    responses((status = OK, body = RepositoryView))
)]
pub(crate) async fn show_repository(
    State(actions): State<Actions>,
    caller: Caller,
    PathOf(app): PathOf<AppRef>,
) -> Answer<RepositoryView> {
    Ok(Json(actions.repository(&caller, &app).await?.into()))
}
