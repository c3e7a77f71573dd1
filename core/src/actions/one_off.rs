//! One-off processes: commands in a container of the current release, beside what it runs.

use serde_json::{Value, json};

use super::{Actions, Actor};
use crate::console::{OneOff, OneOffSession};
use crate::model::{AppRef, AppStatus};
use crate::store::Access;
use crate::{Error, Result};

/// Most bytes of a command that are written down.
const SHOWN: usize = 200;

impl Actions {
    /// Starts a one-off process of an app. Refused while the app is stopped or nothing of its organisation may run.
    /// Dropping the session ends the process.
    pub async fn run_one_off(&self, actor: &Actor, app: &AppRef, one_off: OneOff) -> Result<OneOffSession> {
        let mut change = self.change(actor, app, Access::Change).await?;
        change.ensure_may_run().await?;
        if change.app.status == AppStatus::Stopped {
            return Err(Error::Conflict(format!(
                "{} is stopped, with all of its processes. Start it first: ps:start -a {}",
                change.app.slug, change.app.slug
            )));
        }
        if change.app.current_deployment_id.is_none() {
            return Err(Error::Conflict(format!(
                "{} has no release yet, so there is nothing to run a command in. Push first: git push skypanel {}",
                change.app.slug, change.app.git_branch
            )));
        }
        let mut shown = one_off.command.clone();
        shown.truncate(shown.floor_char_boundary(SHOWN));
        change.audit("app.run", Value::Null, json!({ "command": shown })).await?;
        change.tell("run", &format!("Ran `{shown}`")).await?;
        let app = change.commit().await?;
        self.console.run(&app, one_off).await
    }
}
