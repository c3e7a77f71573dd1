//! `GET /api/paas/apps/{app}/deployments/{deployment}/changes`.

use axum::Json;
use axum::extract::State;
use chrono::{DateTime, Utc};
use serde::Serialize;
use skypanel_core::actions::{Actions, ShownChanges};
use skypanel_core::model::{
    AppRef, ChangedCommit, ChangedFile, Changes, DeploymentId, FileStatus, NoChanges, Omission,
};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::http::{Answer, Caller, PathOf, schema};

/// What a deployment changes beside what the app ran before.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DeploymentChanges {
    /// Full hash of the deployment's commit.
    commit: Option<String>,
    /// Release number of what the app ran when the deployment was asked for.
    base_version: Option<i32>,
    /// Full hash of the commit of that.
    base_commit: Option<String>,
    /// Null where it is not known.
    changes: Option<ChangesItem>,
    /// Why it is not known, for programs.
    #[schema(value_type = Option<schema::NoChanges>)]
    missing: Option<NoChanges>,
    /// Why it is not known, for people.
    reason: Option<&'static str>,
}

/// What lies between two commits. In all text of it control characters are replaced by signs for them.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ChangesItem {
    /// The commits that came, newest first; 50 at most.
    commits: Vec<ChangedCommitItem>,
    /// How many more there are, at least.
    more_commits: u64,
    /// Whether the history goes on from the base; not after a forced push, or for an older commit. Null where not enough
    /// of the history is at hand, and with it the commits may not be all.
    goes_on: Option<bool>,
    /// The files that differ, by path; 300 at most.
    files: Vec<ChangedFileItem>,
    /// How many more there are, at least.
    more_files: u64,
    /// Lines that came, in these files.
    added: u64,
    /// Lines that went.
    removed: u64,
    /// Whether there is more than is shown.
    truncated: bool,
}

/// A commit.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ChangedCommitItem {
    /// Its full hash.
    hash: String,
    /// The name of its author.
    author: String,
    /// The first line of its message.
    subject: String,
    /// When it was made, as it says itself.
    committed_at: Option<DateTime<Utc>>,
}

/// A file that differs.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ChangedFileItem {
    path: String,
    /// The path it had before, if it was renamed.
    old_path: Option<String>,
    #[schema(value_type = schema::FileStatus)]
    status: FileStatus,
    /// Its mode before, such as `100644`, if that changed.
    old_mode: Option<String>,
    /// Its mode now, if that changed.
    new_mode: Option<String>,
    /// Lines that came.
    added: u64,
    /// Lines that went.
    removed: u64,
    /// Why lines are missing, if they are.
    #[schema(value_type = Option<schema::Omission>)]
    omitted: Option<Omission>,
    /// Its hunks, as in a unified diff; of all files together 256 KiB at most.
    patch: String,
}

impl From<ShownChanges> for DeploymentChanges {
    fn from(shown: ShownChanges) -> Self {
        let missing = shown.changes.as_ref().err().copied();
        Self {
            commit: shown.commit,
            base_version: shown.base_version.map(|version| version.0),
            base_commit: shown.base_commit,
            changes: shown.changes.ok().map(ChangesItem::from),
            missing,
            reason: missing.map(NoChanges::words),
        }
    }
}

impl From<Changes> for ChangesItem {
    fn from(changes: Changes) -> Self {
        Self {
            commits: changes.commits.into_iter().map(ChangedCommitItem::from).collect(),
            more_commits: changes.more_commits,
            goes_on: changes.goes_on,
            files: changes.files.into_iter().map(ChangedFileItem::from).collect(),
            more_files: changes.more_files,
            added: changes.added,
            removed: changes.removed,
            truncated: changes.truncated,
        }
    }
}

impl From<ChangedCommit> for ChangedCommitItem {
    fn from(commit: ChangedCommit) -> Self {
        Self { hash: commit.hash, author: commit.author, subject: commit.subject, committed_at: commit.committed_at }
    }
}

impl From<ChangedFile> for ChangedFileItem {
    fn from(file: ChangedFile) -> Self {
        Self {
            path: file.path,
            old_path: file.old_path,
            status: file.status,
            old_mode: file.old_mode,
            new_mode: file.new_mode,
            added: file.added,
            removed: file.removed,
            omitted: file.omitted,
            patch: file.patch,
        }
    }
}

/// Show what a deployment changes
///
/// The commits and files between the commit of what the app ran when the deployment was asked for and the deployment's own,
/// for whoever may fetch the app's repository. It is read from the history that is pushed or fetched, and kept for the
/// newest 100 deployments of an app; where it is not known, `reason` says why.
#[utoipa::path(
    get,
    path = "/api/paas/apps/{app}/deployments/{deployment}/changes",
    tag = "deployments",
    params(
        ("app" = String, Path, description = "Its slug or id"),
        ("deployment" = Uuid, Path, description = "Id of the deployment"),
    ),
    responses((status = OK, body = DeploymentChanges))
)]
pub(crate) async fn show_deployment_changes(
    State(actions): State<Actions>,
    caller: Caller,
    PathOf((app, id)): PathOf<(AppRef, Uuid)>,
) -> Answer<DeploymentChanges> {
    Ok(Json(actions.deployment_changes(&caller, &app, DeploymentId(id)).await?.into()))
}
