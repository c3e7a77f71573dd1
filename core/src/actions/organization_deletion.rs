//! The deletion of an organisation: what becomes of its apps, its last charges, and when it is gone.

use chrono::{DateTime, Utc};
use serde_json::json;
use sqlx::PgConnection;

use super::organizations_admin::{lock, write_down};
use super::plans::admin;
use super::{Actions, Actor};
use crate::jobs::{self, Destroy};
use crate::model::{AppId, AppSlug, AppStatus, Money, OrganizationId, OrganizationRef, SuspensionReason};
use crate::store::deployments::{self, Cancelled};
use crate::store::{apps, events, quotas, settlement, suspension};
use crate::{Error, Result};

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
        // Before the transaction, which takes one connection for itself.
        let settings = self.store.settings().await?;
        let now = self.clock.now();
        let mut transaction = self.store.pool().begin().await?;
        // In order, like all who hold several.
        let mut held = vec![id];
        held.extend(heir);
        held.sort();
        for organization in &held {
            lock(&mut transaction, *organization).await?;
        }
        // Nothing that refers to it comes in between: no member, no app.
        sqlx::query("SELECT FROM organizations WHERE id = $1 FOR UPDATE").bind(id).execute(&mut *transaction).await?;
        let mut doomed = describe(&mut transaction, id).await?;
        doomed.check_name(confirm)?;
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
        if let Some(heir) = heir {
            let come = owned.iter().filter(|(_, _, status)| *status != AppStatus::Deleting).count();
            quotas::check_room(&mut transaction, heir, &settings, come).await?;
        }
        let (mut destroyed, mut reassigned) = (Vec::new(), Vec::new());
        for (app, slug, status) in owned {
            match heir {
                // What is being destroyed already goes its way.
                Some(heir) if status != AppStatus::Deleting => {
                    // What is built was begun with the secrets, and for the wallet, of the organisation that goes.
                    let reason = ("CANCELLED", "Cancelled: the app moved to another organisation. Deploy again.");
                    deployments::cancel(&mut transaction, app, Cancelled::All, reason, now).await?;
                    self.store.reassign_app(&mut transaction, app, id, heir, now).await?;
                    events::follow(&mut transaction, app, heir).await?;
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
        // Nothing of it runs any more, so what it still owes is known.
        let settled = settlement::settle_rest(&mut transaction, id, now).await?;
        doomed.balance = describe(&mut transaction, id).await?.balance;
        doomed.check_balance()?;
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
        let before = json!({ "name": doomed.name, "balance": doomed.balance, "charged_last": settled.charged });
        let after = json!({ "destroyed": destroyed, "reassigned": reassigned, "reassigned_to": heir });
        write_down(&mut transaction, actor, now, "organization.delete", id, (before, after)).await?;
        transaction.commit().await?;
        Ok(OrganizationDeleted { is_gone, destroyed, reassigned })
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
    fn check_name(&self, confirm: &str) -> Result<()> {
        if confirm.trim() != self.name {
            return Err(Error::field(
                "confirm",
                format!("That is not its name, so {} was not deleted. Repeat the name to delete it.", self.name),
            ));
        }
        if self.deleting_at.is_some() {
            return Err(Error::Conflict(format!("{} is being deleted already.", self.name)));
        }
        Ok(())
    }

    fn check_balance(&self) -> Result<()> {
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
