//! From a pushed commit to a release: snapshot, deployment, job, and the worker's output until the end.

use std::time::Duration;

use skypanel_core::actions::Actions;
use skypanel_core::changes::{Begun, note_changes};
use skypanel_core::model::{AppRef, DeploymentId, NewDeployment, ReleaseBefore, Stage, Trigger};
use skypanel_core::quantity::{count, size};
use skypanel_core::source::{CommitSource, Snapshot, pack_commit};
use skypanel_core::stream::StreamItem;
use skypanel_core::{Error, Result};
use tokio::task::spawn_blocking;

use crate::output::error_lines;
use crate::push::Push;
use crate::push::hook::{Hook, HookGone, Request};
use crate::push::policy::Release;

/// How long nothing may come before the developer is told what is waited for.
const EXPLAIN_AFTER: Duration = Duration::from_millis(1_500);

impl Push {
    /// Releases a commit and shows how it goes; answers whether it is live.
    pub(super) async fn release(
        &self,
        request: &Request,
        release: &Release,
        no_cache: bool,
        hook: &mut Hook,
    ) -> Result<bool, HookGone> {
        let short = release.commit.get(..7).unwrap_or(&release.commit);
        // Asked while nothing of this push can be live yet.
        let before = self.shared.actions.store.release_before(self.app.id);
        let (snapshot, before) = tokio::join!(self.snapshot(request, release), before);
        let snapshot = match snapshot {
            Ok(snapshot) => snapshot,
            Err(error) => {
                return hook.fail(&error).await;
            }
        };
        let received =
            format!("-----> Received {short} ({}, {})\n", count(snapshot.files, "file"), size(snapshot.bytes));
        hook.say(received + &error_lines(&snapshot.warnings.join("\n"))).await?;
        let id = match self.enqueue(snapshot, release, no_cache, short).await {
            Ok(id) => id,
            Err(error) => {
                return hook.fail(&error).await;
            }
        };
        // Beside the build, and to its end before the verdict, which may take the pushed objects away.
        let (followed, ()) = tokio::join!(self.follow(id, hook), self.note_changes(id, before, request, release));
        followed
    }

    /// Writes down what the release changes, as long as its history is at hand.
    async fn note_changes(
        &self,
        id: DeploymentId,
        before: Result<ReleaseBefore>,
        request: &Request,
        release: &Release,
    ) {
        let before = match before {
            Ok(before) => before,
            Err(error) => {
                tracing::warn!(deployment = %id, %error, "what the app ran before could not be looked up");
                return;
            }
        };
        let begun = Begun {
            app: self.app.id,
            deployment: id,
            before,
            repository: self.shared.repositories.path(self.app.id),
            quarantine: request.quarantine.clone(),
            commit: release.commit.clone(),
        };
        note_changes(&self.shared.actions.store, begun).await;
    }

    async fn snapshot(&self, request: &Request, release: &Release) -> Result<Snapshot> {
        let spool = self.shared.actions.blobs.spool()?;
        let source = CommitSource {
            repository: self.shared.repositories.path(self.app.id),
            quarantine: request.quarantine.clone(),
            commit: release.commit.clone(),
            git: self.shared.repositories.git().to_owned(),
            limits: self.shared.source_limits,
            verb: "push",
        };
        spawn_blocking(move || pack_commit(&source, spool))
            .await
            .map_err(|_| Error::System("The pushed files could not be read. Push again.".to_owned()))?
    }

    /// Stores the source and everything needed to build it; from here on the release goes its way whatever
    /// becomes of the client and of this process.
    async fn enqueue(
        &self,
        snapshot: Snapshot,
        release: &Release,
        no_cache: bool,
        short: &str,
    ) -> Result<DeploymentId> {
        let new = NewDeployment {
            id: DeploymentId::new(),
            application_id: self.app.id,
            trigger: Trigger::Push,
            git_branch: Some(release.branch.clone()),
            git_commit: Some(release.commit.clone()),
            git_message: Some(snapshot.message),
            git_author: Some(snapshot.author),
            no_cache,
            description: format!("Deploy {short}"),
            parent_id: None,
            created_by: self.actor.user_id(),
        };
        let source = skypanel_core::blob::BlobKey::source(new.id);
        let Actions { store, blobs, .. } = &self.shared.actions;
        blobs.put_file(&source, snapshot.file).await?;
        if let Err(error) = self.shared.actions.begin(&self.actor, &AppRef::Id(self.app.id), &new).await {
            let _ = blobs.delete(&source).await;
            return Err(error);
        }
        let received = async {
            store.start_stage(new.id, Stage::Receive, self.started).await?;
            store.finish_stage(new.id, Stage::Receive, false).await
        };
        if let Err(error) = received.await {
            tracing::warn!(deployment = %new.id, %error, "when a push was received could not be written down");
        }
        Ok(new.id)
    }

    /// Shows a deployment's output until its end.
    async fn follow(&self, id: DeploymentId, hook: &mut Hook) -> Result<bool, HookGone> {
        let mut follower = self.shared.actions.streams.follow(id.into(), 0);
        let explain = tokio::time::sleep(EXPLAIN_AFTER);
        tokio::pin!(explain);
        let mut quiet = true;
        loop {
            let item = tokio::select! {
                item = follower.next() => item,
                () = &mut explain, if quiet => {
                    quiet = false;
                    self.explain(id, hook).await?;
                    continue;
                }
                () = self.shared.stopping.cancelled() => {
                    hook.say(error_lines(
                        "Skypanel is stopping. Your source is stored and is built and released once it is back.\n\
                         Check with the command `releases`, then push again so that the branch moves, too.",
                    ))
                    .await?;
                    return Ok(false);
                }
            };
            match item {
                Ok(Some(StreamItem::Chunk(_, bytes))) => {
                    quiet = false;
                    hook.say(bytes).await?;
                }
                Ok(Some(StreamItem::End { succeeded })) => return Ok(succeeded),
                Ok(None) => return Ok(false),
                Err(error) => {
                    hook.say(error_lines(&format!(
                        "{error}\nThe build's output cannot be shown any more; the build itself may go on.\n\
                         Check with the command `releases`."
                    )))
                    .await?;
                    return Ok(false);
                }
            }
        }
    }

    /// Says what is waited for when the worker is busy with something else of this app.
    async fn explain(&self, id: DeploymentId, hook: &mut Hook) -> Result<(), HookGone> {
        let before = match self.shared.actions.store.unfinished_deployments(self.app.id).await {
            Ok(unfinished) => unfinished.into_iter().find(|other| other.id != id),
            // Following it will tell.
            Err(_) => return Ok(()),
        };
        let text = match before.and_then(|other| other.description) {
            Some(description) => {
                format!("-----> Another build of this app is running ({description}); yours is next.\n")
            }
            None => "-----> Waiting for a free builder\n".to_owned(),
        };
        hook.say(text).await
    }
}
