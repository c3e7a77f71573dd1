//! What happened to apps and organisations, in words, for their people.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use super::Store;
use crate::Result;
use crate::model::{AppId, AppSlug, OrganizationId, UserId};

/// An event, as people read it.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct EventView {
    /// Goes up with every event.
    pub id: i64,
    /// When it happened.
    pub created_at: DateTime<Utc>,
    /// What kind it is, such as `release`, `failure`, `scale`, `health`, `low_balance`, `suspend`.
    pub kind: String,
    /// What happened, in words.
    pub message: String,
    /// The app it happened to; none for what is the organisation's.
    pub application_id: Option<AppId>,
    /// That app's unique name.
    pub slug: Option<AppSlug>,
    /// Who did it; none for what the platform did, or somebody who is gone.
    pub user_id: Option<UserId>,
    /// Their e-mail address.
    pub email: Option<String>,
}

pub(super) const VIEW: &str = "SELECT event.id, event.created_at, event.kind, event.message, event.application_id, app.slug, event.user_id, person.email
    FROM paas_events AS event
    LEFT JOIN paas_applications AS app ON app.id = event.application_id
    LEFT JOIN users AS person ON person.id = event.user_id";

impl Store {
    /// Events of an app, newest first, from before the event `before` on.
    pub async fn app_events(&self, app: AppId, before: Option<i64>, rows: i64) -> Result<Vec<EventView>> {
        let sql = format!("{VIEW} WHERE event.application_id = $1 AND event.id < $2 ORDER BY event.id DESC LIMIT $3");
        self.events(sql, app.0, before, rows).await
    }

    /// Events of an organisation and of all its apps, likewise.
    pub async fn organization_events(
        &self,
        organization: OrganizationId,
        before: Option<i64>,
        rows: i64,
    ) -> Result<Vec<EventView>> {
        let sql = format!("{VIEW} WHERE event.organization_id = $1 AND event.id < $2 ORDER BY event.id DESC LIMIT $3");
        self.events(sql, organization.0, before, rows).await
    }

    async fn events(&self, sql: String, of: Uuid, before: Option<i64>, rows: i64) -> Result<Vec<EventView>> {
        Ok(sqlx::query_as(sqlx::AssertSqlSafe(sql))
            .bind(of)
            .bind(before.unwrap_or(i64::MAX))
            .bind(rows)
            .fetch_all(&self.pool)
            .await?)
    }

    /// Writes down an event of an app, such as kind `release`, message `Released v12`.
    pub async fn record_event(&self, app: AppId, user: Option<UserId>, kind: &str, message: &str) -> Result<()> {
        sqlx::query(
            "INSERT INTO paas_events (organization_id, application_id, user_id, kind, message)
             SELECT organization_id, id, $2, $3, $4 FROM paas_applications WHERE id = $1",
        )
        .bind(app)
        .bind(user)
        .bind(kind)
        .bind(message)
        .execute(&self.pool)
        .await?;
        Ok(())
    }
}

/// The same as part of the transaction of the change it tells about.
pub(crate) async fn record(
    connection: &mut PgConnection,
    app: AppId,
    user: Option<UserId>,
    kind: &str,
    message: &str,
    now: DateTime<Utc>,
) -> Result<()> {
    sqlx::query(
        "INSERT INTO paas_events (organization_id, application_id, user_id, kind, message, created_at)
         SELECT organization_id, id, $2, $3, $4, $5 FROM paas_applications WHERE id = $1",
    )
    .bind(app)
    .bind(user)
    .bind(kind)
    .bind(message)
    .bind(now)
    .execute(connection)
    .await?;
    Ok(())
}

/// Lets what happened to an app follow it to another organisation.
pub(crate) async fn follow(connection: &mut PgConnection, app: AppId, to: OrganizationId) -> Result<()> {
    sqlx::query("UPDATE paas_events SET organization_id = $2 WHERE application_id = $1")
        .bind(app)
        .bind(to)
        .execute(connection)
        .await?;
    Ok(())
}
