//! What the rules of [`crate::alerts`] look at, as far as the database knows it.

use chrono::{DateTime, NaiveDate, Utc};

use super::Store;
use crate::Result;
use crate::model::{AppId, AppSlug, DomainId, DomainName, Money, Month, OrganizationId, Stage};

text_enum! {
    /// What goes wrong with a replica of an app, as its events have it.
    Incident {
        /// It ended though nobody told it to.
        Crash = "crash",
        /// It failed its health checks.
        Health = "health",
    }
}

/// How often something happened to an app.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct AppCount {
    /// Which app.
    pub id: AppId,
    /// Its unique name.
    pub slug: AppSlug,
    /// Whose it is.
    pub organization_id: OrganizationId,
    /// How often.
    #[sqlx(try_from = "i64")]
    pub count: u64,
}

/// A custom domain without a certificate, or with one that ends soon.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct FailingCertificate {
    /// Of which domain.
    pub id: DomainId,
    /// That domain's name.
    pub domain: DomainName,
    /// The app it leads to.
    pub slug: AppSlug,
    /// Whose that is.
    pub organization_id: OrganizationId,
    /// When the certificate ends; none where there is none.
    pub expires_at: Option<DateTime<Utc>>,
}

/// A wallet that does not last for long.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct LowWallet {
    /// Whose it is.
    pub id: OrganizationId,
    /// That organisation's name.
    pub name: String,
    /// What is in it.
    pub balance: Money,
    /// What runs costs that an hour.
    pub burn: Money,
    /// For how many hours it lasts.
    pub hours: f64,
    /// For how many it should.
    pub threshold: f64,
}

/// An organisation that used up much of its budget of a month.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct UsedBudget {
    /// Which one.
    pub id: OrganizationId,
    /// Its name.
    pub name: String,
    /// What it meant to be charged in the month.
    pub budget: Money,
    /// What it was charged.
    pub charged: Money,
    /// How much that is of the budget, in percent.
    pub percent: f64,
}

/// An organisation that was not charged what it used.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct BillingDifference {
    /// Which one.
    pub organization: OrganizationId,
    /// Its name; none if it is gone.
    pub name: Option<String>,
    /// What it used that is to be charged.
    pub used: Money,
    /// What it was charged.
    pub charged: Money,
}

impl Store {
    /// Apps of which `least` deployments or more failed since the last one that went well, and the newest of those
    /// since `since`.
    pub async fn apps_that_fail(&self, since: DateTime<Utc>, least: u64) -> Result<Vec<AppCount>> {
        Ok(sqlx::query_as(
            "SELECT app.id, app.slug, app.organization_id, failed.count
             FROM (SELECT DISTINCT application_id FROM paas_deployments WHERE status = 'failed' AND finished_at > $1)
                 AS lately
             JOIN paas_applications AS app ON app.id = lately.application_id,
             LATERAL (SELECT count(*) FROM paas_deployments
                 WHERE application_id = app.id AND status = 'failed' AND finished_at > coalesce((
                     SELECT max(finished_at) FROM paas_deployments
                     WHERE application_id = app.id AND status = 'succeeded'), '-infinity')) AS failed
             WHERE failed.count >= $2 AND app.status <> 'deleting' ORDER BY app.slug",
        )
        .bind(since)
        .bind(rows(least))
        .fetch_all(&self.pool)
        .await?)
    }

    /// How many deployments of the platform went well since `since`, and how many failed.
    pub async fn deployments_ended(&self, since: DateTime<Utc>) -> Result<(u64, u64)> {
        let (succeeded, failed): (i64, i64) = sqlx::query_as(
            "SELECT count(*) FILTER (WHERE status = 'succeeded'), count(*) FILTER (WHERE status = 'failed')
             FROM paas_deployments WHERE finished_at > $1",
        )
        .bind(since)
        .fetch_one(&self.pool)
        .await?;
        Ok((u64::try_from(succeeded).unwrap_or(0), u64::try_from(failed).unwrap_or(0)))
    }

    /// How many stages of that kind went well, of deployments that ended since `since`, and how long they took on
    /// average, in seconds.
    pub async fn stage_time(&self, stage: Stage, since: DateTime<Utc>) -> Result<(u64, f64)> {
        let (count, mean): (i64, f64) = sqlx::query_as(
            "SELECT count(*), coalesce(avg(extract(epoch FROM stage.finished_at - stage.started_at)), 0)::float8
             FROM paas_deployments AS deployment
             JOIN paas_deployment_stages AS stage ON stage.deployment_id = deployment.id AND stage.stage = $1
             WHERE deployment.finished_at > $2 AND stage.finished_at IS NOT NULL AND NOT stage.failed",
        )
        .bind(stage)
        .bind(since)
        .fetch_one(&self.pool)
        .await?;
        Ok((u64::try_from(count).unwrap_or(0), mean))
    }

    /// Apps to which an incident happened `least` times or more since `since`.
    pub async fn incidents(&self, incident: Incident, since: DateTime<Utc>, least: u64) -> Result<Vec<AppCount>> {
        Ok(sqlx::query_as(
            "SELECT app.id, app.slug, app.organization_id, happened.count
             FROM (SELECT application_id, count(*) FROM paas_events
                   WHERE kind IN ('crash', 'health') AND kind = $1 AND created_at > $2
                   GROUP BY application_id HAVING count(*) >= $3) AS happened
             JOIN paas_applications AS app ON app.id = happened.application_id
             WHERE app.status <> 'deleting' ORDER BY app.slug",
        )
        .bind(incident)
        .bind(since)
        .bind(rows(least))
        .fetch_all(&self.pool)
        .await?)
    }

    /// Apps of which `least` process types or more are not started any more, because they crashed again and again.
    pub async fn apps_given_up(&self, least: u64) -> Result<Vec<AppCount>> {
        Ok(sqlx::query_as(
            "SELECT app.id, app.slug, app.organization_id, given_up.count
             FROM (SELECT application_id, count(*) FROM paas_given_up WHERE NOT again
                   GROUP BY application_id HAVING count(*) >= $1) AS given_up
             JOIN paas_applications AS app ON app.id = given_up.application_id
             WHERE app.status <> 'deleting' ORDER BY app.slug",
        )
        .bind(rows(least))
        .fetch_all(&self.pool)
        .await?)
    }

    /// Custom domains that are routed and have no certificate though there was time to get one, or one that ends before
    /// `before`.
    pub async fn certificates_that_fail(&self, before: DateTime<Utc>) -> Result<Vec<FailingCertificate>> {
        Ok(sqlx::query_as(
            "SELECT domain.id, domain.domain, app.slug, app.organization_id, domain.ssl_cert_expires_at AS expires_at
             FROM (SELECT id FROM paas_domains WHERE status = 'active' AND ssl_cert_expires_at < $1
                   UNION SELECT id FROM paas_domains WHERE status = 'active' AND ssl_status = 'failed') AS failing
             JOIN paas_domains AS domain ON domain.id = failing.id
             JOIN paas_applications AS app ON app.id = domain.application_id ORDER BY domain.domain",
        )
        .bind(before)
        .fetch_all(&self.pool)
        .await?)
    }

    /// Wallets with something in them that do not last for long enough, while hours are charged: for the hours of what
    /// runs now that their owners chose, or else the first of the platform's, and in any case the second of those
    /// ([`Settings::low_balance_hours`](crate::settings::Settings::low_balance_hours)), divided by `eased`.
    pub async fn low_wallets(&self, [first, last]: [u64; 2], eased: f64) -> Result<Vec<LowWallet>> {
        Ok(sqlx::query_as(
            "SELECT o.id, o.name, o.wallet_balance AS balance, running.burn,
                 (o.wallet_balance / running.burn)::float8 AS hours, limits.threshold::float8 AS threshold
             FROM (SELECT organization_id, sum(price_per_hour * replicas) AS burn FROM paas_metering
                   WHERE ended_at IS NULL GROUP BY organization_id) AS running
             JOIN organizations AS o ON o.id = running.organization_id,
             LATERAL (SELECT greatest(coalesce(o.low_balance_hours, $1), $2) AS threshold) AS limits
             WHERE running.burn > 0 AND o.wallet_balance > 0
             AND o.wallet_balance < running.burn * (limits.threshold / $3::float8)::numeric
             AND o.deleting_at IS NULL AND EXISTS (SELECT FROM paas_billing_periods WHERE ended_at IS NULL)
             ORDER BY o.name",
        )
        .bind(rows(first))
        .bind(rows(last))
        .bind(eased)
        .fetch_all(&self.pool)
        .await?)
    }

    /// Organisations that were charged so many percent or more of their budget of a month, as far as it is settled.
    pub async fn budgets_used(&self, month: Month, percent: u64) -> Result<Vec<UsedBudget>> {
        Ok(sqlx::query_as(
            "SELECT o.id, o.name, o.month_budget AS budget, used.charged,
                 (used.charged * 100 / o.month_budget)::float8 AS percent
             FROM organizations AS o, LATERAL (
                 SELECT coalesce(sum(charged), 0) AS charged FROM paas_usage_months
                 WHERE organization_id = o.id AND month = $1) AS used
             WHERE o.month_budget IS NOT NULL AND o.deleting_at IS NULL
             AND used.charged * 100 >= o.month_budget * $2 ORDER BY o.name",
        )
        .bind(month.first_day())
        .bind(rows(percent))
        .fetch_all(&self.pool)
        .await?)
    }

    /// Organisations of which an empty wallet holds `least` apps or more, with their names and how many those are.
    pub async fn held_by_wallets(&self, least: u64) -> Result<Vec<(OrganizationId, String, u64)>> {
        let held: Vec<(OrganizationId, String, i64)> = sqlx::query_as(
            "SELECT o.id, o.name, held.count
             FROM (SELECT organization_id, count(*) FROM paas_applications
                   WHERE suspended_reason IS NOT NULL AND suspended_reason = 'wallet'
                   GROUP BY organization_id HAVING count(*) >= $1) AS held
             JOIN organizations AS o ON o.id = held.organization_id WHERE o.deleting_at IS NULL ORDER BY o.name",
        )
        .bind(rows(least))
        .fetch_all(&self.pool)
        .await?;
        Ok(held.into_iter().map(|(id, name, count)| (id, name, u64::try_from(count).unwrap_or(0))).collect())
    }

    /// Up to where the oldest of what ran before `before` is settled; none where all of that is.
    pub async fn unsettled_since(&self, before: DateTime<Utc>) -> Result<Option<DateTime<Utc>>> {
        let (oldest,): (Option<DateTime<Utc>>,) = sqlx::query_as(
            "SELECT min(settled_until) FROM paas_metering
             WHERE (ended_at IS NULL OR settled_until < ended_at) AND settled_until < $1",
        )
        .bind(before)
        .fetch_one(&self.pool)
        .await?;
        Ok(oldest)
    }

    /// Organisations that were not charged what they used from a day of UTC on.
    pub async fn billing_differences(&self, first: NaiveDate) -> Result<Vec<BillingDifference>> {
        Ok(sqlx::query_as(
            "WITH used AS (
                 SELECT organization_id, sum(charged) AS amount FROM paas_usage_days
                 WHERE day >= $1 GROUP BY organization_id
             ), paid AS (
                 SELECT organization_id, -sum(amount) AS amount FROM wallet_ledger
                 WHERE kind = 'charge' AND hour >= $1::timestamp AT TIME ZONE 'UTC' GROUP BY organization_id
             )
             SELECT organization_id AS organization, o.name, coalesce(used.amount, 0) AS used,
                 coalesce(paid.amount, 0) AS charged
             FROM used FULL JOIN paid USING (organization_id) LEFT JOIN organizations AS o ON o.id = organization_id
             WHERE coalesce(used.amount, 0) <> coalesce(paid.amount, 0) ORDER BY organization_id",
        )
        .bind(first)
        .fetch_all(&self.pool)
        .await?)
    }
}

fn rows(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
