//! What admins list: apps with their cost, organisations, users, the audit log.

use std::collections::HashSet;
use std::net::IpAddr;

use chrono::{DateTime, Utc};
use serde_json::Value;
use uuid::Uuid;

use super::Store;
use crate::actions::Via;
use crate::model::{AppId, AppSlug, AppStatus, Money, Month, OrganizationId, ReleaseVersion, SuspensionReason, UserId};
use crate::{Error, Result};

/// An app in the admins' list.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct AdminApp {
    /// Its id.
    pub id: AppId,
    /// Its unique name.
    pub slug: AppSlug,
    /// Its name for people.
    pub name: String,
    /// What it is doing.
    pub status: AppStatus,
    /// Why it is suspended, if it is.
    pub suspended_reason: Option<SuspensionReason>,
    /// Whose it is.
    pub organization_id: OrganizationId,
    /// Name of that organisation.
    pub organization_name: String,
    /// Name of its plan.
    pub plan_name: String,
    /// The release that should be running.
    pub version: Option<ReleaseVersion>,
    /// Replicas that are meant to run.
    pub replicas: i64,
    /// What they cost an hour.
    pub cost_per_hour: Money,
    /// What it used in the month, as far as it is settled.
    pub cost_month: Money,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it was last changed.
    pub updated_at: DateTime<Utc>,
}

/// Which apps an admin wants to see.
#[derive(Clone, Debug, Default)]
pub struct AdminAppFilter {
    /// Of one organisation.
    pub organization: Option<OrganizationId>,
    /// In one status.
    pub status: Option<AppStatus>,
    /// With this in the slug or the name.
    pub search: Option<String>,
}

/// An organisation in the admins' list.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct AdminOrganization {
    /// Its id.
    pub id: OrganizationId,
    /// Its unique name.
    pub name: String,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When an admin suspended it, if one did.
    pub suspended_at: Option<DateTime<Utc>>,
    /// When its deletion was asked for; it goes with the last of its apps.
    pub deleting_at: Option<DateTime<Utc>>,
    /// Its members.
    pub members: i64,
    /// Its apps.
    pub apps: i64,
    /// Those of them that are meant to run.
    pub running_apps: i64,
    /// Those of them that are suspended.
    pub suspended_apps: i64,
    /// What is in its wallet.
    pub balance: Money,
    /// What its apps cost an hour.
    pub cost_per_hour: Money,
    /// What it used in the month, as far as it is settled.
    pub cost_month: Money,
    /// Whether its members may create apps.
    pub allow_app_creation: bool,
    /// Most apps, where that differs from the platform's setting.
    pub max_apps: Option<i32>,
    /// Most deployments an hour, where that differs from the platform's setting.
    pub max_deployments_per_hour: Option<i32>,
    /// Most builds at once, where that differs from the platform's setting.
    pub max_concurrent_builds: Option<i32>,
}

/// A user in the admins' list.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct AdminUser {
    /// Their id.
    pub id: UserId,
    /// Their e-mail address.
    pub email: String,
    /// Whether they administer the platform.
    pub is_admin: bool,
    /// When they were locked out, if they are.
    pub disabled_at: Option<DateTime<Utc>>,
    /// Whether a second factor is in force.
    pub has_second_factor: bool,
    /// When they last logged in to the dashboard.
    pub last_login_at: Option<DateTime<Utc>>,
    /// When they were made.
    pub created_at: DateTime<Utc>,
    /// Their organisations by name, each as `{"id", "name", "role"}`.
    pub organizations: Value,
    /// Apps of these.
    pub apps: i64,
    /// What these used in the month, as far as it is settled.
    pub cost_month: Money,
}

/// A line of the audit log.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct AuditLine {
    /// Goes up with every line.
    pub id: i64,
    /// When it happened.
    pub occurred_at: DateTime<Utc>,
    /// Whose thing it was about; none for the platform's own.
    pub organization_id: Option<Uuid>,
    /// Who did it.
    pub user_id: Option<Uuid>,
    /// Their e-mail address at that time.
    pub actor: Option<String>,
    /// The way they came in.
    pub via: Via,
    /// Where from.
    pub address: Option<String>,
    /// The request it was part of.
    pub request_id: Option<String>,
    /// Noun and verb.
    pub action: String,
    /// Kind of thing.
    pub target_kind: String,
    /// Its id or name.
    pub target: String,
    /// What people call it, where `target` is an id: as it is called now, or was when it went.
    pub target_name: Option<String>,
    /// What it was.
    pub before: Value,
    /// What it became.
    pub after: Value,
}

/// Which lines of the audit log to show.
#[derive(Clone, Debug, Default)]
pub struct AuditFilter {
    /// About one organisation's things.
    pub organization: Option<OrganizationId>,
    /// By one user.
    pub user: Option<UserId>,
    /// What was done: all of it, such as `app.scale`, or how it begins, such as `app.`.
    pub action: Option<String>,
    /// Kind of thing.
    pub target_kind: Option<String>,
    /// Its id or name.
    pub target: Option<String>,
    /// From one address.
    pub address: Option<IpAddr>,
    /// Not before.
    pub since: Option<DateTime<Utc>>,
    /// Before.
    pub until: Option<DateTime<Utc>>,
}

const ORGANIZATION: &str = "SELECT o.id, o.name, o.created_at, o.suspended_at, o.deleting_at, o.allow_app_creation,
        o.max_apps, o.max_deployments_per_hour, o.max_concurrent_builds, o.wallet_balance AS balance,
        (SELECT count(*) FROM organization_members WHERE organization_id = o.id) AS members,
        app.apps, app.running_apps, app.suspended_apps,
        (SELECT coalesce(sum(price_per_hour * replicas), 0) FROM paas_metering
         WHERE organization_id = o.id AND ended_at IS NULL) AS cost_per_hour,
        (SELECT coalesce(sum(cost), 0) FROM paas_usage_months WHERE organization_id = o.id AND month = $1) AS cost_month
    FROM organizations AS o, LATERAL (
        SELECT count(*) AS apps,
            count(*) FILTER (WHERE status IN ('building', 'deploying', 'running', 'failed')) AS running_apps,
            count(*) FILTER (WHERE status = 'suspended') AS suspended_apps
        FROM paas_applications WHERE organization_id = o.id) AS app";

const USER: &str = "SELECT u.id, u.email, u.is_admin, u.disabled_at, u.last_login_at, u.created_at,
        u.totp_confirmed_at IS NOT NULL AS has_second_factor,
        coalesce((SELECT jsonb_agg(jsonb_build_object('id', o.id, 'name', o.name, 'role', m.role) ORDER BY o.name)
            FROM organization_members AS m JOIN organizations AS o ON o.id = m.organization_id
            WHERE m.user_id = u.id), '[]') AS organizations,
        (SELECT count(*) FROM organization_members AS m
            JOIN paas_applications AS app ON app.organization_id = m.organization_id WHERE m.user_id = u.id) AS apps,
        (SELECT coalesce(sum(used.cost), 0) FROM organization_members AS m
            JOIN paas_usage_months AS used ON used.organization_id = m.organization_id
            WHERE m.user_id = u.id AND used.month = $1) AS cost_month
    FROM users AS u";

impl Store {
    /// All apps by slug, from after `after` on.
    pub async fn admin_apps(&self, filter: &AdminAppFilter, after: Option<&str>, rows: i64) -> Result<Vec<AdminApp>> {
        Ok(sqlx::query_as(
            "SELECT app.id, app.slug, app.name, app.status, app.suspended_reason, app.created_at, app.updated_at,
                 o.id AS organization_id, o.name AS organization_name, plan.name AS plan_name, deployment.version,
                 running.replicas, running.cost_per_hour,
                 (SELECT coalesce(sum(cost), 0) FROM paas_usage_months
                  WHERE application_id = app.id AND month = $1) AS cost_month
             FROM paas_applications AS app
             JOIN organizations AS o ON o.id = app.organization_id
             JOIN paas_plans AS plan ON plan.id = app.plan_id
             LEFT JOIN paas_deployments AS deployment ON deployment.id = app.current_deployment_id,
             LATERAL (SELECT coalesce(sum(metering.replicas), 0)::bigint AS replicas,
                     coalesce(sum(metering.replicas * metering.price_per_hour), 0) AS cost_per_hour
                 FROM paas_metering AS metering WHERE application_id = app.id AND ended_at IS NULL) AS running
             WHERE ($2::uuid IS NULL OR app.organization_id = $2) AND ($3::text IS NULL OR app.status = $3)
             AND ($4::text IS NULL OR strpos(app.slug, lower($4)) > 0 OR strpos(lower(app.name), lower($4)) > 0)
             AND app.slug > $5 ORDER BY app.slug LIMIT $6",
        )
        .bind(Month::of(self.clock.now()).first_day())
        .bind(filter.organization)
        .bind(filter.status)
        .bind(filter.search.as_deref())
        // Every name comes after the empty one; a plan for all values then begins where the page does.
        .bind(after.unwrap_or_default())
        .bind(rows)
        .fetch_all(&self.pool)
        .await?)
    }

    /// Organisations by name, from after `after` on; with `search`, those with that in their name.
    pub async fn admin_organizations(
        &self,
        search: Option<&str>,
        after: Option<&str>,
        rows: i64,
    ) -> Result<Vec<AdminOrganization>> {
        let sql = format!(
            "{ORGANIZATION} WHERE ($2::text IS NULL OR strpos(o.name, lower($2)) > 0) AND o.name > $3
             ORDER BY o.name LIMIT $4"
        );
        Ok(sqlx::query_as(sqlx::AssertSqlSafe(sql))
            .bind(Month::of(self.clock.now()).first_day())
            .bind(search)
            .bind(after.unwrap_or_default())
            .bind(rows)
            .fetch_all(&self.pool)
            .await?)
    }

    /// One organisation as admins see it.
    pub async fn admin_organization(&self, id: OrganizationId) -> Result<AdminOrganization> {
        let sql = format!("{ORGANIZATION} WHERE o.id = $2");
        sqlx::query_as(sqlx::AssertSqlSafe(sql))
            .bind(Month::of(self.clock.now()).first_day())
            .bind(id)
            .fetch_optional(&self.pool)
            .await?
            .ok_or_else(|| Error::NotFound("There is no such organisation.".to_owned()))
    }

    /// Users by e-mail address, from after `after` on; with `search`, those with that in it.
    pub async fn admin_users(&self, search: Option<&str>, after: Option<&str>, rows: i64) -> Result<Vec<AdminUser>> {
        let sql = format!(
            "{USER} WHERE ($2::text IS NULL OR strpos(lower(u.email), lower($2)) > 0)
             AND lower(u.email) > $3 ORDER BY lower(u.email) LIMIT $4"
        );
        Ok(sqlx::query_as(sqlx::AssertSqlSafe(sql))
            .bind(Month::of(self.clock.now()).first_day())
            .bind(search)
            .bind(after.unwrap_or_default())
            .bind(rows)
            .fetch_all(&self.pool)
            .await?)
    }

    /// One user as admins see them.
    pub async fn admin_user(&self, id: UserId) -> Result<AdminUser> {
        let sql = format!("{USER} WHERE u.id = $2");
        sqlx::query_as(sqlx::AssertSqlSafe(sql))
            .bind(Month::of(self.clock.now()).first_day())
            .bind(id)
            .fetch_optional(&self.pool)
            .await?
            .ok_or_else(|| Error::NotFound("There is no such user.".to_owned()))
    }

    /// Lines of the audit log, newest first, from before the line `before` on.
    pub async fn audit_log(&self, filter: &AuditFilter, before: Option<i64>, rows: i64) -> Result<Vec<AuditLine>> {
        // What a prefix ends before: its last character raised by one. `.` and letters stay ASCII that way.
        let (exact, prefix) = match filter.action.as_deref() {
            Some(action) if action.ends_with('.') => (None, Some(format!("{}/", &action[..action.len() - 1]))),
            other => (other, None),
        };
        Ok(sqlx::query_as(
            "SELECT line.*, CASE WHEN target ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' THEN CASE target_kind
                 WHEN 'app' THEN coalesce((SELECT slug FROM paas_applications WHERE id = target::uuid),
                     (SELECT gone.before ->> 'slug' FROM paas_audit_log AS gone
                      WHERE gone.target_kind = 'app' AND gone.target = line.target AND gone.action = 'app.destroy'
                      ORDER BY gone.id DESC LIMIT 1))
                 WHEN 'deployment' THEN (SELECT app.slug || coalesce(' v' || one.version, '')
                     FROM paas_deployments AS one JOIN paas_applications AS app ON app.id = one.application_id
                     WHERE one.id = target::uuid)
                 WHEN 'organization' THEN (SELECT name FROM organizations WHERE id = target::uuid)
                 WHEN 'plan' THEN (SELECT name FROM paas_plans WHERE id = target::uuid)
                 WHEN 'user' THEN (SELECT email FROM users WHERE id = target::uuid)
             END END AS target_name
             FROM (SELECT id, occurred_at, organization_id, user_id, actor, via, address, request_id, action,
                 target_kind, target, before, after
             FROM paas_audit_log
             WHERE id < $1 AND ($2::uuid IS NULL OR organization_id = $2) AND ($3::uuid IS NULL OR user_id = $3)
             AND ($4::text IS NULL OR action = $4)
             AND ($5::text IS NULL OR (action ~>=~ $6 AND action ~<~ $5))
             AND ($7::text IS NULL OR target_kind = $7) AND ($8::text IS NULL OR target = $8)
             AND ($9::text IS NULL OR address = $9)
             AND ($10::timestamptz IS NULL OR occurred_at >= $10) AND ($11::timestamptz IS NULL OR occurred_at < $11)
             ORDER BY id DESC LIMIT $12) AS line ORDER BY id DESC",
        )
        .bind(before.unwrap_or(i64::MAX))
        .bind(filter.organization)
        .bind(filter.user)
        .bind(exact)
        .bind(prefix)
        .bind(filter.action.as_deref())
        .bind(filter.target_kind.as_deref())
        .bind(filter.target.as_deref())
        .bind(filter.address.map(|address| address.to_string()))
        .bind(filter.since)
        .bind(filter.until)
        .bind(rows)
        .fetch_all(&self.pool)
        .await?)
    }

    /// The platform's admins who are no members of an organisation.
    pub async fn admins_outside(&self, organization: OrganizationId) -> Result<HashSet<Uuid>> {
        let admins: Vec<(Uuid,)> = sqlx::query_as(
            "SELECT id FROM users WHERE is_admin AND NOT EXISTS (
                 SELECT FROM organization_members WHERE organization_id = $1 AND user_id = users.id)",
        )
        .bind(organization)
        .fetch_all(&self.pool)
        .await?;
        Ok(admins.into_iter().map(|(id,)| id).collect())
    }
}
