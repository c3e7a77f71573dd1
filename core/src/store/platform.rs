//! The platform at a glance: counts, sums and the queue, for admins and for metrics.

use chrono::TimeDelta;
use rust_decimal::Decimal;

use super::Store;
use crate::model::{AppStatus, DeploymentStatus, Money, Month};
use crate::{Result, jobs};

/// What there is on the platform and what it uses.
#[derive(Clone, Debug)]
pub struct Platform {
    /// Apps by status; a status without apps is missing.
    pub apps: Vec<(AppStatus, i64)>,
    /// Deployments of the last 24 hours by status; a status without any is missing.
    pub deployments: Vec<(DeploymentStatus, i64)>,
    /// Sums over everything.
    pub totals: PlatformTotals,
}

/// Sums over the whole platform.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct PlatformTotals {
    /// Organisations.
    pub organizations: i64,
    /// Organisations that an admin suspended.
    pub suspended_organizations: i64,
    /// Users.
    pub users: i64,
    /// Users who administer the platform.
    pub admins: i64,
    /// Replicas that are meant to run.
    pub replicas: i64,
    /// CPU limits of all of them together, in cores.
    pub cpu_cores: Decimal,
    /// Memory limits of all of them together, in MB (2^20 bytes).
    pub ram_mb: i64,
    /// What they cost an hour.
    pub cost_per_hour: Money,
    /// What was used since midnight UTC, as far as it is settled.
    pub cost_today: Money,
    /// What was used in the month, as far as it is settled.
    pub cost_month: Money,
}

/// The jobs of one kind.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct QueueDepth {
    /// Kind of job, such as `deploy`.
    pub task: String,
    /// Jobs that could begin now.
    pub waiting: i64,
    /// Jobs that a worker is at.
    pub running: i64,
    /// Jobs that are to begin later.
    pub later: i64,
    /// Jobs whose tries are used up.
    pub failed: i64,
    /// How long the first of those that could begin has waited, in seconds.
    pub oldest_seconds: f64,
}

/// How often something ended in one way since the installation was made, and how long it took. It never goes down.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Outcomes {
    /// What set the deployment off, or which stage of one it is.
    pub name: String,
    /// How it ended.
    pub outcome: String,
    /// How many.
    #[sqlx(try_from = "i64")]
    pub count: u64,
    /// How long they took in all, in seconds.
    pub seconds: f64,
    /// How many of them took up to each of the bounds, and longer than the one before it.
    pub buckets: Vec<i64>,
    /// The bounds, in seconds, least first.
    pub bounds: Vec<f64>,
}

impl Store {
    /// The platform at a glance.
    pub async fn platform(&self) -> Result<Platform> {
        let now = self.clock.now();
        let mut connection = self.pool.acquire().await?;
        let apps = sqlx::query_as("SELECT status, count(*) FROM paas_applications GROUP BY status ORDER BY status")
            .fetch_all(&mut *connection)
            .await?;
        let deployments = sqlx::query_as(
            "SELECT status, count(*) FROM paas_deployments WHERE created_at > $1 GROUP BY status ORDER BY status",
        )
        .bind(now - TimeDelta::hours(24))
        .fetch_all(&mut *connection)
        .await?;
        let totals = sqlx::query_as(
            "SELECT organization.*, person.*, running.*,
                 (SELECT coalesce(sum(cost), 0) FROM paas_usage_days WHERE day = $1) AS cost_today,
                 (SELECT coalesce(sum(cost), 0) FROM paas_usage_months WHERE month = $2) AS cost_month
             FROM (SELECT count(*) AS organizations,
                       count(*) FILTER (WHERE suspended_at IS NOT NULL) AS suspended_organizations
                   FROM organizations) AS organization,
                 (SELECT (SELECT count(*) FROM users) AS users,
                      (SELECT count(*) FROM users WHERE is_admin) AS admins) AS person,
                 (SELECT coalesce(sum(replicas), 0)::bigint AS replicas,
                      coalesce(sum(replicas * cpu_cores), 0) AS cpu_cores,
                      coalesce(sum(replicas * ram_mb), 0)::bigint AS ram_mb,
                      coalesce(sum(replicas * metering.price_per_hour), 0) AS cost_per_hour
                  FROM paas_metering AS metering LEFT JOIN paas_plans AS plan ON plan.id = metering.plan_id
                  WHERE ended_at IS NULL) AS running",
        )
        .bind(now.date_naive())
        .bind(Month::of(now).first_day())
        .fetch_one(&mut *connection)
        .await?;
        Ok(Platform { apps, deployments, totals })
    }

    /// What is in the queue, by kind of job.
    pub async fn queue(&self) -> Result<Vec<QueueDepth>> {
        let sql = format!(
            "SELECT task_identifier AS task,
                 count(*) FILTER (WHERE locked_at IS NULL AND attempts < max_attempts AND run_at <= now()) AS waiting,
                 count(*) FILTER (WHERE locked_at IS NOT NULL) AS running,
                 count(*) FILTER (WHERE locked_at IS NULL AND attempts < max_attempts AND run_at > now()) AS later,
                 count(*) FILTER (WHERE locked_at IS NULL AND attempts >= max_attempts) AS failed,
                 coalesce(extract(epoch FROM now() - min(run_at) FILTER (
                     WHERE locked_at IS NULL AND attempts < max_attempts AND run_at <= now())), 0)::float8 AS oldest_seconds
             FROM {}.jobs GROUP BY task_identifier ORDER BY task_identifier",
            jobs::SCHEMA
        );
        Ok(sqlx::query_as(sqlx::AssertSqlSafe(sql)).fetch_all(&self.pool).await?)
    }

    /// How deployments ended, by what set them off; they took from being asked for to the end.
    pub async fn deployment_outcomes(&self) -> Result<Vec<Outcomes>> {
        self.outcomes("deployment").await
    }

    /// How their stages ended.
    pub async fn stage_outcomes(&self) -> Result<Vec<Outcomes>> {
        self.outcomes("stage").await
    }

    async fn outcomes(&self, kind: &str) -> Result<Vec<Outcomes>> {
        Ok(sqlx::query_as(
            "SELECT name, outcome, count, seconds, buckets, paas_outcome_bounds() AS bounds
             FROM paas_outcomes WHERE kind = $1 ORDER BY name, outcome",
        )
        .bind(kind)
        .fetch_all(&self.pool)
        .await?)
    }
}
