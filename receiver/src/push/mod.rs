//! What Skypanel makes of a push: the hook asks over a socket of this push's own, policy decides, the commit
//! is snapshot and released, and what the worker writes is shown until the release is live or has failed.

mod hook;
mod policy;
mod release;

use std::convert::Infallible;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use skypanel_core::actions::Actor;
use skypanel_core::model::{AppRef, Application};
use skypanel_core::{Error, Result};
use tokio::time::timeout;

pub(crate) use hook::Listening;

use crate::Shared;
use crate::output::error_lines;
use hook::{Hook, HookGone, Request};
use policy::Decision;

/// One push to one app.
pub(crate) struct Push {
    shared: Arc<Shared>,
    actor: Arc<Actor>,
    app: Application,
    /// Whether this push made the app.
    created: bool,
    started: DateTime<Utc>,
    arrived: bool,
}

impl Push {
    pub(crate) fn new(shared: Arc<Shared>, actor: Arc<Actor>, app: Application, created: bool) -> Self {
        Self { shared, actor, app, created, started: Utc::now(), arrived: false }
    }

    /// The app that is pushed to.
    pub(crate) fn app(&self) -> &Application {
        &self.app
    }

    /// Whether Git took all that was pushed, and so asked what to do with it.
    pub(crate) fn has_arrived(&self) -> bool {
        self.arrived
    }

    /// Opens the socket the hook will ask on.
    pub(crate) fn listen(&self) -> Result<Listening> {
        Listening::open(self.shared.repositories.sockets())
    }

    /// Waits for the hook's question and answers it. Ends only when Git has to be killed, and says why: else
    /// Git's own end is the end of the push.
    pub(crate) async fn judge(&mut self, listening: Listening) -> Error {
        match timeout(self.shared.limits.receive_time, listening.accept()).await {
            Err(_) => return Error::System("The push took too long to arrive and was stopped.".to_owned()),
            Ok(Err(error)) => {
                tracing::error!(app = %self.app.slug, %error, "the hook's question could not be read");
                return Error::System(format!("The push could not be checked: {error}. Push again."));
            }
            Ok(Ok((request, mut hook))) => {
                self.arrived = true;
                // A hook that is gone was killed along with Git, whose end ends this.
                if let Ok(accepted) = self.answer(request, &mut hook).await {
                    let _ = hook.verdict(accepted).await;
                }
            }
        }
        // The socket is closed by now, so the hook has ended, and Git ends next.
        std::future::pending::<Infallible>().await;
        unreachable!("pending never ends")
    }

    /// Shows what happens and answers whether Git may move the refs.
    async fn answer(&mut self, request: Request, hook: &mut Hook) -> Result<bool, HookGone> {
        if self.created {
            hook.say(format!("-----> Created app {}\n", self.app.slug)).await?;
        }
        let released = self.app.current_deployment_id.is_some();
        let decision = policy::decide(&request.updates, &request.push_options, &self.app.git_branch, released);
        let plan = match decision {
            Decision::Refuse(reason) => {
                hook.say(error_lines(&reason)).await?;
                return Ok(false);
            }
            Decision::Accept(plan) => plan,
        };
        if let Some(branch) = &plan.adopt {
            if let Err(error) = self.adopt(branch).await {
                return hook.fail(&error).await;
            }
            hook.say(format!("-----> {branch} is this app's deploy branch from now on\n")).await?;
        }
        let accepted = match &plan.release {
            Some(release) => self.release(&request, release, plan.no_cache, hook).await?,
            None => true,
        };
        if accepted {
            hook.say(plan.notes).await?;
        }
        Ok(accepted)
    }

    /// The first push names the deploy branch, if it is one people expect.
    async fn adopt(&mut self, branch: &str) -> Result<()> {
        self.shared.actions.adopt_branch(&self.actor, &AppRef::Id(self.app.id), branch).await?;
        self.shared.repositories.set_head(self.app.id, branch);
        branch.clone_into(&mut self.app.git_branch);
        Ok(())
    }
}
