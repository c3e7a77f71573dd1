//! Fetching what a deployment of a repository elsewhere is built from, and telling that repository's host how the
//! deployment goes.

use std::sync::Arc;

use skypanel_core::blob::Blobs;
use skypanel_core::changes::{Begun, note_changes};
use skypanel_core::jobs::ReportStatus;
use skypanel_core::model::{
    Application, CommitHash, Deployment, DeploymentSource, DeploymentStatus, GitTransport, ReleaseBefore, Trigger,
};
use skypanel_core::quantity::{count, size};
use skypanel_core::repository::{CommitState, CommitStatus, Fetched, GitClient, Remote, StatusError};
use skypanel_core::source::{CommitSource, SourceLimits, pack_commit};
use skypanel_core::store::Store;
use skypanel_core::stream::StreamWriter;
use skypanel_core::{Error, Result};

use crate::{Job, Worker};

/// What fetching needs. Cheap to clone.
#[derive(Clone)]
pub struct Fetcher {
    /// The platform's state.
    pub store: Store,
    /// Where sources go.
    pub blobs: Blobs,
    /// The way to repositories.
    pub git: GitClient,
}

impl Fetcher {
    /// Whether the deployment has to be fetched still: it is of a repository elsewhere and its source is not stored.
    pub async fn missing(&self, deployment: &Deployment) -> Result<Option<DeploymentSource>> {
        let Some(source) = self.store.deployment_source(deployment.id).await? else { return Ok(None) };
        let stored = self.blobs.size(&deployment.source_key()).await?.is_some();
        Ok((!stored).then_some(source))
    }

    /// Fetches the commit, packs its tree as the deployment's source and notes whose commit it is. Where a webhook did
    /// not tell the commit's message (GitLab's does not for a branch made from commits that are there), and that asks
    /// not to deploy, the deployment ends with this. Whoever gives up waiting ends the fetching.
    pub async fn fetch(
        &self,
        app: &Application,
        deployment: &Deployment,
        source: DeploymentSource,
        log: &StreamWriter,
    ) -> Result<()> {
        log.step(&format!("Cloning {} ({})", source.git_url, source.git_branch)).await;
        let settings = self.store.settings().await?;
        // It may be an address that the app had before.
        let credentials = self.store.credentials_for(app.id, &source.git_url).await?;
        let remote = Remote { url: source.git_url, branch: source.git_branch, credentials };
        let before = self.store.release_before(app.id).await?;
        let beside = before.commit.as_deref().and_then(|commit| commit.parse().ok());
        let fetched = self.git.fetch(&remote, source.git_commit.as_ref(), beside.as_ref(), &settings).await?;
        let fetched = Arc::new(fetched);
        if let Some(keys) = &fetched.host_keys {
            self.store.pin_host_keys(app.id, &remote.url, keys).await?;
            log.detail(&format!("Pinned the SSH host key that {} showed", remote.url.host())).await;
        }
        let what = CommitSource {
            repository: fetched.repository(),
            quarantine: None,
            commit: fetched.commit.to_string(),
            git: self.git.program().to_owned(),
            limits: SourceLimits::default(),
            verb: "deploy",
        };
        let spool = self.blobs.spool()?;
        // The repository stays until it is packed, even if nobody waits for that any more.
        let held = fetched.clone();
        let packed = tokio::task::spawn_blocking(move || {
            let packed = pack_commit(&what, spool);
            drop(held);
            packed
        });
        let snapshot = packed
            .await
            .map_err(|_| Error::System("The fetched files could not be read. Deploy again.".to_owned()))??;
        self.store.set_fetched(deployment.id, &fetched.commit, &snapshot.message, &snapshot.author).await?;
        if let (Trigger::Webhook, Some(marker)) = (deployment.trigger, &snapshot.skip) {
            let why = format!("Not deployed: the commit's message says {marker}.");
            let why = Some(("SKIPPED", why.as_str()));
            self.store.finish_deployment(deployment.id, DeploymentStatus::Cancelled, why).await?;
            return Ok(());
        }
        let key = deployment.source_key();
        let (stored, ()) =
            tokio::join!(self.blobs.put_file(&key, snapshot.file), self.note_changes(deployment, before, &fetched));
        stored?;
        let received = format!(
            "Received {} ({}, {})",
            fetched.commit.short(),
            count(snapshot.files, "file"),
            size(snapshot.bytes)
        );
        log.detail(&received).await;
        if !snapshot.warnings.is_empty() {
            log.error(&snapshot.warnings.join("\n")).await;
        }
        Ok(())
    }

    /// Writes down what the deployment changes where the host gave as much as that takes.
    async fn note_changes(&self, deployment: &Deployment, before: ReleaseBefore, fetched: &Fetched) {
        let begun = Begun {
            app: deployment.application_id,
            deployment: deployment.id,
            before,
            repository: fetched.repository(),
            quarantine: None,
            commit: fetched.commit.to_string(),
        };
        note_changes(&self.store, begun).await;
    }

    /// Tells the host of the deployment's commit how it goes now. There is nothing to tell where no token is set, the
    /// host's kind is not known or its owner does not want it.
    pub async fn report(&self, job: &ReportStatus) -> Result<()> {
        let deployment = match self.store.deployment(job.deployment).await {
            Ok(deployment) => deployment,
            Err(Error::NotFound(_)) => return Ok(()),
            Err(error) => return Err(error),
        };
        let Some(source) = self.store.deployment_source(deployment.id).await? else { return Ok(()) };
        let Some(commit) = deployment.git_commit.as_deref().and_then(|text| text.parse::<CommitHash>().ok()) else {
            return Ok(());
        };
        let app = self.store.app(deployment.application_id).await?;
        let repository = self.store.repository(app.id).await?;
        let (Some(host), true) = (repository.host_kind, repository.report_status) else { return Ok(()) };
        let Some((_, token)) = self.store.credentials_for(app.id, &source.git_url).await?.token else { return Ok(()) };
        let settings = self.store.settings().await?;
        if source.git_url.transport() == GitTransport::Http && !settings.git_allow_http {
            // Anyone on the way could read the token.
            return Ok(());
        }
        let (state, description) = in_words(&deployment);
        let status = CommitStatus {
            host,
            url: &source.git_url,
            commit: &commit,
            state,
            context: format!("skypanel/{}", app.slug),
            description,
            token: &token,
        };
        match status.send(&self.git.http(&settings)).await {
            Ok(()) => Ok(()),
            Err(StatusError::Refused(reason)) => {
                tracing::warn!(app = %app.slug, reason, "a commit status was refused");
                self.store.record_event(app.id, None, "commit_status", &reason).await
            }
            Err(StatusError::Passing(reason)) => Err(Error::Upstream(reason)),
        }
    }
}

impl std::fmt::Debug for Fetcher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Fetcher")
    }
}

fn in_words(deployment: &Deployment) -> (CommitState, String) {
    match deployment.status {
        DeploymentStatus::Succeeded => {
            let version = deployment.version.map(|version| format!(" as {version}")).unwrap_or_default();
            (CommitState::Success, format!("Live{version}"))
        }
        DeploymentStatus::Failed => {
            let reason = deployment.error.as_deref().and_then(|text| text.lines().next());
            (CommitState::Failure, reason.unwrap_or("The deployment failed").to_owned())
        }
        DeploymentStatus::Cancelled => (CommitState::Failure, "Cancelled".to_owned()),
        DeploymentStatus::Queued => (CommitState::Pending, "Waits for a builder".to_owned()),
        _ => (CommitState::Pending, "Is being built and released".to_owned()),
    }
}

impl Job for ReportStatus {
    async fn run(self, worker: Worker, _attempt: i16) -> Result<()> {
        worker.fetcher().report(&self).await
    }
}
