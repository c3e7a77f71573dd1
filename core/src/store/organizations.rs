//! Organisations, their members and their invitations.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::{Store, is_taken};
use crate::model::{Invitation, InvitationId, Organization, OrganizationId, Role, UserId};
use crate::{Error, Result};

const INVITATION: &str = "id, organization_id, email, role, created_at, expires_at";

/// A member as their organisation lists them.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Member {
    /// Who.
    pub user_id: UserId,
    /// Their e-mail address.
    pub email: String,
    /// What they may do.
    pub role: Role,
    /// Whether their logins need a second factor; none for those who are not to know.
    pub second_factor: Option<bool>,
    /// Since when.
    pub created_at: DateTime<Utc>,
}

impl Store {
    /// The organisation of that id, if there is one.
    pub async fn organization_by_id(&self, id: OrganizationId) -> Result<Option<Organization>> {
        by_id(&mut *self.pool.acquire().await?, id).await
    }

    /// The members of an organisation by e-mail address, after `after`.
    pub async fn members(&self, organization: OrganizationId, after: Option<&str>, most: i64) -> Result<Vec<Member>> {
        Ok(sqlx::query_as(
            "SELECT user_id, email, role, totp_confirmed_at IS NOT NULL AS second_factor, m.created_at
             FROM organization_members m JOIN users ON users.id = user_id
             WHERE organization_id = $1 AND ($2::text IS NULL OR lower(email) > lower($2))
             ORDER BY lower(email) LIMIT $3",
        )
        .bind(organization)
        .bind(after)
        .bind(most)
        .fetch_all(&self.pool)
        .await?)
    }

    /// Invitations of an organisation that can be accepted, oldest first.
    pub async fn invitations(&self, organization: OrganizationId, now: DateTime<Utc>) -> Result<Vec<Invitation>> {
        let sql = format!(
            "SELECT {INVITATION} FROM organization_invitations WHERE organization_id = $1
             AND accepted_at IS NULL AND revoked_at IS NULL AND expires_at > $2 ORDER BY created_at, id"
        );
        Ok(sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(organization).bind(now).fetch_all(&self.pool).await?)
    }

    /// The invitation of that hash, if it can be accepted.
    pub(crate) async fn open_invitation(&self, hash: &[u8], now: DateTime<Utc>) -> Result<Option<Invitation>> {
        let sql = format!(
            "SELECT {INVITATION} FROM organization_invitations WHERE hash = $1
             AND accepted_at IS NULL AND revoked_at IS NULL AND expires_at > $2"
        );
        Ok(sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(hash).bind(now).fetch_optional(&self.pool).await?)
    }
}

/// The organisation of that id, if there is one.
pub(crate) async fn by_id(connection: &mut PgConnection, id: OrganizationId) -> Result<Option<Organization>> {
    Ok(sqlx::query_as("SELECT * FROM organizations WHERE id = $1").bind(id).fetch_optional(connection).await?)
}

/// Makes an organisation.
pub(crate) async fn insert(connection: &mut PgConnection, name: &str) -> Result<Organization> {
    let created = sqlx::query_as("INSERT INTO organizations (id, name) VALUES ($1, $2) RETURNING *")
        .bind(OrganizationId::new())
        .bind(name)
        .fetch_one(connection)
        .await;
    match created {
        Err(error) if is_taken(&error) => {
            Err(Error::Conflict(format!("There is an organisation \"{name}\" already. Choose another name.")))
        }
        Err(sqlx::Error::Database(error)) if error.is_check_violation() => Err(Error::field(
            "name",
            "Use up to 39 lower-case letters, digits and dashes, beginning with a letter or digit.",
        )),
        other => Ok(other?),
    }
}

/// Sets whether members may create apps, by an owner's word.
pub(crate) async fn set_app_creation(
    connection: &mut PgConnection,
    organization: OrganizationId,
    allow: bool,
) -> Result<Organization> {
    Ok(sqlx::query_as("UPDATE organizations SET owners_allow_app_creation = $2 WHERE id = $1 RETURNING *")
        .bind(organization)
        .bind(allow)
        .fetch_one(connection)
        .await?)
}

/// Holds an organisation's list of members until the transaction ends: two owners who leave at the same moment must
/// not both find another one.
pub(crate) async fn hold_members(connection: &mut PgConnection, organization: OrganizationId) -> Result<()> {
    sqlx::query("SELECT 1 FROM organizations WHERE id = $1 FOR UPDATE").bind(organization).execute(connection).await?;
    Ok(())
}

/// A member's role.
pub(crate) async fn role(
    connection: &mut PgConnection,
    organization: OrganizationId,
    user: UserId,
) -> Result<Option<Role>> {
    let found: Option<(Role,)> =
        sqlx::query_as("SELECT role FROM organization_members WHERE organization_id = $1 AND user_id = $2")
            .bind(organization)
            .bind(user)
            .fetch_optional(connection)
            .await?;
    Ok(found.map(|(role,)| role))
}

/// Whether somebody else than the user owns the organisation, and can: who is locked out cannot.
pub(crate) async fn has_another_owner(
    connection: &mut PgConnection,
    organization: OrganizationId,
    user: UserId,
) -> Result<bool> {
    let (has,) = sqlx::query_as(
        "SELECT EXISTS (SELECT 1 FROM organization_members JOIN users ON users.id = user_id
         WHERE organization_id = $1 AND role = 'owner' AND user_id <> $2 AND disabled_at IS NULL)",
    )
    .bind(organization)
    .bind(user)
    .fetch_one(connection)
    .await?;
    Ok(has)
}

/// How many organisations a user owns.
pub(crate) async fn owned(connection: &mut PgConnection, user: UserId) -> Result<u64> {
    let (count,): (i64,) =
        sqlx::query_as("SELECT count(*) FROM organization_members WHERE user_id = $1 AND role = 'owner'")
            .bind(user)
            .fetch_one(connection)
            .await?;
    Ok(count.unsigned_abs())
}

/// Makes a user a member, or changes their role.
pub(crate) async fn set_member(
    connection: &mut PgConnection,
    organization: OrganizationId,
    user: UserId,
    role: Role,
) -> Result<()> {
    sqlx::query(
        "INSERT INTO organization_members (organization_id, user_id, role) VALUES ($1, $2, $3)
         ON CONFLICT (organization_id, user_id) DO UPDATE SET role = $3",
    )
    .bind(organization)
    .bind(user)
    .bind(role)
    .execute(connection)
    .await?;
    Ok(())
}

/// Takes a member out.
pub(crate) async fn remove_member(
    connection: &mut PgConnection,
    organization: OrganizationId,
    user: UserId,
) -> Result<()> {
    sqlx::query("DELETE FROM organization_members WHERE organization_id = $1 AND user_id = $2")
        .bind(organization)
        .bind(user)
        .execute(connection)
        .await?;
    Ok(())
}

/// Keeps an invitation in place of an earlier one to the same address.
pub(crate) async fn invite(
    connection: &mut PgConnection,
    invitation: &Invitation,
    hash: &[u8],
    invited_by: Option<UserId>,
) -> Result<()> {
    sqlx::query(
        "UPDATE organization_invitations SET revoked_at = $3 WHERE organization_id = $1 AND lower(email) = lower($2)
         AND accepted_at IS NULL AND revoked_at IS NULL",
    )
    .bind(invitation.organization_id)
    .bind(&invitation.email)
    .bind(invitation.created_at)
    .execute(&mut *connection)
    .await?;
    sqlx::query(
        "INSERT INTO organization_invitations (id, organization_id, email, role, hash, invited_by, created_at, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
    )
    .bind(invitation.id)
    .bind(invitation.organization_id)
    .bind(&invitation.email)
    .bind(invitation.role)
    .bind(hash)
    .bind(invited_by)
    .bind(invitation.created_at)
    .bind(invitation.expires_at)
    .execute(connection)
    .await?;
    Ok(())
}

/// Takes an invitation back.
pub(crate) async fn uninvite(
    connection: &mut PgConnection,
    organization: OrganizationId,
    invitation: InvitationId,
    now: DateTime<Utc>,
) -> Result<Invitation> {
    let sql = format!(
        "UPDATE organization_invitations SET revoked_at = $3 WHERE id = $1 AND organization_id = $2
         AND accepted_at IS NULL AND revoked_at IS NULL RETURNING {INVITATION}"
    );
    sqlx::query_as(sqlx::AssertSqlSafe(sql))
        .bind(invitation)
        .bind(organization)
        .bind(now)
        .fetch_optional(connection)
        .await?
        .ok_or_else(|| Error::NotFound("There is no such invitation. It may have been accepted already.".to_owned()))
}

/// Takes back the open invitations that a user made or was sent: those of one organisation, or all.
pub(crate) async fn uninvite_by(
    connection: &mut PgConnection,
    organization: Option<OrganizationId>,
    user: UserId,
    now: DateTime<Utc>,
) -> Result<Vec<Invitation>> {
    let sql = format!(
        "UPDATE organization_invitations SET revoked_at = $3 WHERE ($1::uuid IS NULL OR organization_id = $1)
         AND (invited_by = $2 OR lower(email) = (SELECT lower(email) FROM users WHERE id = $2))
         AND accepted_at IS NULL AND revoked_at IS NULL RETURNING {INVITATION}"
    );
    Ok(sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(organization).bind(user).bind(now).fetch_all(connection).await?)
}

/// Uses up the invitation of that hash; none if it is unknown, used up, taken back or too old.
pub(crate) async fn accept(
    connection: &mut PgConnection,
    hash: &[u8],
    now: DateTime<Utc>,
) -> Result<Option<Invitation>> {
    let sql = format!(
        "UPDATE organization_invitations SET accepted_at = $2 WHERE hash = $1
         AND accepted_at IS NULL AND revoked_at IS NULL AND expires_at > $2 RETURNING {INVITATION}"
    );
    Ok(sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(hash).bind(now).fetch_optional(connection).await?)
}
