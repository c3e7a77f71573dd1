//! Writes down what a deployment changes, for the receiver and the worker, beside what they are about. A deployment goes
//! its way whatever becomes of this.

use std::path::PathBuf;

use super::{ChangeLimits, Range, changes_between};
use crate::model::{AppId, Changes, DeploymentId, NoChanges, ReleaseBefore};
use crate::store::Store;

/// A deployment whose commit is at hand.
#[derive(Clone, Debug)]
pub struct Begun {
    /// Its app.
    pub app: AppId,
    /// The deployment.
    pub deployment: DeploymentId,
    /// What the app ran when it was asked for.
    pub before: ReleaseBefore,
    /// The bare repository.
    pub repository: PathBuf,
    /// Where Git keeps the pushed objects until the verdict.
    pub quarantine: Option<PathBuf>,
    /// Full hash of its commit.
    pub commit: String,
}

/// Compares, and writes down what comes of it. Takes no longer than [`ChangeLimits::time`] and a moment.
pub async fn note_changes(store: &Store, begun: Begun) {
    let Begun { app, deployment, before, repository, quarantine, commit } = begun;
    let base = match (&before.version, &before.commit) {
        (_, Some(commit)) => Ok(commit.clone()),
        (None, None) => Err(NoChanges::FirstRelease),
        (Some(_), None) => Err(NoChanges::ArchiveBefore),
    };
    let changes: Result<Changes, NoChanges> = match base {
        Err(missing) => Err(missing),
        Ok(base) => {
            let range = Range { repository, quarantine, base, commit, limits: ChangeLimits::default() };
            tokio::task::spawn_blocking(move || changes_between(&range)).await.unwrap_or(Err(NoChanges::Unreadable))
        }
    };
    if let Err(error) = store.save_changes(app, deployment, &before, changes.as_ref().map_err(|missing| *missing)).await
    {
        tracing::warn!(%deployment, %error, "what a deployment changes could not be written down");
    }
}
