//! What happened to an app, in words, for its people.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::Store;
use crate::Result;
use crate::model::{AppId, UserId};

impl Store {
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
