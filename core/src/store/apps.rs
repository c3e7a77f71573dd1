//! Apps and their process formation.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::{Identity, Store, is_taken};
use crate::model::{
    AppId, AppSlug, AppStatus, Application, DeploymentId, Formation, Organization, OrganizationId, Plan, PlanId,
    ProcessType, Role,
};
use crate::{Error, Result};

/// What a caller wants to do with an app.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Look only.
    Read,
    /// Push, configure, scale, restart.
    Change,
    /// Destroy.
    Own,
}

const APP_COLUMNS: &str = "id, organization_id, slug, subdomain, git_branch, buildpack, stack, status, \
     suspended_reason, plan_id, price_per_hour, \
     health_check_path, health_check_protocol, health_check_port, health_check_expected_status, \
     health_check_interval_seconds, health_check_timeout_seconds, health_check_retries, \
     health_check_start_seconds, current_deployment_id, config_version, restart_count, created_at";

impl Store {
    /// The app of that slug, if the caller may have `access` to it. To anyone outside its organisation it
    /// does not exist.
    pub async fn app_for(&self, caller: &Identity, slug: &AppSlug, access: Access) -> Result<Application> {
        let missing = || {
            Error::NotFound(format!(
                "There is no app \"{slug}\" that you have access to. `apps` lists yours; `apps:create {slug}` makes it."
            ))
        };
        let app = self.app_by_slug(slug).await?.ok_or_else(missing)?;
        let role = caller.memberships.iter().find(|(org, _)| org.id == app.organization_id).map(|(_, role)| *role);
        let Some(role) = role.or(caller.user.is_admin.then_some(Role::Owner)) else { return Err(missing()) };
        let needed = match access {
            Access::Read => Role::Viewer,
            Access::Change => Role::Developer,
            Access::Own => Role::Owner,
        };
        if role < needed {
            return Err(Error::Forbidden(format!(
                "You are a {role} of this app's organisation; this needs the role {needed}. Ask an owner for it."
            )));
        }
        if app.status == AppStatus::Deleting && access != Access::Read {
            return Err(Error::Conflict(format!("The app \"{slug}\" is being destroyed.")));
        }
        Ok(app)
    }

    /// The app of that slug.
    pub async fn app_by_slug(&self, slug: &AppSlug) -> Result<Option<Application>> {
        let sql = format!("SELECT {APP_COLUMNS} FROM paas_applications WHERE slug = $1");
        Ok(sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(slug).fetch_optional(&self.pool).await?)
    }

    /// The app of that id, if there is one.
    pub async fn app_by_id(&self, id: AppId) -> Result<Option<Application>> {
        let sql = format!("SELECT {APP_COLUMNS} FROM paas_applications WHERE id = $1");
        Ok(sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(id).fetch_optional(&self.pool).await?)
    }

    /// The app of that id; one that is gone is an error.
    pub async fn app(&self, id: AppId) -> Result<Application> {
        self.app_by_id(id).await?.ok_or_else(|| Error::NotFound("That app does not exist any more.".to_owned()))
    }

    /// All apps of these organisations, by name; all there are for `None`.
    pub async fn apps(&self, organizations: Option<&[OrganizationId]>) -> Result<Vec<Application>> {
        let sql = format!(
            "SELECT {APP_COLUMNS} FROM paas_applications WHERE $1::uuid[] IS NULL OR organization_id = ANY ($1) ORDER BY slug"
        );
        let ids = organizations.map(|list| list.iter().map(|id| id.0).collect::<Vec<_>>());
        Ok(sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(ids).fetch_all(&self.pool).await?)
    }

    /// The ids of all apps, by slug.
    pub async fn app_ids(&self) -> Result<HashMap<String, AppId>> {
        let rows: Vec<(String, uuid::Uuid)> =
            sqlx::query_as("SELECT slug, id FROM paas_applications").fetch_all(&self.pool).await?;
        Ok(rows.into_iter().map(|(slug, id)| (slug, AppId(id))).collect())
    }

    /// Those of `apps` that are not there, or not any more.
    pub async fn gone_apps(&self, apps: &[AppId]) -> Result<Vec<AppId>> {
        let sql = "SELECT asked.id FROM unnest($1::uuid[]) AS asked (id)
                   WHERE NOT EXISTS (SELECT FROM paas_applications AS app WHERE app.id = asked.id)";
        let ids: Vec<uuid::Uuid> = apps.iter().map(|app| app.0).collect();
        Ok(sqlx::query_scalar(sql).bind(ids).fetch_all(&self.pool).await?)
    }

    /// The organisation in which a caller's new app goes: the one named, or else the only one they may change.
    pub fn organization_for_new_app<'a>(&self, caller: &'a Identity, named: Option<&str>) -> Result<&'a Organization> {
        let allowed: Vec<&Organization> = caller
            .memberships
            .iter()
            .filter(|(org, role)| *role >= Role::Developer && named.is_none_or(|name| name == org.name))
            .map(|(org, _)| org)
            .collect();
        match allowed.as_slice() {
            [organization] => Ok(*organization),
            [_, ..] => Err(Error::Invalid(format!(
                "You are in several organisations. Say which one the app belongs to: apps:create NAME --org {}.",
                allowed.iter().map(|org| org.name.as_str()).collect::<Vec<_>>().join(" | ")
            ))),
            [] => Err(Error::Forbidden(
                "You are in no organisation in which you may create apps. Ask an admin to add you to one.".to_owned(),
            )),
        }
    }

    /// Creates an app on the smallest plan, if the platform's and the organisation's settings allow it.
    pub async fn create_app(&self, slug: &AppSlug, organization: &Organization) -> Result<Application> {
        if !organization.allow_app_creation || !self.settings().await?.git_allow_app_creation {
            return Err(Error::Forbidden(format!(
                "There is no app \"{slug}\" and creating apps is switched off here. Ask an admin to create it."
            )));
        }
        if organization.suspended_at.is_some() {
            return Err(Error::Forbidden(format!("The organisation \"{}\" is suspended.", organization.name)));
        }
        insert(&mut *self.pool.acquire().await?, slug, organization.id, self.clock.now()).await
    }

    /// Sets what an app is to do, for its people. One that is being deleted stays that.
    pub async fn set_app_status(&self, app: AppId, status: AppStatus) -> Result<()> {
        let mut transaction = self.pool.begin().await?;
        set_status(&mut transaction, app, status, self.clock.now()).await?;
        transaction.commit().await?;
        Ok(())
    }

    /// Notes what a worker sees an app do, unless its people have stopped it, or it was suspended or deleted
    /// meanwhile: then that stays, and the answer is false. One that runs but for what was given up has failed.
    pub async fn report_app_status(&self, app: AppId, status: AppStatus) -> Result<bool> {
        let mut transaction = self.pool.begin().await?;
        let changed = sqlx::query(
            "UPDATE paas_applications SET status = CASE
                 WHEN $2 = 'running' AND EXISTS (SELECT 1 FROM paas_given_up WHERE application_id = $1 AND NOT again)
                 THEN 'failed' ELSE $2 END
             WHERE id = $1 AND status NOT IN ('stopped', 'suspended', 'deleting')",
        )
        .bind(app)
        .bind(status)
        .execute(&mut *transaction)
        .await?;
        super::metering::record(&mut transaction, app, self.clock.now()).await?;
        transaction.commit().await?;
        Ok(changed.rows_affected() == 1)
    }

    /// Makes `deployment` the release that should be running.
    pub async fn set_current_deployment(&self, app: AppId, deployment: DeploymentId) -> Result<()> {
        let mut transaction = self.pool.begin().await?;
        sqlx::query("UPDATE paas_applications SET current_deployment_id = $2 WHERE id = $1")
            .bind(app)
            .bind(deployment)
            .execute(&mut *transaction)
            .await?;
        super::metering::record(&mut transaction, app, self.clock.now()).await?;
        transaction.commit().await?;
        Ok(())
    }

    /// Asks for a restart of all its processes; the caller enqueues the job that does it.
    pub async fn request_restart(&self, app: AppId) -> Result<()> {
        sqlx::query("UPDATE paas_applications SET restart_count = restart_count + 1 WHERE id = $1")
            .bind(app)
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// Removes an app and, by cascade, all rows that are its. What it used stays written down.
    pub async fn delete_app(&self, app: AppId) -> Result<()> {
        let mut transaction = self.pool.begin().await?;
        set_status(&mut transaction, app, AppStatus::Deleting, self.clock.now()).await?;
        sqlx::query("DELETE FROM paas_applications WHERE id = $1").bind(app).execute(&mut *transaction).await?;
        transaction.commit().await?;
        Ok(())
    }

    /// Replicas asked for, by process type. Types never scaled are absent: `web` then runs once, others not at all.
    pub async fn formation(&self, app: AppId) -> Result<Formation> {
        formation(&mut *self.pool.acquire().await?, app).await
    }

    /// Changes the replicas of some process types, within the plan's limit.
    pub async fn scale(&self, app: &Application, change: &Formation) -> Result<()> {
        let mut transaction = self.pool.begin().await?;
        scale(&mut transaction, app.id, change, self.clock.now()).await?;
        transaction.commit().await?;
        Ok(())
    }

    /// Moves an app to another plan, at that plan's price of now. Refused where the app is scaled beyond the plan.
    pub async fn change_plan(&self, app: AppId, plan: PlanId) -> Result<()> {
        let mut transaction = self.pool.begin().await?;
        change_plan(&mut transaction, app, plan, self.clock.now()).await?;
        transaction.commit().await?;
        Ok(())
    }
}

/// Makes an app on the smallest plan.
pub(crate) async fn insert(
    connection: &mut PgConnection,
    slug: &AppSlug,
    organization: OrganizationId,
    now: DateTime<Utc>,
) -> Result<Application> {
    let sql = format!(
        "INSERT INTO paas_applications (id, organization_id, name, slug, subdomain, plan_id, created_at)
         SELECT $1, $2, $3, $3, $3, id, $4 FROM paas_plans ORDER BY position LIMIT 1 RETURNING {APP_COLUMNS}"
    );
    let created = sqlx::query_as(sqlx::AssertSqlSafe(sql))
        .bind(AppId::new())
        .bind(organization)
        .bind(slug)
        .bind(now)
        .fetch_one(connection)
        .await;
    match created {
        Err(error) if is_taken(&error) => Err(Error::SlugTaken(slug.to_string())),
        other => Ok(other?),
    }
}

/// The app of that id, which nobody else changes until the transaction ends.
pub(crate) async fn lock(connection: &mut PgConnection, app: AppId) -> Result<Application> {
    let sql = format!("SELECT {APP_COLUMNS} FROM paas_applications WHERE id = $1 FOR NO KEY UPDATE");
    sqlx::query_as(sqlx::AssertSqlSafe(sql))
        .bind(app)
        .fetch_optional(connection)
        .await?
        .ok_or_else(|| Error::NotFound("That app does not exist any more.".to_owned()))
}

/// The same, with its organisation, which is neither suspended nor deleted until the transaction ends. It comes first,
/// as with all who hold both. Refused where the app is another's than it was when it was found.
pub(crate) async fn lock_with_organization(connection: &mut PgConnection, found: &Application) -> Result<Application> {
    sqlx::query("SELECT FROM organizations WHERE id = $1 FOR SHARE")
        .bind(found.organization_id)
        .execute(&mut *connection)
        .await?;
    let app = lock(connection, found.id).await?;
    if app.organization_id == found.organization_id {
        return Ok(app);
    }
    Err(Error::Conflict(format!("The app \"{}\" was moved to another organisation meanwhile. Try again.", app.slug)))
}

/// Sets what an app is meant to do, unless it is being deleted.
pub(crate) async fn set_status(
    connection: &mut PgConnection,
    app: AppId,
    status: AppStatus,
    now: DateTime<Utc>,
) -> Result<()> {
    sqlx::query("UPDATE paas_applications SET status = $2 WHERE id = $1 AND status <> 'deleting'")
        .bind(app)
        .bind(status)
        .execute(&mut *connection)
        .await?;
    super::metering::record(connection, app, now).await
}

/// Replicas asked for, by process type.
pub(crate) async fn formation(connection: &mut PgConnection, app: AppId) -> Result<Formation> {
    let rows: Vec<(ProcessType, i32)> =
        sqlx::query_as("SELECT process_type, replicas FROM paas_process_formation WHERE application_id = $1")
            .bind(app)
            .fetch_all(connection)
            .await?;
    Ok(rows.into_iter().map(|(process, replicas)| (process, u32::try_from(replicas).unwrap_or(0))).collect())
}

/// Changes the replicas of some process types, within the plan's limit.
pub(crate) async fn scale(
    connection: &mut PgConnection,
    app: AppId,
    change: &Formation,
    now: DateTime<Utc>,
) -> Result<()> {
    let plan = locked_app_plan(connection, app).await?;
    plan.check(change)?;
    for (process, replicas) in change {
        sqlx::query(
            "INSERT INTO paas_process_formation (application_id, process_type, replicas) VALUES ($1, $2, $3)
             ON CONFLICT (application_id, process_type) DO UPDATE SET replicas = $3",
        )
        .bind(app)
        .bind(process)
        .bind(i32::try_from(*replicas).unwrap_or(i32::MAX))
        .execute(&mut *connection)
        .await?;
        if process.is_routed() {
            sqlx::query("UPDATE paas_applications SET replicas = $2 WHERE id = $1")
                .bind(app)
                .bind(i32::try_from(*replicas).unwrap_or(i32::MAX))
                .execute(&mut *connection)
                .await?;
        }
    }
    super::metering::record(connection, app, now).await
}

/// Moves an app to another plan, at that plan's price of now.
pub(crate) async fn change_plan(
    connection: &mut PgConnection,
    app: AppId,
    plan: PlanId,
    now: DateTime<Utc>,
) -> Result<()> {
    locked_app_plan(connection, app).await?;
    let new = super::plans::plan(connection, plan).await?;
    new.check(&formation(connection, app).await?)?;
    sqlx::query("UPDATE paas_applications SET plan_id = $2, price_per_hour = $3 WHERE id = $1")
        .bind(app)
        .bind(plan)
        .bind(new.price_per_hour)
        .execute(&mut *connection)
        .await?;
    super::metering::record(connection, app, now).await
}

/// The plan of an app, which nobody else changes until the transaction ends.
async fn locked_app_plan(connection: &mut PgConnection, app: AppId) -> Result<Plan> {
    let (plan,): (PlanId,) = sqlx::query_as("SELECT plan_id FROM paas_applications WHERE id = $1 FOR NO KEY UPDATE")
        .bind(app)
        .fetch_optional(&mut *connection)
        .await?
        .ok_or_else(|| Error::NotFound("That app does not exist any more.".to_owned()))?;
    super::plans::plan(connection, plan).await
}

/// Writes down what was chosen about an app. Empty texts stand for what is usual.
pub(crate) async fn configure(
    connection: &mut PgConnection,
    app: AppId,
    settings: &crate::actions::AppSettings,
) -> Result<()> {
    let written = sqlx::query(
        "UPDATE paas_applications SET name = COALESCE($2, name), git_branch = COALESCE($3, git_branch),
             buildpack = CASE WHEN $4::text IS NULL THEN buildpack ELSE NULLIF($4, '') END,
             health_check_path = CASE WHEN $5::text IS NULL THEN health_check_path ELSE NULLIF($5, '') END,
             auto_deploy = COALESCE($6, auto_deploy), subdomain = COALESCE($7, subdomain),
             health_check_interval_seconds = NULLIF(COALESCE($8, health_check_interval_seconds), 0),
             health_check_timeout_seconds = NULLIF(COALESCE($9, health_check_timeout_seconds), 0),
             health_check_retries = NULLIF(COALESCE($10, health_check_retries), 0),
             health_check_start_seconds = NULLIF(COALESCE($11, health_check_start_seconds), 0),
             health_check_protocol = NULLIF(COALESCE($12, health_check_protocol), ''),
             health_check_port = NULLIF(COALESCE($13, health_check_port), 0),
             health_check_expected_status = NULLIF(COALESCE($14, health_check_expected_status), '')
         WHERE id = $1",
    )
    .bind(app)
    .bind(settings.name.as_deref().map(str::trim))
    .bind(settings.git_branch.as_ref().map(crate::model::GitBranch::as_str))
    .bind(&settings.buildpack)
    .bind(&settings.health_check_path)
    .bind(settings.auto_deploy)
    .bind(&settings.subdomain)
    .bind(settings.health.interval_seconds)
    .bind(settings.health.timeout_seconds)
    .bind(settings.health.retries)
    .bind(settings.health.start_seconds)
    .bind(&settings.health_target.protocol)
    .bind(settings.health_target.port)
    .bind(&settings.health_target.expected_status)
    .execute(connection)
    .await;
    match written {
        Err(error) if is_taken(&error) => {
            Err(Error::SlugTaken(settings.subdomain.as_ref().map(ToString::to_string).unwrap_or_default()))
        }
        other => Ok(other.map(drop)?),
    }
}

/// Asks for a restart of all processes of an app; answers how many were asked for by now.
pub(crate) async fn count_restart(connection: &mut PgConnection, app: AppId) -> Result<i32> {
    let (count,) = sqlx::query_as(
        "UPDATE paas_applications SET restart_count = restart_count + 1 WHERE id = $1 RETURNING restart_count",
    )
    .bind(app)
    .fetch_one(connection)
    .await?;
    Ok(count)
}
