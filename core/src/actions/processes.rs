//! What runs of an app: stopped, started, restarted, scaled, moved to another plan.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use sqlx::PgConnection;

use super::apps::plan_named;
use super::change::{AppChange, why_suspended};
use super::plans::{cost_of_plan, cost_of_scaling, process_types};
use super::{Actions, Actor, CostChange};
use crate::jobs;
use crate::model::{AppRef, AppStatus, Application, Formation, ProcessType, StreamId};
use crate::store::deployments::Cancelled;
use crate::store::{Access, apps, plans};
use crate::{Error, Result};

/// What came of an action on an app's processes.
#[derive(Clone, Debug)]
pub struct Begun {
    /// The app as it is now.
    pub app: Application,
    /// The job that carries it out and its stream; none where nothing has to be done.
    pub job: Option<StreamId>,
}

/// A change that costs something, begun or only looked at.
#[derive(Clone, Debug)]
pub struct Priced {
    /// What came of it; the app as it was, and no job, where it was only looked at.
    pub begun: Begun,
    /// The app's hour before and after.
    pub cost: CostChange,
}

impl Actions {
    /// Stops all processes of an app until it is started again. What is being deployed is cancelled: the stop waits
    /// behind it, while nothing is paid for any more.
    pub async fn stop(&self, actor: &Actor, app: &AppRef) -> Result<Begun> {
        let mut change = self.change(actor, app, Access::Change).await?;
        match change.app.status {
            AppStatus::Stopped => return Ok(Begun { app: change.app, job: None }),
            AppStatus::Inactive | AppStatus::Suspended => return Err(not_running(&change.app)),
            _ => {}
        }
        self.set_status(&mut change, AppStatus::Stopped, "app.stop").await?;
        let reason = "Cancelled: the app was stopped. What is deployed from now on is built, and starts with ps:start.";
        change.cancel(Cancelled::All, reason).await?;
        change.tell("stop", "Stopped").await?;
        let job = Some(change.apply().await?);
        Ok(Begun { app: change.commit().await?, job })
    }

    /// Starts the current release of an app.
    pub async fn start(&self, actor: &Actor, app: &AppRef) -> Result<Begun> {
        let mut change = self.change(actor, app, Access::Change).await?;
        change.ensure_may_run().await?;
        if change.app.current_deployment_id.is_none() {
            return Err(Error::Conflict(format!(
                "{} has no release yet, so there is nothing to start. Push first, with git push skypanel {}.",
                change.app.slug, change.app.git_branch
            )));
        }
        self.set_status(&mut change, AppStatus::Running, "app.start").await?;
        change.tell("start", "Started").await?;
        let job = Some(change.apply_anew().await?);
        Ok(Begun { app: change.commit().await?, job })
    }

    async fn set_status(&self, change: &mut AppChange<'_>, status: AppStatus, action: &'static str) -> Result<()> {
        let before = change.app.status;
        apps::set_status(&mut change.transaction, change.app.id, status, change.now).await?;
        change.audit(action, json!({ "status": before }), json!({ "status": status })).await
    }

    /// Throws the app's build cache away.
    pub async fn purge_cache(&self, actor: &Actor, app: &AppRef) -> Result<Begun> {
        let mut change = self.change(actor, app, Access::Change).await?;
        let job = Some(jobs::purge_cache_within(&mut change.transaction, change.app.id).await?);
        change.audit("app.purge_cache", Value::Null, Value::Null).await?;
        Ok(Begun { app: change.commit().await?, job })
    }

    /// Replaces all running processes by new ones of the same release, without a gap.
    pub async fn restart(&self, actor: &Actor, app: &AppRef) -> Result<Begun> {
        let mut change = self.change(actor, app, Access::Change).await?;
        if !change.app.status.should_run() || change.app.current_deployment_id.is_none() {
            return Err(not_running(&change.app));
        }
        change.ensure_may_run().await?;
        let count = apps::count_restart(&mut change.transaction, change.app.id).await?;
        let before = change.app.restart_count;
        change.audit("app.restart", json!({ "restarts": before }), json!({ "restarts": count })).await?;
        change.tell("restart", "Restarted").await?;
        let job = Some(change.apply_anew().await?);
        Ok(Begun { app: change.commit().await?, job })
    }

    /// Changes how many replicas of some process types run. With `dry_run` it only says what that would cost.
    pub async fn scale(&self, actor: &Actor, app: &AppRef, wanted: &Formation, dry_run: bool) -> Result<Priced> {
        if dry_run {
            let app = self.app_of(actor, app, Access::Change).await?;
            let cost = check_scaling(&mut *self.store.pool().acquire().await?, &app, wanted).await?;
            return Ok(Priced { begun: Begun { app, job: None }, cost });
        }
        // What is checked is what is changed: whoever releases or scales the app meanwhile waits.
        let mut change = self.change(actor, app, Access::Change).await?;
        let cost = check_scaling(&mut change.transaction, &change.app, wanted).await?;
        if cost.after > cost.before && change.app.status.should_run() {
            change.ensure_may_run().await?;
        }
        let before = apps::formation(&mut change.transaction, change.app.id).await?;
        apps::scale(&mut change.transaction, change.app.id, wanted, change.now).await?;
        let after = apps::formation(&mut change.transaction, change.app.id).await?;
        let same = before == after;
        if !same {
            change.audit("app.scale", json!(before), json!(after)).await?;
            change.tell("scale", &format!("Scaled to {}", in_words(wanted))).await?;
        }
        let job = if !same && change.is_to_run().await? { Some(change.apply_anew().await?) } else { None };
        Ok(Priced { begun: Begun { app: change.commit().await?, job }, cost })
    }

    /// Moves an app to another plan, by name or id: a rolling update with the new limits, at that plan's price of
    /// now. With `dry_run` it only says what that would cost.
    pub async fn move_to_plan(&self, actor: &Actor, app: &AppRef, plan: &str, dry_run: bool) -> Result<Priced> {
        if dry_run {
            let app = self.app_of(actor, app, Access::Change).await?;
            let mut connection = self.store.pool().acquire().await?;
            let new = plan_named(&mut connection, plan).await?;
            let cost = cost_of_plan(&mut connection, &app, &new).await?;
            return Ok(Priced { begun: Begun { app, job: None }, cost });
        }
        let mut change = self.change(actor, app, Access::Change).await?;
        let old = plans::plan(&mut change.transaction, change.app.plan_id).await?;
        let new = plan_named(&mut change.transaction, plan).await?;
        let cost = cost_of_plan(&mut change.transaction, &change.app, &new).await?;
        if cost.after > cost.before && change.app.status.should_run() {
            change.ensure_may_run().await?;
        }
        let price = change.app.price_per_hour;
        apps::change_plan(&mut change.transaction, change.app.id, new.id, change.now).await?;
        let terms = |name: &str, price| json!({ "plan": name, "price_per_hour": price });
        change.audit("app.plan", terms(&old.name, price), terms(&new.name, new.price_per_hour)).await?;
        change.tell("plan", &format!("Moved from the plan {} to {}", old.name, new.name)).await?;
        let job = if change.is_to_run().await? { Some(change.apply_anew().await?) } else { None };
        Ok(Priced { begun: Begun { app: change.commit().await?, job }, cost })
    }

    /// Process types of the current release and their commands; none before the first release.
    pub async fn process_types(&self, app: &Application) -> Result<BTreeMap<ProcessType, String>> {
        Ok(process_types(&mut *self.store.pool().acquire().await?, app).await?.unwrap_or_default())
    }
}

/// What scaling would cost, if the release has such processes and the plan allows so many.
async fn check_scaling(connection: &mut PgConnection, app: &Application, wanted: &Formation) -> Result<CostChange> {
    let known = process_types(connection, app).await?.unwrap_or_default();
    check_types(app, &known, wanted)?;
    cost_of_scaling(connection, app, wanted).await
}

fn check_types(app: &Application, known: &BTreeMap<ProcessType, String>, wanted: &Formation) -> Result<()> {
    if wanted.is_empty() {
        return Err(Error::field("processes", "Say what to scale, such as web to 2."));
    }
    for process in wanted.keys() {
        let exists = known.contains_key(process) || (known.is_empty() && app.current_deployment_id.is_none());
        if !exists || *process == ProcessType::release() {
            let names: Vec<&str> =
                known.keys().filter(|known| **known != ProcessType::release()).map(ProcessType::as_str).collect();
            return Err(Error::Invalid(format!(
                "{} has no process type \"{process}\". The current release has: {}.",
                app.slug,
                names.join(", ")
            )));
        }
    }
    Ok(())
}

/// `web=1 worker=0`.
fn in_words(formation: &Formation) -> String {
    formation.iter().map(|(process, replicas)| format!("{process}={replicas}")).collect::<Vec<_>>().join(" ")
}

fn not_running(app: &Application) -> Error {
    let why = match app.status {
        AppStatus::Stopped => "it is stopped. Start it with ps:start",
        AppStatus::Suspended => return Error::Conflict(format!("{} is suspended. {}", app.slug, why_suspended(app))),
        _ => "it has no release yet. Push first",
    };
    Error::Conflict(format!("{} does not run: {why}.", app.slug))
}
