//! Config vars: listed by name, changed in bulk with one rollout, read from and written to `.env` form. Values go in
//! and never come out.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::{Actions, Actor};
use crate::Result;
use crate::model::{AppRef, Application, ConfigKey, DeploymentId, NewDeployment, Trigger};
use crate::store::config_vars::{ConfigChange, Unset};
use crate::store::{Access, ChangedConfig};

/// Most names in the description of a release.
const MAX_NAMED: usize = 5;

/// A change of config vars, as asked for.
#[derive(Default)]
pub struct ConfigChanges {
    /// Names and their new values.
    pub set: BTreeMap<ConfigKey, Zeroizing<Vec<u8>>>,
    /// Names to remove.
    pub unset: Vec<ConfigKey>,
    /// Whether to remove all others, too.
    pub replace: bool,
}

impl std::fmt::Debug for ConfigChanges {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // By hand, so that no value gets into a log.
        f.debug_struct("ConfigChanges")
            .field("set", &self.set.keys().collect::<Vec<_>>())
            .field("unset", &self.unset)
            .field("replace", &self.replace)
            .finish()
    }
}

/// What came of a change of config vars.
#[derive(Clone, Debug)]
pub struct ConfigChanged {
    /// The app as it is now.
    pub app: Application,
    /// The names whose values are new and those that are gone. Empty when the vars were like that already.
    pub changed: ChangedConfig,
    /// What was changed, such as `Set A, B`.
    pub description: String,
    /// The release that the change is; none where nothing changed or nothing runs.
    pub deployment: Option<DeploymentId>,
}

impl Actions {
    /// Names of an app's config vars and when each was last set.
    pub async fn config(&self, actor: &Actor, app: &AppRef) -> Result<Vec<(ConfigKey, DateTime<Utc>)>> {
        let app = self.app_of(actor, app, Access::Read).await?;
        self.store.config_keys(app.id).await
    }

    /// Changes config vars in one step, and releases the change where something runs.
    pub async fn change_config(&self, actor: &Actor, app: &AppRef, wanted: &ConfigChanges) -> Result<ConfigChanged> {
        let settings = self.store.settings().await?;
        let mut change = self.change(actor, app, Access::Change).await?;
        let id = change.app.id;
        let unset = if wanted.replace { Unset::Others } else { Unset::These(&wanted.unset) };
        let wanted = ConfigChange { set: &wanted.set, unset };
        let changed = self.store.change_config_within(&mut change.transaction, id, wanted, change.now).await?;
        let Some(changed) = changed else {
            let app = change.app;
            return Ok(ConfigChanged {
                app,
                changed: ChangedConfig::default(),
                description: String::new(),
                deployment: None,
            });
        };
        let description = describe(&changed);
        change.audit("config.change", Value::Null, json!({ "set": changed.set, "unset": changed.unset })).await?;
        change.tell("config", &description).await?;
        let mut deployment = None;
        // What is stopped or suspended gets the change when it starts.
        if change.is_to_run().await? {
            let new = NewDeployment {
                id: DeploymentId::new(),
                application_id: id,
                trigger: Trigger::Config,
                git_branch: None,
                git_commit: None,
                git_message: None,
                git_author: None,
                no_cache: false,
                description: description.clone(),
                parent_id: change.app.current_deployment_id,
                created_by: actor.user_id(),
            };
            change.deploy(&new, &settings).await?;
            deployment = Some(new.id);
        }
        Ok(ConfigChanged { app: change.commit().await?, changed, description, deployment })
    }
}

fn describe(changed: &ChangedConfig) -> String {
    let mut parts = Vec::new();
    if !changed.set.is_empty() {
        parts.push(format!("Set {}", summed_up(&changed.set)));
    }
    if !changed.unset.is_empty() {
        let verb = if parts.is_empty() { "Unset" } else { "unset" };
        parts.push(format!("{verb} {}", summed_up(&changed.unset)));
    }
    parts.join(", ")
}

fn summed_up(names: &[ConfigKey]) -> String {
    let shown: Vec<&str> = names.iter().take(MAX_NAMED).map(ConfigKey::as_str).collect();
    let mut text = shown.join(", ");
    if names.len() > MAX_NAMED {
        let _ = write!(text, " and {} more", names.len() - MAX_NAMED);
    }
    text
}
