//! Config vars: sealed under the organisation's key, opened only to build or run the app.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use zeroize::Zeroizing;

use super::Store;
use crate::model::{AppId, Application, ConfigKey, OrganizationId};
use crate::secrets::Owner;
use crate::{Error, Result};

/// Most bytes of all names and values of an app together: a Swarm secret holds 500 KB.
const MAX_TOTAL: usize = 400 * 1024;

/// Opened config vars.
pub type ConfigVars = BTreeMap<ConfigKey, Zeroizing<Vec<u8>>>;

impl Store {
    /// Names of an app's config vars and when each was last set. Values are never listed.
    pub async fn config_keys(&self, app: AppId) -> Result<Vec<(ConfigKey, chrono::DateTime<chrono::Utc>)>> {
        Ok(sqlx::query_as("SELECT key, updated_at FROM paas_environment_vars WHERE application_id = $1 ORDER BY key")
            .bind(app)
            .fetch_all(&self.pool)
            .await?)
    }

    /// The opened config vars of an app, with the version they are of.
    pub async fn config_vars(&self, app: AppId) -> Result<(i32, ConfigVars)> {
        let mut transaction = self.pool.begin().await?;
        // Version and vars of one moment.
        sqlx::query("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ").execute(&mut *transaction).await?;
        let (version, organization): (i32, OrganizationId) =
            sqlx::query_as("SELECT config_version, organization_id FROM paas_applications WHERE id = $1")
                .bind(app)
                .fetch_optional(&mut *transaction)
                .await?
                .ok_or_else(gone)?;
        let vars = self.open_config(&mut transaction, app, organization).await?;
        transaction.commit().await?;
        Ok((version, vars))
    }

    async fn open_config(
        &self,
        connection: &mut PgConnection,
        app: AppId,
        organization: OrganizationId,
    ) -> Result<ConfigVars> {
        let rows: Vec<(ConfigKey, Vec<u8>)> =
            sqlx::query_as("SELECT key, value FROM paas_environment_vars WHERE application_id = $1")
                .bind(app)
                .fetch_all(connection)
                .await?;
        let mut vars = ConfigVars::new();
        for (key, sealed) in rows {
            let value = self.secrets.open(Owner::Organization(organization), &belongs_to(app, &key), &sealed)?;
            vars.insert(key, value);
        }
        Ok(vars)
    }

    /// Removes and sets config vars in one step, in that order, and raises the config version. Answers false, and changes
    /// nothing, when there was nothing to change.
    pub async fn change_config(
        &self,
        app: &Application,
        set: &BTreeMap<ConfigKey, Zeroizing<Vec<u8>>>,
        unset: &[ConfigKey],
    ) -> Result<bool> {
        let mut transaction = self.pool.begin().await?;
        let wanted = ConfigChange { set, unset: Unset::These(unset) };
        let changed = self.change_config_within(&mut transaction, app.id, wanted, self.clock.now()).await?;
        transaction.commit().await?;
        Ok(changed.is_some())
    }

    /// The same as part of a transaction; answers the names that were set to another value and those that were
    /// removed, or none when there was nothing to change.
    pub(crate) async fn change_config_within(
        &self,
        connection: &mut PgConnection,
        app: AppId,
        change: ConfigChange<'_>,
        now: DateTime<Utc>,
    ) -> Result<Option<ChangedConfig>> {
        // One change at a time: the limit below is on what all of them leave together.
        let (organization,): (OrganizationId,) =
            sqlx::query_as("SELECT organization_id FROM paas_applications WHERE id = $1 FOR NO KEY UPDATE")
                .bind(app)
                .fetch_optional(&mut *connection)
                .await?
                .ok_or_else(gone)?;
        let current = self.open_config(connection, app, organization).await?;
        let mut after = current.clone();
        after.retain(|key, _| match change.unset {
            Unset::These(keys) => !keys.contains(key),
            Unset::Others => change.set.contains_key(key),
        });
        after.extend(change.set.iter().map(|(key, value)| (key.clone(), value.clone())));
        let changed = ChangedConfig {
            set: after
                .iter()
                .filter(|(key, value)| current.get(*key) != Some(value))
                .map(|(key, _)| key.clone())
                .collect(),
            unset: current.keys().filter(|key| !after.contains_key(key)).cloned().collect(),
        };
        if changed.set.is_empty() && changed.unset.is_empty() {
            return Ok(None);
        }
        check(&after)?;
        let names: Vec<String> = changed.unset.iter().map(ToString::to_string).collect();
        sqlx::query("DELETE FROM paas_environment_vars WHERE application_id = $1 AND key = ANY ($2)")
            .bind(app)
            .bind(names)
            .execute(&mut *connection)
            .await?;
        for key in &changed.set {
            let Some(value) = after.get(key) else { continue };
            let sealed = self.secrets.seal(Owner::Organization(organization), &belongs_to(app, key), value)?;
            sqlx::query(
                "INSERT INTO paas_environment_vars (application_id, key, value, updated_at) VALUES ($1, $2, $3, $4)
                 ON CONFLICT (application_id, key) DO UPDATE SET value = $3, updated_at = $4",
            )
            .bind(app)
            .bind(key)
            .bind(sealed)
            .bind(now)
            .execute(&mut *connection)
            .await?;
        }
        sqlx::query("UPDATE paas_applications SET config_version = config_version + 1 WHERE id = $1")
            .bind(app)
            .execute(connection)
            .await?;
        Ok(Some(changed))
    }
}

/// How to change an app's config vars.
#[derive(Clone, Copy)]
pub(crate) struct ConfigChange<'a> {
    /// Names and their new values.
    pub(crate) set: &'a BTreeMap<ConfigKey, Zeroizing<Vec<u8>>>,
    /// What to remove before.
    pub(crate) unset: Unset<'a>,
}

/// Which config vars to remove.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Unset<'a> {
    /// These, as far as they are there.
    These(&'a [ConfigKey]),
    /// All that are not set anew.
    Others,
}

/// Names of what a change really changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChangedConfig {
    /// Those that are new or have another value.
    pub set: Vec<ConfigKey>,
    /// Those that are gone.
    pub unset: Vec<ConfigKey>,
}

fn check(vars: &ConfigVars) -> Result<()> {
    if let Some((key, _)) = vars.iter().find(|(_, value)| value.contains(&0)) {
        return Err(Error::Invalid(format!("The value of {key} holds a NUL byte, which no process can be given.")));
    }
    let total: usize = vars.iter().map(|(key, value)| key.as_str().len() + value.len() + 2).sum();
    if total > MAX_TOTAL {
        return Err(Error::Invalid(format!(
            "The config vars of an app may hold {} KB together; these are {} KB. Put large values into a file or a store.",
            MAX_TOTAL / 1024,
            total / 1024
        )));
    }
    Ok(())
}

fn gone() -> Error {
    Error::NotFound("That app does not exist any more.".to_owned())
}

pub(super) fn belongs_to(app: AppId, key: &ConfigKey) -> String {
    format!("config {app} {key}")
}
