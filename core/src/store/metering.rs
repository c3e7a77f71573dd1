//! The metering history: what ran, since when, at which price. Written in the transaction of the change it records.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use sqlx::types::Json;

use super::Store;
use crate::Result;
use crate::model::{
    AppId, AppSlug, AppStatus, Formation, Metered, Money, OrganizationId, PlanId, ProcessType, resolve_formation,
};

pub(super) const METERED_COLUMNS: &str = "id, organization_id, application_id, app_slug, process_type, plan_id, plan_name, \
     price_per_hour, replicas, started_at, ended_at, settled_until";

/// What decides about what runs and what it costs.
#[derive(sqlx::FromRow)]
struct Terms {
    organization_id: OrganizationId,
    slug: AppSlug,
    status: AppStatus,
    plan_id: PlanId,
    plan_name: String,
    price_per_hour: Money,
    process_types: Option<Json<BTreeMap<ProcessType, String>>>,
}

/// Brings the history of an app up to what its rows, as this transaction left them, say should run. To be called last
/// in every transaction that changes an app's status, release, formation, plan, price or organisation. Nothing is
/// written when nothing changed.
///
/// Time never runs backwards in the history, nor into hours that are settled: with a clock that is behind another's
/// the change counts from where the history ends.
pub(crate) async fn record(connection: &mut PgConnection, app: AppId, now: DateTime<Utc>) -> Result<()> {
    // The settlement holds the same lock.
    sqlx::query("SELECT FROM paas_applications WHERE id = $1 FOR NO KEY UPDATE")
        .bind(app)
        .execute(&mut *connection)
        .await?;
    let terms: Option<Terms> = sqlx::query_as(
        "SELECT app.organization_id, app.slug, app.status, app.plan_id, plan.name AS plan_name, app.price_per_hour,
                deployment.process_types
         FROM paas_applications AS app
         JOIN paas_plans AS plan ON plan.id = app.plan_id
         LEFT JOIN paas_deployments AS deployment ON deployment.id = app.current_deployment_id
         WHERE app.id = $1",
    )
    .bind(app)
    .fetch_optional(&mut *connection)
    .await?;
    let Some(terms) = terms else { return stop(connection, &[app], now).await };
    let formation = match &terms.process_types {
        Some(processes) if terms.status.should_run() => {
            resolve_formation(&processes.0, &super::apps::formation(connection, app).await?)
        }
        _ => Formation::new(),
    };
    let sql = format!("SELECT {METERED_COLUMNS} FROM paas_metering WHERE application_id = $1 AND ended_at IS NULL");
    let open: Vec<Metered> = sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(app).fetch_all(&mut *connection).await?;
    let goes_on = |metered: &Metered| {
        formation.get(&metered.process_type) == Some(&metered.replicas)
            && (metered.organization_id, metered.plan_id) == (terms.organization_id, terms.plan_id)
            && metered.price_per_hour == terms.price_per_hour
    };
    let ends: Vec<i64> = open.iter().filter(|metered| !goes_on(metered)).map(|metered| metered.id).collect();
    let begins: Vec<(&ProcessType, u32)> = formation
        .iter()
        .filter(|(process, replicas)| {
            **replicas > 0 && !open.iter().any(|metered| metered.process_type == **process && goes_on(metered))
        })
        .map(|(process, replicas)| (process, *replicas))
        .collect();
    if ends.is_empty() && begins.is_empty() {
        return Ok(());
    }
    let (at,): (DateTime<Utc>,) = sqlx::query_as(
        "SELECT greatest($2, max(greatest(started_at, ended_at, settled_until))) FROM paas_metering WHERE application_id = $1",
    )
    .bind(app)
    .bind(now)
    .fetch_one(&mut *connection)
    .await?;
    if !ends.is_empty() {
        sqlx::query("UPDATE paas_metering SET ended_at = $2 WHERE id = ANY ($1)")
            .bind(ends)
            .bind(at)
            .execute(&mut *connection)
            .await?;
    }
    for (process, replicas) in begins {
        sqlx::query(
            "INSERT INTO paas_metering (organization_id, application_id, app_slug, process_type, plan_id, plan_name,
                 price_per_hour, replicas, started_at, settled_until)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9)",
        )
        .bind(terms.organization_id)
        .bind(app)
        .bind(&terms.slug)
        .bind(process)
        .bind(terms.plan_id)
        .bind(&terms.plan_name)
        .bind(terms.price_per_hour)
        .bind(i32::try_from(replicas).unwrap_or(i32::MAX))
        .bind(at)
        .execute(&mut *connection)
        .await?;
    }
    Ok(())
}

/// Ends everything that runs of these apps, whose rows the transaction holds.
pub(super) async fn stop(connection: &mut PgConnection, apps: &[AppId], now: DateTime<Utc>) -> Result<()> {
    sqlx::query(
        "UPDATE paas_metering SET ended_at = greatest($2, started_at, settled_until)
         WHERE application_id = ANY ($1) AND ended_at IS NULL",
    )
    .bind(apps)
    .bind(now)
    .execute(connection)
    .await?;
    Ok(())
}

impl Store {
    /// What ran of an app, oldest first; of one that is gone, too.
    pub async fn metering(&self, app: AppId) -> Result<Vec<Metered>> {
        let sql = format!(
            "SELECT {METERED_COLUMNS} FROM paas_metering WHERE application_id = $1 ORDER BY started_at, process_type, id"
        );
        Ok(sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(app).fetch_all(&self.pool).await?)
    }
}
