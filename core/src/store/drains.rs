//! Log drains. Their addresses are sealed under the organisation's key.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::Store;
use crate::model::{AppId, AppSlug, Application, DrainAddress, LogDrain, LogDrainId, OrganizationId, UserId};
use crate::secrets::Owner;
use crate::{Error, Result};

const COLUMNS: &str = "id, application_id, shown_address, created_at, failing_since, last_error";
/// Longest reason that is kept, in bytes.
const MAX_ERROR: usize = 500;

/// A drain as whoever forwards needs it.
#[derive(Clone, Debug)]
pub struct OpenDrain {
    /// Its id.
    pub id: LogDrainId,
    /// The app.
    pub app: AppId,
    /// The app's slug.
    pub slug: AppSlug,
    /// Where to.
    pub address: DrainAddress,
    /// What was written before is not forwarded.
    pub since: DateTime<Utc>,
    /// Whether nothing got there lately, as far as is written down.
    pub is_failing: bool,
}

#[derive(sqlx::FromRow)]
struct Sealed {
    id: LogDrainId,
    application_id: AppId,
    slug: AppSlug,
    organization_id: OrganizationId,
    address: Vec<u8>,
    created_at: DateTime<Utc>,
    is_failing: bool,
}

impl Store {
    /// An app's drains, oldest first.
    pub async fn log_drains(&self, app: AppId) -> Result<Vec<LogDrain>> {
        let sql = format!("SELECT {COLUMNS} FROM paas_log_drains WHERE application_id = $1 ORDER BY created_at, id");
        Ok(sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(app).fetch_all(&self.pool).await?)
    }

    /// All drains there are, opened. One whose address cannot be opened is left out.
    pub async fn open_log_drains(&self) -> Result<Vec<OpenDrain>> {
        let sql =
            "SELECT drain.id, drain.application_id, app.slug, app.organization_id, drain.address, drain.created_at,
                          drain.failing_since IS NOT NULL AS is_failing
                   FROM paas_log_drains AS drain JOIN paas_applications AS app ON app.id = drain.application_id";
        let sealed: Vec<Sealed> = sqlx::query_as(sql).fetch_all(&self.pool).await?;
        let open = |drain: Sealed| {
            let owner = Owner::Organization(drain.organization_id);
            let opened = self.secrets.open(owner, &belongs_to(drain.id), &drain.address);
            match opened.and_then(|opened| String::from_utf8_lossy(&opened).parse()) {
                Ok(address) => Some(OpenDrain {
                    id: drain.id,
                    app: drain.application_id,
                    slug: drain.slug,
                    address,
                    since: drain.created_at,
                    is_failing: drain.is_failing,
                }),
                Err(error) => {
                    tracing::warn!(drain = %drain.id, %error, "the address of a log drain cannot be opened");
                    None
                }
            }
        };
        Ok(sealed.into_iter().filter_map(open).collect())
    }

    /// Takes note that nothing gets to a drain since `now`, and why; or for none that all is well.
    pub async fn note_log_drain(&self, drain: LogDrainId, error: Option<&str>, now: DateTime<Utc>) -> Result<()> {
        let error = error.map(|error| &error[..error.floor_char_boundary(MAX_ERROR)]);
        sqlx::query(
            "UPDATE paas_log_drains
             SET failing_since = CASE WHEN $2::text IS NULL THEN NULL ELSE coalesce(failing_since, $3) END, last_error = $2
             WHERE id = $1",
        )
        .bind(drain)
        .bind(error)
        .bind(now)
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// Keeps a new drain.
    pub async fn add_log_drain(
        &self,
        connection: &mut PgConnection,
        app: &Application,
        address: &DrainAddress,
        by: Option<UserId>,
        now: DateTime<Utc>,
    ) -> Result<LogDrain> {
        let id = LogDrainId::new();
        let owner = Owner::Organization(app.organization_id);
        let sealed = self.secrets.seal(owner, &belongs_to(id), address.reveal().as_bytes())?;
        let sql = format!(
            "INSERT INTO paas_log_drains (id, application_id, address, shown_address, created_by, created_at)
             VALUES ($1, $2, $3, $4, $5, $6) RETURNING {COLUMNS}"
        );
        Ok(sqlx::query_as(sqlx::AssertSqlSafe(sql))
            .bind(id)
            .bind(app.id)
            .bind(sealed)
            .bind(address.to_string())
            .bind(by)
            .bind(now)
            .fetch_one(connection)
            .await?)
    }
}

/// How many drains an app has.
pub(crate) async fn count(connection: &mut PgConnection, app: AppId) -> Result<i64> {
    let sql = "SELECT count(*) FROM paas_log_drains WHERE application_id = $1";
    Ok(sqlx::query_scalar(sql).bind(app).fetch_one(connection).await?)
}

/// Removes a drain of an app; answers what it was.
pub(crate) async fn remove(connection: &mut PgConnection, app: AppId, id: LogDrainId) -> Result<LogDrain> {
    let sql = format!("DELETE FROM paas_log_drains WHERE application_id = $1 AND id = $2 RETURNING {COLUMNS}");
    let removed = sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(app).bind(id).fetch_optional(connection).await?;
    removed.ok_or_else(|| Error::NotFound("The app has no such log drain. `drains` lists them.".to_owned()))
}

pub(super) fn belongs_to(drain: LogDrainId) -> String {
    format!("log drain {drain}")
}
