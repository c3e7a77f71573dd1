//! What admins of the platform do with whole organisations: limits, suspension, deletion.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use sqlx::PgConnection;

use super::plans::admin;
use super::{Actions, Actor};
use crate::jobs::{self, Destroy};
use crate::model::{AppId, AppSlug, AppStatus, Money, OrganizationId, OrganizationRef, SuspensionReason};
use crate::store::deployments::{self, Cancelled};
use crate::store::{AdminOrganization, AuditEntry, apps, audit, events, ledger, suspension};
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

/// What becomes of the apps of an organisation that is deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AppsGo {
    /// There must be none.
    Nowhere,
    /// They are destroyed.
    Away,
    /// They go to another organisation and run on.
    To(OrganizationRef),
}

/// How the deletion of an organisation goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrganizationDeleted {
    /// Whether it is gone already; else it goes with the last of the apps that are being destroyed.
    pub is_gone: bool,
    /// Apps that are being destroyed.
    pub destroyed: Vec<AppSlug>,
    /// Apps that went to the other organisation.
    pub reassigned: Vec<AppSlug>,
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
        let before = self.store.admin_organization(id).await?;
        let now = self.clock.now();
        let mut transaction = self.store.pool().begin().await?;
        let number = |new: Option<Option<u32>>, old: Option<i32>| match new {
            Some(new) => new.and_then(|new| i32::try_from(new).ok()),
            None => old,
        };
        let allow = limits.allow_app_creation.unwrap_or(before.allow_app_creation);
        let apps = number(limits.max_apps, before.max_apps);
        let deployments = number(limits.max_deployments_per_hour, before.max_deployments_per_hour);
        let builds = number(limits.max_concurrent_builds, before.max_concurrent_builds);
        sqlx::query(
            "UPDATE organizations SET allow_app_creation = $2, max_apps = $3, max_deployments_per_hour = $4,
                 max_concurrent_builds = $5 WHERE id = $1",
        )
        .bind(id)
        .bind(allow)
        .bind(apps)
        .bind(deployments)
        .bind(builds)
        .execute(&mut *transaction)
        .await?;
        let shown = |allow, apps, deployments, builds| {
            json!({
                "allow_app_creation": allow, "max_apps": apps, "max_deployments_per_hour": deployments,
                "max_concurrent_builds": builds,
            })
        };
        let old = shown(
            before.allow_app_creation,
            before.max_apps,
            before.max_deployments_per_hour,
            before.max_concurrent_builds,
        );
        let new = shown(allow, apps, deployments, builds);
        if old != new {
            write_down(&mut transaction, actor, now, "organization.limit", id, (old, new)).await?;
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

    /// Deletes an organisation. `confirm` must be its name, and its wallet must not hold money any more. Where its
    /// apps are destroyed, which takes a while, it goes with the last of them and is suspended until then.
    pub async fn delete_organization(
        &self,
        actor: &Actor,
        organization: &OrganizationRef,
        confirm: &str,
        apps: &AppsGo,
    ) -> Result<OrganizationDeleted> {
        admin(actor)?;
        let id = self.named(organization).await?;
        let heir = match apps {
            AppsGo::To(heir) => Some(
                self.named(heir)
                    .await
                    .map_err(|_| Error::field("reassign_to", "There is no organisation of that name or id."))?,
            ),
            AppsGo::Nowhere | AppsGo::Away => None,
        };
        if heir == Some(id) {
            return Err(Error::field("reassign_to", "Choose another organisation than the one that is deleted."));
        }
        let now = self.clock.now();
        let mut transaction = self.store.pool().begin().await?;
        // In order, like all who hold several.
        let mut held = vec![id];
        held.extend(heir);
        held.sort();
        for organization in &held {
            lock(&mut transaction, *organization).await?;
        }
        let doomed = describe(&mut transaction, id).await?;
        doomed.check(confirm)?;
        let owned: Vec<(AppId, AppSlug, AppStatus)> = sqlx::query_as(
            "SELECT id, slug, status FROM paas_applications WHERE organization_id = $1 ORDER BY id FOR NO KEY UPDATE",
        )
        .bind(id)
        .fetch_all(&mut *transaction)
        .await?;
        if *apps == AppsGo::Nowhere && !owned.is_empty() {
            return Err(Error::Conflict(format!(
                "{} has {} app(s). Say what becomes of them: \"delete\", or \"reassign\" to another organisation.",
                doomed.name,
                owned.len()
            )));
        }
        let (mut destroyed, mut reassigned) = (Vec::new(), Vec::new());
        for (app, slug, status) in owned {
            match heir {
                // What is being destroyed already goes its way.
                Some(heir) if status != AppStatus::Deleting => {
                    self.store.reassign_app(&mut transaction, app, id, heir, now).await?;
                    reassigned.push((app, slug));
                }
                _ => {
                    apps::set_status(&mut transaction, app, AppStatus::Deleting, now).await?;
                    // The removal waits behind what runs, so that has to end.
                    let reason = ("CANCELLED", "Cancelled: the app's organisation is being deleted.");
                    deployments::cancel(&mut transaction, app, Cancelled::All, reason, now).await?;
                    jobs::add_within(&mut transaction, &[Destroy { app, slug: slug.clone() }]).await?;
                    destroyed.push(slug);
                }
            }
        }
        if let Some(heir) = heir {
            follow_heir(&mut transaction, heir, &reassigned, now).await?;
        }
        let is_gone = destroyed.is_empty();
        let sql = if is_gone {
            "DELETE FROM organizations WHERE id = $1 AND $2::timestamptz IS NOT NULL"
        } else {
            "UPDATE organizations SET deleting_at = $2, suspended_at = coalesce(suspended_at, $2) WHERE id = $1"
        };
        sqlx::query(sql).bind(id).bind(now).execute(&mut *transaction).await?;
        let reassigned: Vec<AppSlug> = reassigned.into_iter().map(|(_, slug)| slug).collect();
        let before = json!({ "name": doomed.name, "balance": doomed.balance });
        let after = json!({ "destroyed": destroyed, "reassigned": reassigned, "reassigned_to": heir });
        write_down(&mut transaction, actor, now, "organization.delete", id, (before, after)).await?;
        transaction.commit().await?;
        Ok(OrganizationDeleted { is_gone, destroyed, reassigned })
    }

    async fn named(&self, organization: &OrganizationRef) -> Result<OrganizationId> {
        let found = self.store.organization_of(organization).await?;
        found.map(|found| found.id).ok_or_else(|| Error::NotFound("There is no such organisation.".to_owned()))
    }
}

/// An organisation that is to be deleted.
#[derive(sqlx::FromRow)]
struct Doomed {
    name: String,
    balance: Money,
    deleting_at: Option<DateTime<Utc>>,
}

impl Doomed {
    fn check(&self, confirm: &str) -> Result<()> {
        if confirm.trim() != self.name {
            return Err(Error::field(
                "confirm",
                format!("That is not its name, so {} was not deleted. Repeat the name to delete it.", self.name),
            ));
        }
        if self.deleting_at.is_some() {
            return Err(Error::Conflict(format!("{} is being deleted already.", self.name)));
        }
        if self.balance > Money::ZERO {
            return Err(Error::Conflict(format!(
                "The wallet of {} holds {}. Pay it back and write an adjustment of that amount first.",
                self.name, self.balance
            )));
        }
        Ok(())
    }
}

async fn describe(connection: &mut PgConnection, id: OrganizationId) -> Result<Doomed> {
    Ok(sqlx::query_as("SELECT name, wallet_balance AS balance, deleting_at FROM organizations WHERE id = $1")
        .bind(id)
        .fetch_one(connection)
        .await?)
}

/// Brings apps in step with the organisation that they came to, and tells its people.
async fn follow_heir(
    connection: &mut PgConnection,
    heir: OrganizationId,
    apps: &[(AppId, AppSlug)],
    now: DateTime<Utc>,
) -> Result<()> {
    let (suspended, deleting): (bool, bool) =
        sqlx::query_as("SELECT suspended_at IS NOT NULL, deleting_at IS NOT NULL FROM organizations WHERE id = $1")
            .bind(heir)
            .fetch_one(&mut *connection)
            .await?;
    if deleting {
        return Err(Error::field("reassign_to", "That organisation is being deleted itself."));
    }
    for (app, _) in apps {
        let message = "Moved here by an admin of the platform, from an organisation that was deleted";
        events::record(connection, *app, None, "reassign", message, now).await?;
    }
    if suspended {
        suspension::hold(connection, heir, SuspensionReason::Admin, now).await?;
    } else {
        suspension::release(connection, heir, SuspensionReason::Admin, now).await?;
    }
    match suspension::ensure_funds(connection, heir).await {
        Ok(()) => suspension::release(connection, heir, SuspensionReason::Wallet, now).await?,
        Err(Error::InsufficientFunds(_)) => suspension::hold(connection, heir, SuspensionReason::Wallet, now).await?,
        Err(error) => return Err(error),
    };
    Ok(())
}

async fn lock(connection: &mut PgConnection, organization: OrganizationId) -> Result<()> {
    let missing = || Error::NotFound("There is no such organisation.".to_owned());
    ledger::lock_wallet(connection, organization).await?.map(drop).ok_or_else(missing)
}

async fn write_down(
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
