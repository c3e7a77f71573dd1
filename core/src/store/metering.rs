//! The metering history: what ran, since when, at which price. Written in the transaction of the change it records.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use sqlx::types::Json;

use super::Store;
use super::terms::Terms;
use crate::Result;
use crate::model::{AppId, AppSlug, AppStatus, Metered, OrganizationId, ProcessType, resolve_formation};

pub(super) const METERED_COLUMNS: &str = "id, organization_id, application_id, app_slug, process_type, plan_id, plan_name, \
     price_per_hour, replicas, started_at, ended_at, settled_until";

/// What decides about what runs, beside its terms.
#[derive(sqlx::FromRow)]
struct Metering {
    organization_id: OrganizationId,
    slug: AppSlug,
    status: AppStatus,
    process_types: Option<Json<BTreeMap<ProcessType, String>>>,
}

/// Brings the history of an app up to what its rows, as this transaction left them, say should run. To be called last
/// in every transaction that changes an app's status, release, formation, plan, price or organisation. Nothing is
/// written when nothing changed. What was given up after too many crashes does not count. While a change is rolled out, each process type counts as the dearest that it may
/// run as: a change that never gets to run makes nothing cheaper.
///
/// Time never runs backwards in the history, nor into hours that are settled: with a clock that is behind another's
/// the change counts from where the history ends.
pub(crate) async fn record(connection: &mut PgConnection, app: AppId, now: DateTime<Utc>) -> Result<()> {
    // The settlement holds the same lock.
    sqlx::query("SELECT FROM paas_applications WHERE id = $1 FOR NO KEY UPDATE")
        .bind(app)
        .execute(&mut *connection)
        .await?;
    let metering: Option<Metering> = sqlx::query_as(
        "SELECT app.organization_id, app.slug, app.status, deployment.process_types
         FROM paas_applications AS app
         LEFT JOIN paas_deployments AS deployment ON deployment.id = app.current_deployment_id
         WHERE app.id = $1",
    )
    .bind(app)
    .fetch_optional(&mut *connection)
    .await?;
    let Some(metering) = metering else { return stop(connection, &[app], now).await };
    let terms = super::terms::all(connection, app).await?;
    let given_up = super::crashes::given_up_types(connection, app).await?;
    let mut runs: BTreeMap<ProcessType, (u32, &Terms)> = BTreeMap::new();
    if let Some(processes) = metering.process_types.as_ref().filter(|_| metering.status.should_run()) {
        for terms in &terms {
            for (process, replicas) in resolve_formation(&processes.0, &terms.scaled.0) {
                if given_up.contains(&process) {
                    continue;
                }
                let cost = terms.price_per_hour.times(replicas);
                let known = runs.get(&process).map(|(replicas, terms)| terms.price_per_hour.times(*replicas));
                if known.is_none_or(|known| cost > known) {
                    runs.insert(process, (replicas, terms));
                }
            }
        }
    }
    let sql = format!("SELECT {METERED_COLUMNS} FROM paas_metering WHERE application_id = $1 AND ended_at IS NULL");
    let open: Vec<Metered> = sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(app).fetch_all(&mut *connection).await?;
    let goes_on = |metered: &Metered| {
        runs.get(&metered.process_type).is_some_and(|(replicas, terms)| {
            (metered.organization_id, metered.replicas) == (metering.organization_id, *replicas)
                && (metered.plan_id, metered.price_per_hour) == (terms.plan_id, terms.price_per_hour)
        })
    };
    let ends: Vec<i64> = open.iter().filter(|metered| !goes_on(metered)).map(|metered| metered.id).collect();
    let begins: Vec<(&ProcessType, u32, &Terms)> = runs
        .iter()
        .filter(|(process, (replicas, _))| {
            *replicas > 0 && !open.iter().any(|metered| metered.process_type == **process && goes_on(metered))
        })
        .map(|(process, (replicas, terms))| (process, *replicas, *terms))
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
    for (process, replicas, terms) in begins {
        sqlx::query(
            "INSERT INTO paas_metering (organization_id, application_id, app_slug, process_type, plan_id, plan_name,
                 price_per_hour, replicas, started_at, settled_until)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9)",
        )
        .bind(metering.organization_id)
        .bind(app)
        .bind(&metering.slug)
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
