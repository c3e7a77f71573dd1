//! Deployments of what is not pushed: an app's repository elsewhere, or an uploaded archive.

use std::fs::File;

use serde_json::{Value, json};

use super::{Actions, Actor};
use crate::blob::BlobKey;
use crate::model::{
    AppRef, Application, CommitHash, DeploymentId, DeploymentSource, GitBranch, NewDeployment, PushEvent, Repository,
    Stage, StreamId, Trigger,
};
use crate::settings::Settings;
use crate::source::{ArchiveSource, Snapshot, SourceLimits, pack_archive};
use crate::store::{Access, AuditEntry, audit, deployments, repositories};
use crate::{Error, Result};

/// A deployment that was queued.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Started {
    /// The deployment.
    pub deployment: DeploymentId,
    /// Where its progress is told.
    pub stream: StreamId,
    /// Deployments that still waited, whose place it took.
    pub superseded: Vec<DeploymentId>,
}

/// What to fetch and how to build it.
#[derive(Clone, Debug, Default)]
pub struct RepositoryDeploy {
    /// The full hash of a commit of the app's branch; none for its newest.
    pub commit: Option<CommitHash>,
    /// Whether to build without the cache.
    pub no_cache: bool,
}

/// An uploaded archive.
#[derive(Debug)]
pub struct ArchiveDeploy {
    /// The archive: `tar`, `tar.gz` or `tar.zst`.
    pub file: File,
    /// What the release list shows of it, such as a version.
    pub description: Option<String>,
    /// Whether to build without the cache.
    pub no_cache: bool,
}

impl Actions {
    /// Queues a deployment of the app's repository. It is fetched by the worker, so this answers at once.
    pub async fn deploy_from_repository(&self, actor: &Actor, app: &AppRef, what: RepositoryDeploy) -> Result<Started> {
        let app = self.app_of(actor, app, Access::Change).await?;
        let source = self.source_of(&app, what.commit.clone()).await?;
        let event = PushEvent {
            branch: source.git_branch.clone(),
            before: None,
            commit: what.commit,
            message: None,
            author: None,
            skip: None,
        };
        let new = fetched_deployment(&app, Trigger::Api, &event, what.no_cache, actor);
        let settings = self.store.settings().await?;
        let mut transaction = self.store.pool().begin().await?;
        let started = self.queue_fetched(&mut transaction, actor, &app, &new, &source, &settings).await?;
        transaction.commit().await?;
        Ok(started)
    }

    /// Checks an uploaded archive, packs it anew and queues its deployment. An archive that is refused changes
    /// nothing.
    pub async fn deploy_from_archive(&self, actor: &Actor, app: &AppRef, archive: ArchiveDeploy) -> Result<Started> {
        let app = self.app_of(actor, app, Access::Change).await?;
        let received = self.clock.now();
        let description = match archive.description.as_deref().map(str::trim).filter(|text| !text.is_empty()) {
            Some(text) if text.chars().count() > 100 || text.chars().any(char::is_control) => {
                return Err(Error::field("description", "Use up to 100 characters."));
            }
            Some(text) => format!("Deploy {text}"),
            None => "Deploy an uploaded archive".to_owned(),
        };
        let spool = self.blobs.spool()?;
        let source = ArchiveSource { file: archive.file, limits: SourceLimits::default() };
        let snapshot: Snapshot = tokio::task::spawn_blocking(move || pack_archive(&source, spool))
            .await
            .map_err(|_| Error::System("The uploaded archive could not be read. Try again.".to_owned()))??;
        let new = NewDeployment {
            id: DeploymentId::new(),
            application_id: app.id,
            trigger: Trigger::Api,
            git_branch: None,
            git_commit: None,
            git_message: None,
            git_author: None,
            no_cache: archive.no_cache,
            description,
            parent_id: None,
            created_by: actor.user_id(),
        };
        let key = BlobKey::source(new.id);
        self.blobs.put_file(&key, snapshot.file).await?;
        let queued = async {
            let now = self.clock.now();
            let settings = self.store.settings().await?;
            let mut transaction = self.store.pool().begin().await?;
            let superseded = repositories::queue(&mut transaction, &app, &new, None, &settings, now).await?;
            deployments::note_stage(&mut transaction, new.id, Stage::Receive, received).await?;
            let about = json!({ "from": "archive", "files": snapshot.files, "bytes": snapshot.bytes });
            audit::record(&mut transaction, actor, now, entry(&app, &new.id.to_string(), about)).await?;
            transaction.commit().await?;
            Ok(Started { deployment: new.id, stream: new.id.into(), superseded })
        };
        let started: Result<Started> = queued.await;
        if started.is_err() {
            // Clean-up would find it, too; this is sooner.
            let _ = self.blobs.delete(&key).await;
        }
        started
    }

    /// What a deployment of the app's repository is fetched from.
    pub(super) async fn source_of(&self, app: &Application, commit: Option<CommitHash>) -> Result<DeploymentSource> {
        source_in(app, self.store.repository(app.id).await?, commit)
    }

    /// Queues a deployment to be fetched, within the caller's transaction.
    pub(super) async fn queue_fetched(
        &self,
        connection: &mut sqlx::PgConnection,
        actor: &Actor,
        app: &Application,
        new: &NewDeployment,
        source: &DeploymentSource,
        settings: &Settings,
    ) -> Result<Started> {
        let now = self.clock.now();
        let superseded = repositories::queue(connection, app, new, Some(source), settings, now).await?;
        let about = json!({ "from": source.git_url, "branch": source.git_branch, "commit": source.git_commit });
        audit::record(connection, actor, now, entry(app, &new.id.to_string(), about)).await?;
        Ok(Started { deployment: new.id, stream: new.id.into(), superseded })
    }
}

/// What a deployment is fetched from of an app that is connected like that.
pub(super) fn source_in(
    app: &Application,
    repository: Repository,
    commit: Option<CommitHash>,
) -> Result<DeploymentSource> {
    let git_url = repository.git_url.ok_or_else(|| {
        Error::Conflict(format!(
            "The app \"{}\" has no Git URL to deploy from. Set one, push to it, or upload an archive.",
            app.slug
        ))
    })?;
    Ok(DeploymentSource { git_url, git_branch: repository.git_branch, git_commit: commit })
}

/// A deployment of what is fetched by the worker.
pub(super) fn fetched_deployment(
    app: &Application,
    trigger: Trigger,
    event: &PushEvent,
    no_cache: bool,
    actor: &Actor,
) -> NewDeployment {
    let branch: &GitBranch = &event.branch;
    NewDeployment {
        id: DeploymentId::new(),
        application_id: app.id,
        trigger,
        git_branch: Some(branch.to_string()),
        git_commit: event.commit.as_ref().map(ToString::to_string),
        git_message: event.message.clone(),
        git_author: event.author.clone(),
        no_cache,
        description: event
            .commit
            .as_ref()
            .map_or_else(|| format!("Deploy {branch}"), |commit| format!("Deploy {}", commit.short())),
        parent_id: None,
        created_by: actor.user_id(),
    }
}

fn entry<'a>(app: &Application, deployment: &'a str, after: Value) -> AuditEntry<'a> {
    AuditEntry {
        action: "app.deploy",
        organization: Some(app.organization_id),
        target_kind: "deployment",
        target: deployment,
        before: Value::Null,
        after,
    }
}
