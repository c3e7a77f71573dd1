//! What admins of the platform do with whole organisations: limits and suspension.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use sqlx::PgConnection;

use super::plans::admin;
use super::{Actions, Actor};
use crate::model::{OrganizationId, OrganizationRef, SuspensionReason};
use crate::store::{AdminOrganization, AuditEntry, audit, ledger, suspension};
use crate::{Error, Result};

/// What an admin changes about an organisation. What is none stays as it is.
#[derive(Clone, Copy, Debug, Default)]
pub struct OrganizationLimits {
    /// Whether its members may create apps.
    pub allow_app_creation: Option<bool>,
    /// Most apps; none inside for the platform's setting.
    pub max_apps: Option<Option<u32>>,
    /// Most deployments an hour; none inside for the platform's setting.
    pub max_deployments_per_hour: Option<Option<u32>>,
    /// Most builds at once; none inside for the platform's setting.
    pub max_concurrent_builds: Option<Option<u32>>,
}

/// What an admin has set for an organisation; none where the platform's setting counts.
#[derive(PartialEq, Eq, serde::Serialize, sqlx::FromRow)]
struct Limits {
    allow_app_creation: bool,
    max_apps: Option<i32>,
    max_deployments_per_hour: Option<i32>,
    max_concurrent_builds: Option<i32>,
}

impl Limits {
    async fn of(connection: &mut PgConnection, organization: OrganizationId) -> Result<Self> {
        Ok(sqlx::query_as(
            "SELECT allow_app_creation, max_apps, max_deployments_per_hour, max_concurrent_builds
             FROM organizations WHERE id = $1",
        )
        .bind(organization)
        .fetch_one(connection)
        .await?)
    }

    async fn put(&self, connection: &mut PgConnection, organization: OrganizationId) -> Result<()> {
        sqlx::query(
            "UPDATE organizations SET allow_app_creation = $2, max_apps = $3, max_deployments_per_hour = $4,
                 max_concurrent_builds = $5 WHERE id = $1",
        )
        .bind(organization)
        .bind(self.allow_app_creation)
        .bind(self.max_apps)
        .bind(self.max_deployments_per_hour)
        .bind(self.max_concurrent_builds)
        .execute(connection)
        .await?;
        Ok(())
    }
}

impl Actions {
    /// Organisations by name, for admins.
    pub async fn admin_organizations(
        &self,
        actor: &Actor,
        search: Option<&str>,
        after: Option<&str>,
        rows: i64,
    ) -> Result<Vec<AdminOrganization>> {
        admin(actor)?;
        self.store.admin_organizations(search, after, rows).await
    }

    /// One organisation, for admins.
    pub async fn admin_organization(&self, actor: &Actor, organization: &OrganizationRef) -> Result<AdminOrganization> {
        admin(actor)?;
        let organization = self.named(organization).await?;
        self.store.admin_organization(organization).await
    }

    /// Sets what an organisation may do.
    pub async fn limit_organization(
        &self,
        actor: &Actor,
        organization: &OrganizationRef,
        limits: OrganizationLimits,
    ) -> Result<AdminOrganization> {
        admin(actor)?;
        check_limits(limits)?;
        let id = self.named(organization).await?;
        let now = self.clock.now();
        let mut transaction = self.store.pool().begin().await?;
        lock(&mut transaction, id).await?;
        let before = Limits::of(&mut transaction, id).await?;
        let number = |new: Option<Option<u32>>, old: Option<i32>| match new {
            Some(new) => new.and_then(|new| i32::try_from(new).ok()),
            None => old,
        };
        let after = Limits {
            allow_app_creation: limits.allow_app_creation.unwrap_or(before.allow_app_creation),
            max_apps: number(limits.max_apps, before.max_apps),
            max_deployments_per_hour: number(limits.max_deployments_per_hour, before.max_deployments_per_hour),
            max_concurrent_builds: number(limits.max_concurrent_builds, before.max_concurrent_builds),
        };
        if before != after {
            after.put(&mut transaction, id).await?;
            let change = (json!(before), json!(after));
            write_down(&mut transaction, actor, now, "organization.limit", id, change).await?;
            transaction.commit().await?;
        }
        self.store.admin_organization(id).await
    }

    /// Holds all apps of an organisation until an admin lets them go on; nothing is deployed meanwhile. One that is
    /// suspended already stays so. `reason` is for the audit log.
    pub async fn suspend_organization(
        &self,
        actor: &Actor,
        organization: &OrganizationRef,
        reason: Option<&str>,
    ) -> Result<AdminOrganization> {
        admin(actor)?;
        check_reason(reason)?;
        let id = self.named(organization).await?;
        let now = self.clock.now();
        let mut transaction = self.store.pool().begin().await?;
        lock(&mut transaction, id).await?;
        let suspended =
            sqlx::query("UPDATE organizations SET suspended_at = $2 WHERE id = $1 AND suspended_at IS NULL")
                .bind(id)
                .bind(now)
                .execute(&mut *transaction)
                .await?;
        if suspended.rows_affected() > 0 {
            let apps = suspension::hold(&mut transaction, id, SuspensionReason::Admin, now).await?;
            let after = json!({ "suspended_at": now, "reason": reason, "apps_suspended": apps.len() });
            let before = json!({ "suspended_at": null });
            write_down(&mut transaction, actor, now, "organization.suspend", id, (before, after)).await?;
            transaction.commit().await?;
        }
        self.store.admin_organization(id).await
    }

    /// Ends an organisation's suspension; its apps go on as they were, unless an empty wallet holds them. One that is
    /// not suspended stays as it is.
    pub async fn resume_organization(
        &self,
        actor: &Actor,
        organization: &OrganizationRef,
    ) -> Result<AdminOrganization> {
        admin(actor)?;
        let id = self.named(organization).await?;
        let now = self.clock.now();
        let mut transaction = self.store.pool().begin().await?;
        lock(&mut transaction, id).await?;
        let (since, deleting): (Option<DateTime<Utc>>, Option<DateTime<Utc>>) =
            sqlx::query_as("SELECT suspended_at, deleting_at FROM organizations WHERE id = $1")
                .bind(id)
                .fetch_one(&mut *transaction)
                .await?;
        if deleting.is_some() {
            return Err(Error::Conflict("That organisation is being deleted.".to_owned()));
        }
        if let Some(since) = since {
            sqlx::query("UPDATE organizations SET suspended_at = NULL WHERE id = $1")
                .bind(id)
                .execute(&mut *transaction)
                .await?;
            let apps = suspension::release(&mut transaction, id, SuspensionReason::Admin, now).await?;
            let after = json!({ "suspended_at": null, "apps_resumed": apps.len() });
            let before = json!({ "suspended_at": since });
            write_down(&mut transaction, actor, now, "organization.resume", id, (before, after)).await?;
            transaction.commit().await?;
        }
        self.store.admin_organization(id).await
    }

    pub(super) async fn named(&self, organization: &OrganizationRef) -> Result<OrganizationId> {
        let found = self.store.organization_of(organization).await?;
        found.map(|found| found.id).ok_or_else(|| Error::NotFound("There is no such organisation.".to_owned()))
    }
}

pub(super) async fn lock(connection: &mut PgConnection, organization: OrganizationId) -> Result<()> {
    let missing = || Error::NotFound("There is no such organisation.".to_owned());
    ledger::lock_wallet(connection, organization).await?.map(drop).ok_or_else(missing)
}

pub(super) async fn write_down(
    connection: &mut PgConnection,
    actor: &Actor,
    now: DateTime<Utc>,
    action: &'static str,
    organization: OrganizationId,
    (before, after): (Value, Value),
) -> Result<()> {
    let entry = AuditEntry {
        action,
        organization: Some(organization),
        target_kind: "organization",
        target: &organization.to_string(),
        before,
        after,
    };
    audit::record(connection, actor, now, entry).await
}

fn check_limits(limits: OrganizationLimits) -> Result<()> {
    let checks = [
        ("max_apps", limits.max_apps, 0),
        ("max_deployments_per_hour", limits.max_deployments_per_hour, 0),
        ("max_concurrent_builds", limits.max_concurrent_builds, 1),
    ];
    for (field, value, least) in checks {
        if let Some(Some(value)) = value
            && !(least..=1_000_000).contains(&value)
        {
            return Err(Error::field(field, format!("Use {least} to 1000000, or null for the platform's setting.")));
        }
    }
    Ok(())
}

fn check_reason(reason: Option<&str>) -> Result<()> {
    match reason {
        Some(reason) if reason.chars().count() > 1_000 || reason.chars().any(char::is_control) => {
            Err(Error::field("reason", "Use up to 1000 characters on one line."))
        }
        _ => Ok(()),
    }
}
