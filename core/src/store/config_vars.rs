//! Config vars: sealed under the organisation's key, opened only to build or run the app.

use std::collections::BTreeMap;

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
        // One change at a time: the limit below is on what all of them leave together.
        sqlx::query("SELECT FROM paas_applications WHERE id = $1 FOR UPDATE")
            .bind(app.id)
            .fetch_optional(&mut *transaction)
            .await?
            .ok_or_else(gone)?;
        let current = self.open_config(&mut transaction, app.id, app.organization_id).await?;
        let mut after = current.clone();
        after.retain(|key, _| !unset.contains(key));
        after.extend(set.iter().map(|(key, value)| (key.clone(), value.clone())));
        if after == current {
            return Ok(false);
        }
        if let Some((key, _)) = set.iter().find(|(_, value)| value.contains(&0)) {
            return Err(Error::Invalid(format!("The value of {key} holds a NUL byte, which no process can be given.")));
        }
        let total: usize = after.iter().map(|(key, value)| key.as_str().len() + value.len() + 2).sum();
        if total > MAX_TOTAL {
            return Err(Error::Invalid(format!(
                "The config vars of an app may hold {} KB together; these are {} KB. Put large values into a file or a store.",
                MAX_TOTAL / 1024,
                total / 1024
            )));
        }
        let unset: Vec<String> = unset.iter().map(ToString::to_string).collect();
        sqlx::query("DELETE FROM paas_environment_vars WHERE application_id = $1 AND key = ANY ($2)")
            .bind(app.id)
            .bind(unset)
            .execute(&mut *transaction)
            .await?;
        for (key, value) in set {
            let sealed =
                self.secrets.seal(Owner::Organization(app.organization_id), &belongs_to(app.id, key), value)?;
            sqlx::query(
                "INSERT INTO paas_environment_vars (application_id, key, value) VALUES ($1, $2, $3)
                 ON CONFLICT (application_id, key) DO UPDATE SET value = $3, updated_at = now()",
            )
            .bind(app.id)
            .bind(key)
            .bind(sealed)
            .execute(&mut *transaction)
            .await?;
        }
        sqlx::query("UPDATE paas_applications SET config_version = config_version + 1 WHERE id = $1")
            .bind(app.id)
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await?;
        Ok(true)
    }
}

fn gone() -> Error {
    Error::NotFound("That app does not exist any more.".to_owned())
}

fn belongs_to(app: AppId, key: &ConfigKey) -> String {
    format!("config {app} {key}")
}
