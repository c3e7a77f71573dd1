//! What happened to an app, in words, for its people.

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
