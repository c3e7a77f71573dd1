//! Whose turn it is: an organisation has so many places to build in, which its deployments get in the order in which
//! they were asked for, and the deployments of one app begin in that order, too.

use std::time::Duration;

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::{Store, quotas};
use crate::Result;
use crate::jobs::{self, Deploy};
use crate::model::{AppId, DeploymentId, OrganizationId};
use crate::settings::Settings;

/// When a deployment whose turn has not come asks again by itself. Mostly it is called before.
const ASK_AGAIN: Duration = Duration::from_secs(10);

/// Whether a deployment may begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// It may.
    Now,
    /// Its job was queued again and is to end for now.
    Later {
        /// Whether that was so before.
        again: bool,
    },
}

/// Where a deployment stands.
#[derive(sqlx::FromRow)]
struct Place {
    application_id: AppId,
    organization_id: OrganizationId,
    is_final: bool,
    build_place_at: Option<DateTime<Utc>>,
    waits_since: Option<DateTime<Utc>>,
    /// Whether an earlier one of its app waits.
    is_behind: bool,
    /// Places that others have, and those that builds that were asked for earlier are to get.
    claimed: i64,
}

const PLACE: &str = "SELECT this.application_id, app.organization_id,
        this.status IN ('succeeded', 'failed', 'cancelled') AS is_final, this.build_place_at, this.waits_since,
        EXISTS (SELECT FROM paas_deployments AS earlier
            WHERE earlier.application_id = this.application_id AND earlier.status = 'queued'
            AND earlier.waits_since IS NOT NULL AND (earlier.created_at, earlier.id) < (this.created_at, this.id)
        ) AS is_behind,
        (SELECT count(*) FROM paas_applications AS peer JOIN paas_deployments AS other ON other.application_id = peer.id
            WHERE peer.organization_id = app.organization_id AND other.id <> this.id
            AND other.status NOT IN ('succeeded', 'failed', 'cancelled')
            AND (other.build_place_at IS NOT NULL
                OR other.status = 'queued' AND other.waits_since IS NOT NULL
                AND other.trigger IN ('push', 'webhook', 'api')
                AND (other.created_at, other.id) < (this.created_at, this.id))
        ) AS claimed
     FROM paas_deployments AS this JOIN paas_applications AS app ON app.id = this.application_id WHERE this.id = $1";

impl Store {
    /// Lets a deployment begin when its turn has come. One that `builds` then has a place to build in until
    /// [`Store::end_build`] or its end; one whose turn has not come is queued again, behind nothing of other apps.
    /// One that has a place, because its worker died, goes on.
    pub async fn take_turn(&self, deployment: DeploymentId, builds: bool) -> Result<Turn> {
        let settings = self.settings().await?;
        let now = self.clock.now();
        let mut transaction = self.pool.begin().await?;
        let Some(place) = place(&mut transaction, deployment).await? else { return Ok(Turn::Now) };
        if place.is_final || place.build_place_at.is_some() || !builds && !place.is_behind {
            return Ok(Turn::Now);
        }
        let most = quotas::quotas(&mut transaction, place.organization_id, &settings).await?.concurrent_builds;
        if !place.is_behind && u64::try_from(place.claimed).unwrap_or(0) < most {
            sqlx::query(
                "UPDATE paas_deployments SET build_place_at = $2, waits_since = NULL, status = 'building' WHERE id = $1
                 AND status NOT IN ('succeeded', 'failed', 'cancelled')",
            )
            .bind(deployment)
            .bind(now)
            .execute(&mut *transaction)
            .await?;
            transaction.commit().await?;
            return Ok(Turn::Now);
        }
        sqlx::query("UPDATE paas_deployments SET waits_since = COALESCE(waits_since, $2) WHERE id = $1")
            .bind(deployment)
            .bind(now)
            .execute(&mut *transaction)
            .await?;
        let job = Deploy { app: place.application_id, deployment };
        jobs::add_later_within(&mut transaction, &[job], ASK_AGAIN).await?;
        transaction.commit().await?;
        Ok(Turn::Later { again: place.waits_since.is_some() })
    }

    /// Gives back the place that a deployment had to build in, if it had one, and calls those whose turn it is now.
    pub async fn end_build(&self, deployment: DeploymentId) -> Result<()> {
        let settings = self.settings().await?;
        let mut transaction = self.pool.begin().await?;
        let Some(place) = place(&mut transaction, deployment).await? else { return Ok(()) };
        if place.build_place_at.is_some() {
            sqlx::query("UPDATE paas_deployments SET build_place_at = NULL WHERE id = $1")
                .bind(deployment)
                .execute(&mut *transaction)
                .await?;
        }
        let next = next(&mut transaction, &place, &settings).await?;
        jobs::add_within(&mut transaction, &next).await?;
        transaction.commit().await?;
        Ok(())
    }
}

/// Where a deployment stands, which changes for no other of its organisation until the transaction ends.
async fn place(connection: &mut PgConnection, deployment: DeploymentId) -> Result<Option<Place>> {
    let organization: Option<(OrganizationId,)> = sqlx::query_as(
        "SELECT organization_id FROM paas_applications
         WHERE id = (SELECT application_id FROM paas_deployments WHERE id = $1)",
    )
    .bind(deployment)
    .fetch_optional(&mut *connection)
    .await?;
    let Some((organization,)) = organization else { return Ok(None) };
    quotas::lock(connection, organization).await?;
    Ok(sqlx::query_as(PLACE).bind(deployment).fetch_optional(connection).await?)
}

/// Those who wait and need not: the first of the same app, and the first of all for whom there are places.
async fn next(connection: &mut PgConnection, place: &Place, settings: &Settings) -> Result<Vec<Deploy>> {
    let most = quotas::quotas(connection, place.organization_id, settings).await?.concurrent_builds;
    let rows: Vec<(AppId, DeploymentId)> = sqlx::query_as(
        "WITH unfinished AS (
             SELECT other.* FROM paas_applications AS app JOIN paas_deployments AS other ON other.application_id = app.id
             WHERE app.organization_id = $1 AND other.status NOT IN ('succeeded', 'failed', 'cancelled')
         ), waiting AS (
             SELECT id, application_id, created_at, trigger IN ('push', 'webhook', 'api') AS builds FROM unfinished
             WHERE status = 'queued' AND waits_since IS NOT NULL
         ), free AS (
             SELECT greatest($2 - count(*), 0) AS places FROM unfinished WHERE build_place_at IS NOT NULL
         )
         (SELECT application_id, id FROM waiting WHERE builds ORDER BY created_at, id LIMIT (SELECT places FROM free))
         UNION
         (SELECT application_id, id FROM waiting WHERE application_id = $3 AND NOT builds ORDER BY created_at, id LIMIT 1)",
    )
    .bind(place.organization_id)
    .bind(i64::try_from(most).unwrap_or(i64::MAX))
    .bind(place.application_id)
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(|(app, deployment)| Deploy { app, deployment }).collect())
}
