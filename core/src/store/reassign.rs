//! Moving an app to another organisation: its secrets are sealed anew under that organisation's key.

use chrono::{DateTime, Utc};
use sqlx::{PgConnection, Row as _};

use super::{Store, config_vars, drains, metering, repositories, webhooks};
use crate::Result;
use crate::model::{AppId, ConfigKey, LogDrainId, OrganizationId, WebhookId};
use crate::secrets::Owner;

/// The organisations that an app goes from and to.
#[derive(Clone, Copy)]
struct Move {
    from: Owner,
    to: Owner,
}

impl Store {
    /// Moves an app. What it used up to `now` stays the old organisation's. The caller holds both organisations' rows.
    pub(crate) async fn reassign_app(
        &self,
        connection: &mut PgConnection,
        app: AppId,
        from: OrganizationId,
        to: OrganizationId,
        now: DateTime<Utc>,
    ) -> Result<()> {
        // Whoever changes secrets of the app holds its row.
        sqlx::query("UPDATE paas_applications SET organization_id = $2 WHERE id = $1")
            .bind(app)
            .bind(to)
            .execute(&mut *connection)
            .await?;
        let way = Move { from: Owner::Organization(from), to: Owner::Organization(to) };
        self.reseal_config(connection, app, way).await?;
        self.reseal_repository(connection, app, way).await?;
        self.reseal_webhooks(connection, app, way).await?;
        self.reseal_drains(connection, app, way).await?;
        metering::record(connection, app, now).await
    }

    fn reseal(&self, way: Move, belongs_to: &str, sealed: &[u8]) -> Result<Vec<u8>> {
        self.secrets.seal(way.to, belongs_to, &self.secrets.open(way.from, belongs_to, sealed)?)
    }

    async fn reseal_config(&self, connection: &mut PgConnection, app: AppId, way: Move) -> Result<()> {
        let vars: Vec<(ConfigKey, Vec<u8>)> =
            sqlx::query_as("SELECT key, value FROM paas_environment_vars WHERE application_id = $1")
                .bind(app)
                .fetch_all(&mut *connection)
                .await?;
        for (key, sealed) in vars {
            sqlx::query("UPDATE paas_environment_vars SET value = $3 WHERE application_id = $1 AND key = $2")
                .bind(app)
                .bind(&key)
                .bind(self.reseal(way, &config_vars::belongs_to(app, &key), &sealed)?)
                .execute(&mut *connection)
                .await?;
        }
        Ok(())
    }

    async fn reseal_repository(&self, connection: &mut PgConnection, app: AppId, way: Move) -> Result<()> {
        let sealed = sqlx::query("SELECT token, deploy_key_private FROM paas_repositories WHERE application_id = $1")
            .bind(app)
            .fetch_optional(&mut *connection)
            .await?;
        let Some(sealed) = sealed else { return Ok(()) };
        let token: Option<Vec<u8>> = sealed.try_get("token")?;
        let key: Option<Vec<u8>> = sealed.try_get("deploy_key_private")?;
        let token = token.map(|token| self.reseal(way, &repositories::token_of(app), &token)).transpose()?;
        let key = key.map(|key| self.reseal(way, &repositories::key_of(app), &key)).transpose()?;
        sqlx::query("UPDATE paas_repositories SET token = $2, deploy_key_private = $3 WHERE application_id = $1")
            .bind(app)
            .bind(token)
            .bind(key)
            .execute(connection)
            .await?;
        Ok(())
    }

    async fn reseal_webhooks(&self, connection: &mut PgConnection, app: AppId, way: Move) -> Result<()> {
        let sealed: Vec<(WebhookId, Vec<u8>, Option<Vec<u8>>)> =
            sqlx::query_as("SELECT id, secret, old_secret FROM paas_webhooks WHERE application_id = $1")
                .bind(app)
                .fetch_all(&mut *connection)
                .await?;
        for (id, secret, old) in sealed {
            let belongs_to = webhooks::belongs_to(id);
            sqlx::query("UPDATE paas_webhooks SET secret = $2, old_secret = $3 WHERE id = $1")
                .bind(id)
                .bind(self.reseal(way, &belongs_to, &secret)?)
                .bind(old.map(|old| self.reseal(way, &belongs_to, &old)).transpose()?)
                .execute(&mut *connection)
                .await?;
        }
        Ok(())
    }
    async fn reseal_drains(&self, connection: &mut PgConnection, app: AppId, way: Move) -> Result<()> {
        let sealed: Vec<(LogDrainId, Vec<u8>)> =
            sqlx::query_as("SELECT id, address FROM paas_log_drains WHERE application_id = $1")
                .bind(app)
                .fetch_all(&mut *connection)
                .await?;
        for (id, address) in sealed {
            sqlx::query("UPDATE paas_log_drains SET address = $2 WHERE id = $1")
                .bind(id)
                .bind(self.reseal(way, &drains::belongs_to(id), &address)?)
                .execute(&mut *connection)
                .await?;
        }
        Ok(())
    }
}
