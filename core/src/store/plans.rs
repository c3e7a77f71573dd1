//! Plans: what apps may use and at which price.

use sqlx::PgConnection;
use sqlx::types::Json;

use super::{Store, is_taken};
use crate::model::{Plan, PlanId};
use crate::{Error, Result};

impl Store {
    /// The plan of that id.
    pub async fn plan(&self, id: PlanId) -> Result<Plan> {
        plan(&mut *self.pool.acquire().await?, id).await
    }

    /// All plans, smallest first.
    pub async fn plans(&self) -> Result<Vec<Plan>> {
        Ok(sqlx::query_as("SELECT * FROM paas_plans ORDER BY position, name").fetch_all(&self.pool).await?)
    }

    /// How many apps are on each plan; plans without apps are missing.
    pub async fn apps_by_plan(&self) -> Result<Vec<(PlanId, i64)>> {
        Ok(sqlx::query_as("SELECT plan_id, count(*) FROM paas_applications GROUP BY plan_id")
            .fetch_all(&self.pool)
            .await?)
    }
}

/// The plan of that id.
pub(crate) async fn plan(connection: &mut PgConnection, id: PlanId) -> Result<Plan> {
    sqlx::query_as("SELECT * FROM paas_plans WHERE id = $1")
        .bind(id)
        .fetch_optional(connection)
        .await?
        .ok_or_else(|| Error::NotFound("There is no such plan.".to_owned()))
}

/// The same, held until the transaction ends.
pub(crate) async fn hold(connection: &mut PgConnection, id: PlanId) -> Result<Plan> {
    // Apps may go on to be put on it meanwhile.
    sqlx::query("SELECT FROM paas_plans WHERE id = $1 FOR NO KEY UPDATE").bind(id).execute(&mut *connection).await?;
    plan(connection, id).await
}

/// The plan of that name or id, if there is one.
pub(crate) async fn named(connection: &mut PgConnection, named: &str) -> Result<Option<Plan>> {
    Ok(sqlx::query_as("SELECT * FROM paas_plans WHERE name = $1 OR id::text = $1")
        .bind(named)
        .fetch_optional(connection)
        .await?)
}

/// Writes a plan, new or changed. Apps that are on it keep the price they chose it at.
pub(crate) async fn put(connection: &mut PgConnection, plan: &Plan) -> Result<()> {
    let number = |value: u32| i32::try_from(value).unwrap_or(i32::MAX);
    let written = sqlx::query(
        "INSERT INTO paas_plans (id, name, cpu_cores, ram_mb, disk_gb, max_replicas, price_per_hour, features, position)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
         ON CONFLICT (id) DO UPDATE SET name = $2, cpu_cores = $3, ram_mb = $4, disk_gb = $5, max_replicas = $6,
             price_per_hour = $7, features = $8, position = $9",
    )
    .bind(plan.id)
    .bind(&plan.name)
    .bind(plan.cpu_cores)
    .bind(number(plan.ram_mb))
    .bind(number(plan.disk_gb))
    .bind(number(plan.max_replicas))
    .bind(plan.price_per_hour)
    .bind(Json(&plan.features))
    .bind(plan.position)
    .execute(connection)
    .await;
    match written {
        Err(error) if is_taken(&error) => Err(Error::Conflict(format!("There is a plan \"{}\" already.", plan.name))),
        other => {
            other?;
            Ok(())
        }
    }
}

/// Removes a plan that no app is on.
pub(crate) async fn delete(connection: &mut PgConnection, plan: &Plan) -> Result<()> {
    let (left,): (i64,) = sqlx::query_as("SELECT count(*) FROM paas_plans").fetch_one(&mut *connection).await?;
    if left <= 1 {
        return Err(Error::Conflict(
            "This is the last plan, which new apps need. Create another one first.".to_owned(),
        ));
    }
    let deleted = sqlx::query("DELETE FROM paas_plans WHERE id = $1").bind(plan.id).execute(&mut *connection).await;
    match deleted {
        Err(sqlx::Error::Database(error)) if error.is_foreign_key_violation() => Err(Error::Conflict(format!(
            "Apps are on the plan \"{}\". Move them to another plan, then delete it.",
            plan.name
        ))),
        other => {
            other?;
            Ok(())
        }
    }
}
