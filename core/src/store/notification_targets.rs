//! Whom alerts are told to. Addresses and secrets are sealed under the owner's key.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use zeroize::Zeroizing;

use super::Store;
use crate::model::{NotificationTarget, OrganizationId, Severity, TargetAddress, TargetId, TargetKind, UserId};
use crate::secrets::Owner;
use crate::{Error, Result};

pub(super) const COLUMNS: &str = "id, organization_id, kind, shown_address, min_severity, rules, enabled, created_at";

/// A target to be kept.
#[derive(Debug)]
pub(crate) struct NewTarget<'a> {
    pub(crate) id: TargetId,
    pub(crate) organization: Option<OrganizationId>,
    pub(crate) kind: TargetKind,
    pub(crate) address: &'a TargetAddress,
    pub(crate) min_severity: Severity,
    pub(crate) rules: Option<&'a [String]>,
    pub(crate) enabled: bool,
    pub(crate) created_by: Option<UserId>,
}

/// What it takes to send to a target, opened.
#[derive(Debug)]
pub(crate) struct OpenedTarget {
    pub(crate) target: NotificationTarget,
    pub(crate) address: TargetAddress,
    pub(crate) secret: Option<Zeroizing<Vec<u8>>>,
}

impl Store {
    /// The targets of an organisation, or the platform's, oldest first.
    pub async fn notification_targets(&self, owner: Option<OrganizationId>) -> Result<Vec<NotificationTarget>> {
        let sql = format!(
            "SELECT {COLUMNS} FROM paas_notification_targets WHERE organization_id IS NOT DISTINCT FROM $1
             ORDER BY created_at, id"
        );
        Ok(sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(owner).fetch_all(&self.pool).await?)
    }

    /// Keeps a new target with the secret that its calls are signed with, if it is one that is called.
    pub(crate) async fn add_notification_target(
        &self,
        connection: &mut PgConnection,
        new: NewTarget<'_>,
        secret: Option<&[u8]>,
        now: DateTime<Utc>,
    ) -> Result<NotificationTarget> {
        let owner = owner(new.organization);
        let address = self.secrets.seal(owner, &address_of(new.id), new.address.reveal().as_bytes())?;
        let secret = secret.map(|secret| self.secrets.seal(owner, &secret_of(new.id), secret)).transpose()?;
        let sql = format!(
            "INSERT INTO paas_notification_targets (id, organization_id, kind, address, shown_address, secret,
                 min_severity, rules, enabled, created_by, created_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) RETURNING {COLUMNS}"
        );
        Ok(sqlx::query_as(sqlx::AssertSqlSafe(sql))
            .bind(new.id)
            .bind(new.organization)
            .bind(new.kind)
            .bind(address)
            .bind(new.address.shown())
            .bind(secret)
            .bind(new.min_severity)
            .bind(new.rules)
            .bind(new.enabled)
            .bind(new.created_by)
            .bind(now)
            .fetch_one(connection)
            .await?)
    }

    /// Changes where a target is.
    pub(crate) async fn move_notification_target(
        &self,
        connection: &mut PgConnection,
        target: &NotificationTarget,
        address: &TargetAddress,
    ) -> Result<()> {
        let sealed =
            self.secrets.seal(owner(target.organization_id), &address_of(target.id), address.reveal().as_bytes())?;
        sqlx::query("UPDATE paas_notification_targets SET address = $2, shown_address = $3 WHERE id = $1")
            .bind(target.id)
            .bind(sealed)
            .bind(address.shown())
            .execute(connection)
            .await?;
        Ok(())
    }

    /// Gives a target another secret.
    pub(crate) async fn rotate_notification_target(
        &self,
        connection: &mut PgConnection,
        target: &NotificationTarget,
        secret: &[u8],
    ) -> Result<()> {
        let sealed = self.secrets.seal(owner(target.organization_id), &secret_of(target.id), secret)?;
        sqlx::query("UPDATE paas_notification_targets SET secret = $2 WHERE id = $1")
            .bind(target.id)
            .bind(sealed)
            .execute(connection)
            .await?;
        Ok(())
    }

    /// A target with what it takes to send to it; none if it is gone.
    pub(crate) async fn opened_target(&self, id: TargetId) -> Result<Option<OpenedTarget>> {
        #[derive(sqlx::FromRow)]
        struct Row {
            #[sqlx(flatten)]
            target: NotificationTarget,
            address: Vec<u8>,
            secret: Option<Vec<u8>>,
        }
        let sql = format!("SELECT {COLUMNS}, address, secret FROM paas_notification_targets WHERE id = $1");
        let row: Option<Row> = sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(id).fetch_optional(&self.pool).await?;
        let Some(Row { target, address, secret }) = row else { return Ok(None) };
        let owner = owner(target.organization_id);
        let address = self.secrets.open(owner, &address_of(id), &address)?;
        let address = std::str::from_utf8(&address).map_err(|_| Error::Secret)?;
        let address = TargetAddress::parse(target.kind, address)?;
        let secret = secret.map(|secret| self.secrets.open(owner, &secret_of(id), &secret)).transpose()?;
        Ok(Some(OpenedTarget { target, address, secret }))
    }

    /// Whether that is the address of a member of the organisation.
    pub(crate) async fn is_member_address(&self, organization: OrganizationId, address: &str) -> Result<bool> {
        let (is,) = sqlx::query_as(
            "SELECT EXISTS (SELECT FROM organization_members AS member JOIN users AS person ON person.id = member.user_id
                 WHERE member.organization_id = $1 AND lower(person.email) = lower($2) AND person.disabled_at IS NULL)",
        )
        .bind(organization)
        .bind(address)
        .fetch_one(&self.pool)
        .await?;
        Ok(is)
    }
}

/// Makes whoever adds a target to the same owner wait until the transaction ends, and answers how many it has.
pub(crate) async fn hold_owner(connection: &mut PgConnection, organization: Option<OrganizationId>) -> Result<u64> {
    sqlx::query(
        "SELECT pg_advisory_xact_lock(hashtext('notification_targets'), hashtext(coalesce($1::uuid::text, '')))",
    )
    .bind(organization)
    .execute(&mut *connection)
    .await?;
    let (count,): (i64,) =
        sqlx::query_as("SELECT count(*) FROM paas_notification_targets WHERE organization_id IS NOT DISTINCT FROM $1")
            .bind(organization)
            .fetch_one(connection)
            .await?;
    Ok(u64::try_from(count).unwrap_or(0))
}

/// One of an owner's targets, which nobody else can change until the transaction ends.
pub(crate) async fn lock(
    connection: &mut PgConnection,
    organization: Option<OrganizationId>,
    id: TargetId,
) -> Result<NotificationTarget> {
    let sql = format!(
        "SELECT {COLUMNS} FROM paas_notification_targets
         WHERE id = $1 AND organization_id IS NOT DISTINCT FROM $2 FOR UPDATE"
    );
    sqlx::query_as(sqlx::AssertSqlSafe(sql))
        .bind(id)
        .bind(organization)
        .fetch_optional(connection)
        .await?
        .ok_or_else(missing)
}

/// Changes what is told to a target.
pub(crate) async fn update(connection: &mut PgConnection, target: &NotificationTarget) -> Result<()> {
    sqlx::query("UPDATE paas_notification_targets SET min_severity = $2, rules = $3, enabled = $4 WHERE id = $1")
        .bind(target.id)
        .bind(target.min_severity)
        .bind(target.rules.as_deref())
        .bind(target.enabled)
        .execute(connection)
        .await?;
    Ok(())
}

/// Removes a target with all messages to it.
pub(crate) async fn remove(connection: &mut PgConnection, id: TargetId) -> Result<()> {
    sqlx::query("DELETE FROM paas_notification_targets WHERE id = $1").bind(id).execute(connection).await?;
    Ok(())
}

pub(crate) fn missing() -> Error {
    Error::NotFound("There is no such notification target. The command notifications lists those there are.".to_owned())
}

fn owner(organization: Option<OrganizationId>) -> Owner {
    organization.map_or(Owner::Platform, Owner::Organization)
}

fn address_of(target: TargetId) -> String {
    format!("notification address {target}")
}

fn secret_of(target: TargetId) -> String {
    format!("notification secret {target}")
}
